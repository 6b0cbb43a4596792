/**
 * A resolver with a clock that stands still, and scripted servers.
 */
import { onTestFinished } from 'vitest'
import { createDnsResolver, type DnsClient, type DnsSettings } from '../../../src/net/dns/dns-resolver.ts'
import { answerTo, type Script, type SeenQuery, startDnsServer, type TestAnswer, type TestDnsServer } from '../../support/dns-server.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'

export interface Rig {
  readonly clock: FakeClock
  readonly server: TestDnsServer
  readonly dns: DnsClient
  readonly settings: DnsSettings
}

/** `reply`: what to say to each question, or a script for odd servers. */
export async function makeRig(reply: (query: SeenQuery) => TestAnswer | readonly Buffer[] | 'close', over: Partial<DnsSettings> = {}): Promise<Rig> {
  const script: Script = (query) => {
    const said = reply(query)
    return said === 'close' || Array.isArray(said) ? (said as readonly Buffer[] | 'close') : [answerTo(query, said as TestAnswer)]
  }
  const server = await startDnsServer(script)
  const clock = createFakeClock()
  const settings = makeSettings({ servers: [server], ...over })
  const dns = createDnsResolver({ settings, clock, systemServers: () => [] })
  onTestFinished(() => dns.close())
  return { clock, server, dns, settings }
}

export function makeSettings(over: Partial<DnsSettings> = {}): DnsSettings {
  return {
    servers: null,
    validating: false,
    timeoutMs: 5_000,
    cacheEntriesMax: 100,
    positiveMaxMs: 86_400_000,
    negativeMaxMs: 900_000,
    ...over,
  }
}
