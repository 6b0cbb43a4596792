/**
 * A name server for bars: every domain has one server, named `mx.DOMAIN`, at the address that a table gives.
 */
import { ANSWER, a, answerTo, mx, NXDOMAIN, openDnsServer, type SeenQuery, soa, type TestDnsServer, TYPE } from '../../support/scripted-dns.ts'

/** `hostOf`: the name of the domain's server; `addressOf`: the address of a server. Null: there is none. */
export function openMxNames(hostOf: (domain: string) => string | null, addressOf: (host: string) => string | null): Promise<TestDnsServer> {
  return openDnsServer((query: SeenQuery) => {
    const name = query.name.toLowerCase()
    const host = query.type === TYPE.MX ? hostOf(name) : null
    const address = query.type === TYPE.A ? addressOf(name) : null
    if (host !== null) return [answerTo(query, { answers: [mx(query.name, 10, host)] })]
    if (address !== null) return [answerTo(query, { answers: [a(query.name, address)] })]
    const exists = hostOf(name) !== null || addressOf(name) !== null
    return [answerTo(query, { flags: exists ? ANSWER : ANSWER | NXDOMAIN, authorities: [soa('test', 60)] })]
  })
}
