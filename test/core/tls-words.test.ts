import { describe, expect, it } from 'vitest'
import type { TlsFacts } from '../../src/core/outcome.ts'
import { announceSession, describeTls } from '../../src/core/tls-words.ts'

const PEER = { host: 'mx.example.test', address: '192.0.2.1', port: 25 }
const FACTS: TlsFacts = { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', resumed: false, trust: 'verified', trustFault: null, keyExchange: 'X25519' }

describe('a session in the log', () => {
  it.each([
    [
      { verifiedBy: 'dane-ee', basis: 'dane' },
      'Verified TLS connection established to mx.example.test[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384, key exchange X25519, by DANE (usage 3)',
    ],
    [
      { verifiedBy: 'dane-ta', resumed: true },
      'Verified TLS connection established to mx.example.test[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384, key exchange X25519, resumed, by DANE (usage 2)',
    ],
    [
      { verifiedBy: 'pki', basis: 'mta-sts' },
      'Verified TLS connection established to mx.example.test[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384, key exchange X25519, by certificate (MTA-STS)',
    ],
    [
      { trust: 'trusted', verifiedBy: 'pki' },
      'Trusted TLS connection established to mx.example.test[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384, key exchange X25519, by certificate',
    ],
    [
      { trust: 'untrusted', trustFault: 'CERT_HAS_EXPIRED' },
      'Untrusted TLS connection established to mx.example.test[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384, key exchange X25519 (CERT_HAS_EXPIRED)',
    ],
  ] as const)('with %j', (change, text) => {
    expect(announceSession(PEER, { ...FACTS, ...change })).toBe(text)
  })
  it('without TLS', () => {
    expect(announceSession(PEER, null)).toBe('Plain connection established to mx.example.test[192.0.2.1]:25: no TLS')
  })
})

describe('a session in the history', () => {
  it('tells by what it was verified', () => {
    expect(describeTls({ ...FACTS, verifiedBy: 'pki', basis: 'configured' })).toBe(
      'verified by certificate (as configured), TLSv1.3 TLS_AES_256_GCM_SHA384, key exchange X25519',
    )
  })
  it('of before an update tells what it knows', () => {
    const { keyExchange: _, ...old } = FACTS
    expect(describeTls({ ...old, resumed: true })).toBe('verified, TLSv1.3 TLS_AES_256_GCM_SHA384, resumed')
  })
})
