import { describe, expect, it } from 'vitest'
import { readOriginal } from '../../src/delivery/notice-original.ts'
import type { BodyStore } from '../../src/ports/body-store.ts'
import { type MessageOptions, makeMessage } from '../support/make-message.ts'

const CONTENT = Buffer.from('Subject: x\r\n\r\nbody-canary\r\n')

async function returned(options: MessageOptions, headerOnly = false): Promise<boolean> {
  const stored = { sizeOctets: CONTENT.length, whole: CONTENT, chunks: () => Promise.reject(new Error('whole')) as never }
  const bodies = { open: () => Promise.resolve(stored) } as unknown as BodyStore
  const original = await readOriginal(bodies, makeMessage({ sizeOctets: CONTENT.length, ...options }), {
    kind: 'failed',
    returnFullMaxOctets: 50_000,
    headerOnly,
  })
  return original.whole
}

describe('what a notice returns', () => {
  it('is all of a short message, unless the header alone is asked for or will do', async () => {
    expect([await returned({}), await returned({ returnContent: 'full' })]).toEqual([true, true])
    expect([await returned({ returnContent: 'headers' }), await returned({}, true)]).toEqual([false, false])
  })
  it('is the header only under REQUIRETLS, even if all was asked for (RFC 8689 §5)', async () => {
    expect(await returned({ requireTls: true, returnContent: 'full' })).toBe(false)
  })
})
