/**
 * Passes the octets of content that need no thought, sixteen at a time, in a few instructions of WebAssembly.
 *
 * They reach their own memory only: what is to be passed so is read into a buffer made here. Anywhere else, and where
 * WebAssembly cannot be had (`--jitless`, no address space for it), `noteworthy.ts` passes octets four at a time, at a
 * third of the speed. The code is put together from named instructions below, so that nothing has to be built; opcodes
 * and encoding are those of the WebAssembly specification 2.0, section 5.
 */

/** The index of the first octet in `[at, limit)` that may need a thought; `limit`: none does. Traps outside its memory. */
export type PlainScan = (at: number, limit: number) => number

const PAGE_OCTETS = 65_536
/** Octets from this one on need no thought. */
const PLAIN = 0x0e
const [TAB, LF, CR, DOT] = [0x09, 0x0a, 0x0d, 0x2e]

const [I32, NO_VALUE] = [0x7f, 0x40]
const [BLOCK, LOOP, IF, END, BRANCH, RETURN] = [0x02, 0x03, 0x04, 0x0b, 0x0c, 0x0f]
const [GET, SET, TEE] = [0x20, 0x21, 0x22]
const [IS_ZERO, IS, IS_NOT, IS_BELOW, IS_NOT_ABOVE, IS_NOT_BELOW] = [0x45, 0x46, 0x47, 0x49, 0x4d, 0x4f]
const [TRAILING_ZEROS, ADD, AND, SHIFT_RIGHT] = [0x68, 0x6a, 0x71, 0x76]
const LOAD_ONE = [0x2d, 0, 0]
const LOAD_TWO_BEHIND = [0x2f, 0, 1]
const LOAD_SIXTEEN = [0xfd, 0, 0, 0]
const SIXTEEN_PLAIN = [0xfd, 12, ...Array.from({ length: 16 }, () => PLAIN)]
const SIXTEEN_BELOW = [0xfd, 0x26]
/** One bit for each of the sixteen. */
const BITS = [0xfd, 0x64]
/** A LEB128 of two octets, of 0 to 8191: the same whether it is taken as signed or not. */
const leb = (value: number): readonly number[] => [(value & 0x7f) | 0x80, value >> 7]
const constant = (value: number): readonly number[] => [0x41, ...leb(value)]

const [AT, LIMIT, FOUND] = [0, 1, 2]
const advance = (...by: readonly number[]): readonly number[] => [GET, AT, ...by, ADD, SET, AT]

/** Numbers behind BRANCH count the blocks, loops and ifs around it from the inside: a loop begins again, a block ends. */
const BODY = [
  ...[LOOP, NO_VALUE, BLOCK, NO_VALUE],
  // Sixteen at a time up to those with an octet below PLAIN, and in them up to that octet.
  ...[LOOP, NO_VALUE, GET, AT, ...constant(16), ADD, GET, LIMIT, IS_NOT_ABOVE, IF, NO_VALUE],
  ...[GET, AT, ...LOAD_SIXTEEN, ...SIXTEEN_PLAIN, ...SIXTEEN_BELOW, ...BITS, TEE, FOUND],
  ...[IS_ZERO, IF, NO_VALUE, ...advance(...constant(16)), BRANCH, 2, END],
  ...[...advance(GET, FOUND, TRAILING_ZEROS), BRANCH, 2, END, END],
  // The last few one at a time.
  ...[LOOP, NO_VALUE, GET, AT, GET, LIMIT, IS_NOT_BELOW, IF, NO_VALUE, GET, LIMIT, RETURN, END],
  ...[GET, AT, ...LOAD_ONE, ...constant(PLAIN), IS_NOT_BELOW, IF, NO_VALUE, ...advance(...constant(1)), BRANCH, 1, END, END],
  END,
  ...[GET, AT, ...LOAD_ONE, TEE, FOUND, ...constant(TAB), IS, IF, NO_VALUE, ...advance(...constant(1)), BRANCH, 1, END],
  // A CR before an LF and something that is not a dot.
  ...[GET, FOUND, ...constant(CR), IS, GET, AT, ...constant(2), ADD, GET, LIMIT, IS_BELOW, AND, IF, NO_VALUE],
  ...[GET, AT, ...LOAD_TWO_BEHIND, TEE, FOUND, ...constant(0xff), AND, ...constant(LF), IS],
  ...[GET, FOUND, ...constant(8), SHIFT_RIGHT, ...constant(DOT), IS_NOT, AND, IF, NO_VALUE, ...advance(...constant(2)), BRANCH, 2, END, END],
  ...[END, GET, AT, END],
]
const CODE = [1, 1, I32, ...BODY]

/** With their number in front. */
const sized = (octets: readonly number[]): readonly number[] => [...leb(octets.length), ...octets]
const NAME = [1, 0x6d]
const MODULE = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, ...sized([1, 0x60, 2, I32, I32, 1, I32])],
  ...[2, ...sized([1, ...NAME, ...NAME, 2, 0, 1])],
  ...[3, ...sized([1, 0])],
  ...[7, ...sized([1, ...NAME, 0, 0])],
  ...[10, ...sized([1, ...sized(CODE)])],
])

/** The part of it that is used; TypeScript knows WebAssembly only with all of a browser. */
declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => { readonly buffer: ArrayBuffer }
  readonly Module: new (code: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: { readonly m: PlainScan } }
}
/** On the memory itself: whoever has octets of it finds it. */
const SCAN = Symbol('plain scan')
interface Scanned {
  readonly [SCAN]?: PlainScan
}

/** Memory for octets to be passed so; at least as large as asked for, in whole pages. Plain memory where that cannot be had. */
export function makeScannedBuffer(octets: number): Buffer {
  try {
    const pages = Math.ceil(octets / PAGE_OCTETS)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    const instance = new WebAssembly.Instance(new WebAssembly.Module(MODULE), { m: { m: memory } })
    const scanned: Scanned = { [SCAN]: instance.exports.m }
    return Buffer.from(Object.assign(memory.buffer, scanned))
  } catch {
    return Buffer.allocUnsafeSlow(octets)
  }
}

/** Null: these octets lie elsewhere. Its indexes count from the start of the memory. */
export function plainScanOf({ buffer }: Uint8Array): PlainScan | null {
  return (buffer as Scanned)[SCAN] ?? null
}
