import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DotDecoder, type DotDecoderOptions, DotEncoder, NulInContent } from '../../src/smtp/dot-codec.ts'
import { bytewise, everyWay, type Feeding, inChunks, whole } from '../support/feed.ts'

interface Decoded {
  readonly content: string
  readonly rest: string
  readonly ended: boolean
  readonly fault: string | null
  readonly octets: number
  readonly doubtful: boolean
  readonly dotted: boolean
}

function decode(feeding: Feeding, options: Partial<DotDecoderOptions> = {}): Decoded {
  const slices: Buffer[] = []
  const decoder = new DotDecoder({
    bareLineEnds: 'refuse',
    lineOctetsMax: 100_000,
    contentOctetsMax: 1_000_000,
    onContent: (slice) => slices.push(Buffer.from(slice)),
    ...options,
  })
  let rest = ''
  for (const chunk of feeding.chunks) {
    const next = decoder.ended ? 0 : decoder.decode(chunk, 0)
    rest += chunk.subarray(next).toString('latin1')
  }
  const content = Buffer.concat(slices).toString('latin1')
  const { ended, fault, octets, doubtfulEnd: doubtful, dotted } = decoder
  return { content, rest, ended, fault, octets, doubtful, dotted }
}

function encode(feeding: Feeding): string {
  const encoder = new DotEncoder()
  return feeding.chunks.map((chunk) => Buffer.from(encoder.encode(chunk)).toString('latin1')).join('') + encoder.end()
}

/** Line ends of any sort become CRLF: what leaves us for that input. */
function normalized(text: string): string {
  const lines = text.replace(/\r\n|\r|\n/g, '\r\n')
  return lines === '' || lines.endsWith('\r\n') ? lines : `${lines}\r\n`
}
const nasty = fc.string({ unit: fc.constantFrom('.', '\r', '\n', '\r\n', 'a', '\r\n.', '\r\n.\r\n', '\xff', ' '), maxLength: 40 })
const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 })

describe('DotDecoder', () => {
  const cases: readonly (readonly [name: string, input: string, content: string, rest: string])[] = [
    ['ends at a lone dot', 'a\r\n.\r\nNEXT', 'a\r\n', 'NEXT'],
    ['takes no content at all', '.\r\n', '', ''],
    ['takes a single empty line', '\r\n.\r\n', '\r\n', ''],
    ['unstuffs dots, also in the first line', '..\r\n...x\r\n..\r\n.\r\n', '.\r\n..x\r\n.\r\n', ''],
    ['unstuffs a dot that was not stuffed', '.x\r\n.\r\n', 'x\r\n', ''],
    ['leaves dots inside lines', 'a.b.\r\n.\r\n', 'a.b.\r\n', ''],
    ['keeps every octet above 127', '\x80\xff\xc3\xa9\r\n.\r\n', '\x80\xff\xc3\xa9\r\n', ''],
    ['gives back what follows the end', '.\r\n.\r\n', '', '.\r\n'],
  ]
  for (const [name, input, content, rest] of cases) {
    it(`${name}, however it is cut`, () => {
      for (const feeding of everyWay(input)) {
        const decoded = decode(feeding)
        expect([decoded.content, decoded.rest, decoded.ended, decoded.fault, decoded.octets], feeding.name).toEqual([content, rest, true, null, content.length])
      }
    })
  }

  it('passes clean content on as views of what it was given, in one piece', () => {
    const input = Buffer.from('Subject: x\r\n\r\nbody\r\n.\r\n')
    const slices: Uint8Array[] = []
    const decoder = new DotDecoder({ bareLineEnds: 'refuse', lineOctetsMax: 1000, contentOctetsMax: 1000, onContent: (slice) => slices.push(slice) })
    decoder.decode(input, 0)
    expect(slices).toHaveLength(1)
    expect(slices[0]?.buffer).toBe(input.buffer)
  })

  it('undoes what the encoder does, for any content and any cut', () => {
    fc.assert(
      fc.property(nasty, sizes, sizes, (text, cutIn, cutOut) => {
        const decoded = decode(inChunks(`${encode(inChunks(text, cutIn))}NEXT`, cutOut))
        expect(decoded.ended).toBe(true)
        expect(decoded.fault).toBeNull()
        expect(decoded.content).toBe(normalized(text))
        expect(decoded.rest).toBe('NEXT')
      }),
      { numRuns: 1000 },
    )
  })

  it('says the same whatever the cut, for any octets', () => {
    fc.assert(
      fc.property(nasty, sizes, fc.constantFrom('refuse', 'normalize'), (text, cut, bareLineEnds) => {
        const options = { bareLineEnds, lineOctetsMax: 9, contentOctetsMax: 30 } as const
        const expected = decode(whole(text), options)
        for (const feeding of [bytewise(text), inChunks(text, cut)]) {
          const decoded = decode(feeding, options)
          // After a fault nothing is stored: how much was passed on before it may differ.
          if (expected.fault === null) expect(decoded).toEqual(expected)
          else expect({ ...decoded, content: '', fault: decoded.fault !== null }).toEqual({ ...expected, content: '', fault: true })
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('never lets a bare CR or LF through', () => {
    fc.assert(
      fc.property(nasty, sizes, (text, cut) => {
        for (const bareLineEnds of ['refuse', 'normalize'] as const) {
          const { content, fault } = decode(inChunks(`${text}\r\n.\r\n`, cut), { bareLineEnds })
          if (fault === null) expect(content.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
        }
      }),
      { numRuns: 1000 },
    )
  })

  const bareEnds: readonly (readonly [input: string, normal: string])[] = [
    ['a\n.\r\nb\r\n.\r\n', 'a\r\n.\r\nb\r\n'],
    ['a\r\n.\nb\r\n.\r\n', 'a\r\n\r\nb\r\n'],
    ['a\r.\rb\r\n.\r\n', 'a\r\n.\r\nb\r\n'],
    ['a\nb\rc\r\n.\r\n', 'a\r\nb\r\nc\r\n'],
    ['\n.\r\n\r\n.\r\n', '\r\n.\r\n\r\n'],
  ]
  it.each(bareEnds)('refuses %j to its true end, or normalizes it', (input, normal) => {
    for (const feeding of everyWay(input)) {
      expect(decode(feeding)).toMatchObject({ ended: true, fault: 'bare-line-end', rest: '' })
      expect(decode(feeding, { bareLineEnds: 'normalize' })).toMatchObject({ ended: true, fault: null, content: normal, rest: '' })
    }
  })

  it('reports NUL, and reads on', () => {
    for (const feeding of everyWay('a\0b\r\n.\r\n')) expect(decode(feeding)).toMatchObject({ ended: true, fault: 'nul', rest: '' })
  })

  it('marks an end after CR CR LF as doubtful, and no other', () => {
    for (const feeding of everyWay('a\r\r\n.\r\n')) expect(decode(feeding), feeding.name).toMatchObject({ ended: true, doubtful: true })
    for (const feeding of everyWay('a\r\r\nb\r\n.\r\n')) expect(decode(feeding), feeding.name).toMatchObject({ ended: true, doubtful: false })
    for (const feeding of everyWay('a\r\n.\r\r\n.\r\n')) expect(decode(feeding), feeding.name).toMatchObject({ ended: true, doubtful: true })
  })

  it('measures lines without their CRLF', () => {
    for (const [length, fault] of [
      [10, null],
      [11, 'line-too-long'],
      [12, 'line-too-long'],
      [100, 'line-too-long'],
    ] as const) {
      for (const feeding of everyWay(`ab\r\n${'x'.repeat(length)}\r\ncd\r\n.\r\n`)) {
        expect(decode(feeding, { lineOctetsMax: 10 }).fault, `${length}, ${feeding.name}`).toBe(fault)
      }
    }
  })

  it('counts content without stuffing, and refuses one octet too many', () => {
    for (const [limit, fault] of [
      [11, null],
      [10, 'too-large'],
    ] as const) {
      for (const feeding of everyWay('abcdef\r\n..\r\n.\r\n'))
        expect(decode(feeding, { contentOctetsMax: limit })).toMatchObject({ ended: true, fault, octets: 11 })
    }
  })

  it('copies only once a chunk where every line has a dot', () => {
    const lines = '..\r\n'.repeat(10_000)
    let calls = 0
    const decoder = new DotDecoder({ bareLineEnds: 'refuse', lineOctetsMax: 1000, contentOctetsMax: 1e6, onContent: () => calls++ })
    decoder.decode(Buffer.from(`${lines}.\r\n`), 0)
    expect(decoder.octets).toBe(30_000)
    expect(calls).toBe(1)
  })
})

describe('what was decoded and has no dotted line', () => {
  const wire = fc.array(fc.constantFrom('.', '\r', '\n', '\r\n', 'a', '\r\n.', '..', '\xff'), { maxLength: 40 }).map((parts) => `${parts.join('')}\r\n.\r\n`)

  it('is sent on as it is, and the encoder has nothing to change in it', () => {
    fc.assert(
      fc.property(wire, sizes, fc.constantFrom('refuse', 'normalize'), (text, cut, bareLineEnds) => {
        const { content, ended, fault, dotted } = decode(inChunks(text, cut), { bareLineEnds })
        if (!ended || fault !== null || dotted) return
        expect(encode(inChunks(content, cut))).toBe(`${content}.\r\n`)
        const encoder = new DotEncoder()
        const passed = inChunks(content, cut).chunks.map((chunk) => Buffer.from(encoder.pass(chunk)).toString('latin1'))
        expect(passed.join('') + encoder.end()).toBe(`${content}.\r\n`)
      }),
      { numRuns: 2_000 },
    )
  })
  it.each([
    ['a\r\n..b\r\n.\r\n', true],
    ['..b\r\n.\r\n', true],
    ['.b\r\n.\r\n', true],
    ['a\r\n.b\r\n.\r\n', true],
    ['a.\r\n.\r\n', false],
    ['a\r\n.\r\n', false],
    ['.\r\n', false],
    ['.\r\n..x', false],
  ])('%j: dotted is %s, however it is cut', (text, dotted) => {
    for (const feeding of everyWay(text)) expect([feeding.name, decode(feeding).dotted]).toEqual([feeding.name, dotted])
  })
})

describe('DotEncoder', () => {
  const cases: readonly (readonly [name: string, input: string, output: string])[] = [
    ['ends empty content', '', '.\r\n'],
    ['leaves clean content alone', 'a\r\nb\r\n', 'a\r\nb\r\n.\r\n'],
    ['adds the CRLF that is missing', 'a', 'a\r\n.\r\n'],
    ['stuffs dots, also the first and the last', '.a\r\n.\r\n..b\r\n.', '..a\r\n..\r\n...b\r\n..\r\n.\r\n'],
    ['turns a bare LF into CRLF and stuffs the dot behind it', 'a\n.\r\nb', 'a\r\n..\r\nb\r\n.\r\n'],
    ['turns a bare CR into CRLF and stuffs the dot behind it', 'a\r.\rb', 'a\r\n..\r\nb\r\n.\r\n'],
    ['turns CR CR LF into two line ends', 'a\r\r\n.\r\n', 'a\r\n\r\n..\r\n.\r\n'],
    ['does not send a CR that was left over', 'a\r', 'a\r\n.\r\n'],
  ]
  for (const [name, input, output] of cases) {
    it(`${name}, however it is cut`, () => {
      for (const feeding of everyWay(input)) expect(encode(feeding), feeding.name).toBe(output)
    })
  }

  it('returns clean input itself', () => {
    const input = Buffer.from('a\r\nb')
    expect(new DotEncoder().encode(input)).toBe(input)
  })

  it('never writes a bare CR, a bare LF, or an early end', () => {
    fc.assert(
      fc.property(nasty, sizes, (text, cut) => {
        const wire = encode(inChunks(text, cut))
        expect(wire.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
        expect(`\r\n${wire}`.indexOf('\r\n.\r\n')).toBe(wire.length - 3)
      }),
      { numRuns: 1000 },
    )
  })

  it('refuses NUL', () => {
    expect(() => new DotEncoder().encode(Buffer.from('a\0b'))).toThrow(NulInContent)
  })
})
