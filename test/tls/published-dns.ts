/**
 * A resolver whose answers a test writes down; what is not written down does not exist.
 */
import type { TlsaRecord } from '../../src/core/tls-policy.ts'
import type { DnsAnswer, DnsResolver } from '../../src/ports/dns-resolver.ts'

export interface PublishedDns extends DnsResolver {
  readonly asked: string[]
  validates: boolean
  readonly txts: Map<string, DnsAnswer<string>>
  readonly tlsas: Map<string, DnsAnswer<TlsaRecord>>
  readonly hosts: Map<string, DnsAnswer<string>>
}

export function records<Value>(values: readonly Value[], options: { readonly secure?: boolean; readonly canonicalName?: string } = {}): DnsAnswer<Value> {
  const [first, ...rest] = values
  if (first === undefined) throw new Error('no records')
  return { kind: 'records', records: [first, ...rest], secure: options.secure ?? true, canonicalName: options.canonicalName ?? '', ttlMs: 60_000 }
}

export function none(secure = true): DnsAnswer<never> {
  return { kind: 'none', why: 'no-such-name', secure }
}

export const SERVFAIL: DnsAnswer<never> = { kind: 'fault', code: 'SERVFAIL', message: 'the answer is bogus' }

export function publishDns(): PublishedDns {
  const asked: string[] = []
  const dns: PublishedDns = {
    asked,
    validates: true,
    txts: new Map(),
    tlsas: new Map(),
    hosts: new Map(),
    mx: () => Promise.resolve(none()),
    ptr: () => Promise.resolve(none()),
    addresses: (name, family) => {
      asked.push(`${family === 4 ? 'A' : 'AAAA'} ${name}`)
      return Promise.resolve(dns.hosts.get(`${name} ${family}`) ?? none())
    },
    tlsa: (name) => {
      asked.push(`TLSA ${name}`)
      return Promise.resolve(dns.tlsas.get(name) ?? none())
    },
    txt: (name) => {
      asked.push(`TXT ${name}`)
      return Promise.resolve(dns.txts.get(name) ?? none())
    },
  }
  return dns
}
