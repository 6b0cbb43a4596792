/**
 * Sessions that the doctor opens: with relays, and with somebody's port 25. Each is opened once.
 *
 * As a delivery would open it, by the same code; nothing is sent.
 */
import { createHmac, type X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { Clock } from '../core/clock.ts'
import type { TlsFacts } from '../core/outcome.ts'
import type { Destination, HostAddress, Route, TlsRequirement } from '../core/route.ts'
import { withinTime } from '../core/within-time.ts'
import type { DoctorParts, ProbeResult } from '../doctor/subject.ts'
import { createHostResolver } from '../net/host-resolver.ts'
import { createDialer } from '../net/node-dialer.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'
import { type HostProbe, type ProbeParts, probeHost } from '../transports/host-probe.ts'
import { isFamilyOff } from '../transports/mx-policy.ts'
import { type HostTarget, RelayTargets } from '../transports/relay-target.ts'
import type { ServerSettings } from './settings.ts'

/** Less than a check may take (`doctor/examine.ts`). */
const PROBE_MS = 40_000

export function createProbes(settings: ServerSettings, dns: DnsResolver, clock: Clock): Pick<DoctorParts, 'probeRelay' | 'probePort25'> {
  const journal = { accepted: () => undefined, attempt: () => undefined, note: () => undefined }
  const parts: Omit<ProbeParts, 'dialer'> = {
    resolver: createHostResolver({ clock }),
    clock,
    journal,
    hmacMd5: (key, text) => createHmac('md5', key).update(text).digest('hex'),
  }
  const targets = new RelayTargets()
  const asked = new Map<string, Promise<ProbeResult>>()
  const once = (key: string, probe: () => Promise<ProbeResult>): Promise<ProbeResult> => {
    const known = asked.get(key) ?? withinTime(probe(), clock, PROBE_MS, LATE)
    asked.set(key, known)
    return known
  }
  return {
    probeRelay: (name, login) =>
      once(`${name} ${login ?? ''}`, async () => {
        const relay = settings.delivery.relays.get(name)
        if (relay === undefined) return { kind: 'failed', phase: 'route', reason: 'there is no such relay', greeting: null }
        const credential = relay.credentials.find((one) => one.credential.name === login)?.credential ?? null
        return probeInTurn(parts, targets.of({ kind: 'relay', relay: relay.settings, credential }), login)
      }),
    probePort25: (host) =>
      once(`port25 ${host}`, async () => {
        const route = await routeTo(host, settings, dns)
        if (route === null) return { kind: 'failed', phase: 'mx-lookup', reason: 'it has no address that can be used from here', greeting: null }
        return probeInTurn(parts, targets.of(route), null)
      }),
  }
}

/** One relay that is silent at all of its addresses must not take the others' findings with it. */
const LATE: ProbeResult = { kind: 'failed', phase: 'connect', reason: `no answer within ${PROBE_MS / 1000} s`, greeting: null }

/** The first host that answers counts, as in delivery. */
async function probeInTurn(parts: Omit<ProbeParts, 'dialer'>, targets: readonly HostTarget[], login: string | null): Promise<ProbeResult> {
  let last: ProbeResult = { kind: 'failed', phase: 'route', reason: 'there is no host', greeting: null }
  for (const target of targets) {
    let certificate: X509Certificate | null = null
    const dialer = createDialer({
      clock: parts.clock,
      certificateSeen: (seen) => {
        certificate = seen
      },
    })
    last = probeResult(await probeHost({ ...parts, dialer }, target), login, certificate)
    if (last.kind === 'reached') break
  }
  return last
}

function probeResult(probe: HostProbe, login: string | null, certificate: X509Certificate | null): ProbeResult {
  if (probe.kind === 'failed') return probe
  const { host, address, tls, greeting } = probe
  return {
    kind: 'reached',
    host,
    address,
    tls: tls === null ? null : describeTls(tls),
    certificate: tls === null ? 'none' : tls.trust === 'untrusted' ? 'untrusted' : 'verified',
    certificateFault: tls?.trustFault ?? null,
    certificateTime: certificate === null ? null : { from: certificate.validFromDate.getTime(), until: certificate.validToDate.getTime() },
    login,
    greeting,
  }
}

function describeTls({ protocol, cipher, trust }: TlsFacts): string {
  return `${protocol} ${cipher}, certificate ${trust}`
}

/** As a delivery to that host would dial it: names by our own resolver, our side by address family; whatever the certificate. */
async function routeTo(host: string, { delivery, mxPolicy }: ServerSettings, dns: DnsResolver): Promise<(Route & { readonly kind: 'mx' }) | null> {
  const [first, ...rest] = (await addressesOf(host, dns)).filter(({ family }) => !isFamilyOff(family, mxPolicy))
  if (first === undefined) return null
  const tls: TlsRequirement = { level: 'may', ca: null, serverName: null, minVersion: 'TLSv1.2' }
  const hosts: Destination['hosts'] = [{ name: host, preference: 0, addresses: [first, ...rest], tls }]
  return { kind: 'mx', direct: delivery.direct, destination: { domain: host, site: host, hosts, goodUntilMs: Number.POSITIVE_INFINITY } }
}

async function addressesOf(host: string, dns: DnsResolver): Promise<readonly HostAddress[]> {
  const family = isIP(host)
  if (family === 4 || family === 6) return [{ address: host, family }]
  const answers = await Promise.all(([6, 4] as const).map(async (one) => ({ one, answer: await dns.addresses(host, one) })))
  return answers.flatMap(({ one, answer }) => (answer.kind === 'records' ? answer.records.map((address) => ({ address, family: one })) : []))
}
