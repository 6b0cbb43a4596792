/**
 * A resolver whose zones are a table in memory, and that counts what it is asked.
 *
 * A name that is not in the table does not exist. What a name lacks is "no such record"; a fault code
 * instead of records is that fault. Tests may change the table between questions.
 */
import type { TlsaRecord } from '../../src/core/tls-policy.ts'
import type { DnsAnswer, DnsFaultCode, DnsResolver, MxRecord } from '../../src/ports/dns-resolver.ts'

export interface FakeName {
  /** `10 mx.example.com`; `0 .` is a null MX. */
  readonly mx?: readonly string[] | DnsFaultCode
  readonly a?: readonly string[] | DnsFaultCode
  readonly aaaa?: readonly string[] | DnsFaultCode
  readonly cname?: string
  readonly tlsa?: readonly TlsaRecord[] | DnsFaultCode
  readonly txt?: readonly string[] | DnsFaultCode
  /** Of an address, which is the name here. */
  readonly ptr?: readonly string[] | DnsFaultCode
  readonly secure?: boolean
  /** Default: one hour. */
  readonly ttlMs?: number
}
export interface FakeResolver extends DnsResolver {
  readonly zones: Map<string, FakeName>
  /** `MX example.com`, in the order in which they came. */
  readonly asked: string[]
  /** Answers wait while it is set. */
  hold: Promise<unknown> | null
}

export function createFakeResolver(names: Readonly<Record<string, FakeName>> = {}): FakeResolver {
  const zones = new Map(Object.entries(names))
  const asked: string[] = []
  const answer = async <Value>(
    type: string,
    name: string,
    pick: (found: FakeName) => readonly Value[] | DnsFaultCode | undefined,
  ): Promise<DnsAnswer<Value>> => {
    asked.push(`${type} ${name}`)
    if (resolver.hold !== null) await resolver.hold
    let at = name
    for (let hops = 0; zones.get(at)?.cname !== undefined && hops < 8; hops++) at = zones.get(at)?.cname ?? at
    const found = zones.get(at)
    const secure = found?.secure ?? false
    if (found === undefined) return { kind: 'none', why: 'no-such-name', secure }
    const values = pick(found)
    if (typeof values === 'string') return { kind: 'fault', code: values, message: `${values} for ${name}` }
    const [first, ...rest] = values ?? []
    if (first === undefined) return { kind: 'none', why: 'no-such-record', secure }
    return { kind: 'records', records: [first, ...rest], secure, canonicalName: at, ttlMs: found.ttlMs ?? 3_600_000 }
  }
  const resolver: FakeResolver = {
    zones,
    asked,
    hold: null,
    validates: true,
    mx: (name) => answer('MX', name, ({ mx }) => (typeof mx === 'string' ? (mx as DnsFaultCode) : mx?.map(parseMx))),
    addresses: (name, family) => answer(family === 4 ? 'A' : 'AAAA', name, ({ a, aaaa }) => (family === 4 ? a : aaaa)),
    tlsa: (name) => answer('TLSA', name, ({ tlsa }) => tlsa),
    txt: (name) => answer('TXT', name, ({ txt }) => txt),
    ptr: (address) => answer('PTR', address, ({ ptr }) => ptr),
  }
  return resolver
}

function parseMx(text: string): MxRecord {
  const [preference = '', exchange = ''] = text.split(' ')
  return { preference: Number(preference), exchange: exchange === '.' ? '' : exchange }
}
