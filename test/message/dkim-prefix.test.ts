import { describe, expect, it } from 'vitest'
import { signatureOctets } from '../../src/message/dkim-prefix.ts'

describe('our signatures in front of our lines', () => {
  const signature = 'DKIM-Signature: v=1; a=rsa-sha256;\r\n d=x; b=abc\r\n\tdef\r\n'
  it.each([
    ['', 0],
    ['Received: x\r\n', 0],
    ['DKIM-Signature-X: x\r\n', 0],
    [signature, signature.length],
    [`${signature}${signature}Received: by us;\r\n\ttoday\r\n`, 2 * signature.length],
    [`Received: x\r\n${signature}`, 0],
    ['dkim-signature: cut off', 23],
  ])('of %j have %i octets', (prefix, octets) => expect(signatureOctets(Buffer.from(prefix))).toBe(octets))
})
