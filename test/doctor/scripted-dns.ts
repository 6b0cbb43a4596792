/** A resolver that answers from a table: `TXT example.com` -> texts; what is not in it does not exist. */
import type { DnsAnswer, DnsResolver, MxRecord } from '../../src/ports/dns-resolver.ts'

export interface ScriptedDns {
  readonly [question: string]: readonly string[] | 'SERVFAIL'
}

export function scriptedDns(table: ScriptedDns, options: { readonly validates?: boolean; readonly secure?: boolean } = {}): DnsResolver {
  const secure = options.secure ?? false
  const ask = <Value>(type: string, name: string, parse: (text: string) => Value): Promise<DnsAnswer<Value>> => {
    const found = table[`${type} ${name}`]
    if (found === 'SERVFAIL') return Promise.resolve({ kind: 'fault', code: 'SERVFAIL', message: 'the name server failed' })
    const [first, ...rest] = (found ?? []).map(parse)
    if (first !== undefined) return Promise.resolve({ kind: 'records', records: [first, ...rest], secure, canonicalName: name, ttlMs: 60_000 })
    const exists = Object.keys(table).some((question) => question.endsWith(` ${name}`))
    return Promise.resolve({ kind: 'none', why: exists ? 'no-such-record' : 'no-such-name', secure })
  }
  const parseMx = (text: string): MxRecord => {
    const [preference = '', exchange = ''] = text.split(' ')
    return { preference: Number(preference), exchange }
  }
  return {
    validates: options.validates ?? false,
    mx: (name) => ask('MX', name, parseMx),
    addresses: (name, family) => ask(family === 4 ? 'A' : 'AAAA', name, String),
    // Whether it is answered at all is what the doctor wants to know.
    tlsa: (name) => ask('TLSA', name, () => ({ usage: 3, selector: 1, matching: 1, association: new Uint8Array(32) })),
    txt: (name) => ask('TXT', name, String),
    ptr: (address) => ask('PTR', address, String),
  }
}
