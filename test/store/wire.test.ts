/**
 * Bytes on their way to the writer thread: copied if they are short, else read where they are.
 */
import { describe, expect, it } from 'vitest'
import { BatchWriter, ValueReader } from '../../src/store/sqlite/wire.ts'

const LONG = 16 * 1024

function sent(...given: readonly Uint8Array[]): { readonly arrived: readonly Uint8Array[]; readonly shared: readonly SharedArrayBuffer[] } {
  const area = new Uint8Array(1024 * 1024)
  const writer = new BatchWriter(area)
  writer.begin('enqueue')
  writer.values.push('before')
  for (const bytes of given) writer.bytes(bytes)
  writer.values.push('behind')
  const reader = new ValueReader(writer.values, area, writer.shared)
  reader.seek(1)
  expect(reader.text()).toBe('before')
  const arrived = given.map(() => reader.bytes())
  expect(reader.text()).toBe('behind')
  return { arrived, shared: writer.shared }
}
const sharedBytes = (octets: number, mark: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(octets)).fill(mark)

describe('bytes of a batch', () => {
  it('arrive in order, whatever they are made of', () => {
    const given = [new Uint8Array([1, 2]), sharedBytes(LONG, 3), new Uint8Array(0), new Uint8Array(LONG).fill(4), sharedBytes(3, 5), sharedBytes(LONG + 1, 6)]
    expect(sent(...given).arrived.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual(given.map((bytes) => Buffer.from(bytes).toString('hex')))
  })
  it('are shared only where memory is shared and long', () => {
    const long = sharedBytes(LONG, 1)
    const { arrived, shared } = sent(sharedBytes(LONG - 1, 2), new Uint8Array(LONG), long)
    expect(shared).toEqual([long.buffer])
    expect(arrived[2]?.buffer).toBe(long.buffer)
  })
  it('that are a part of shared memory are that part', () => {
    const part = sharedBytes(3 * LONG, 0).subarray(LONG + 5, 2 * LONG + 9)
    part.set([7, 8, 9])
    expect([...(sent(part).arrived[0] ?? [])].slice(0, 4)).toEqual([7, 8, 9, 0])
    expect(sent(part).arrived[0]).toHaveLength(LONG + 4)
  })
})
