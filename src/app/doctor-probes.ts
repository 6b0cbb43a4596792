/**
 * Sessions that the doctor opens: with relays, and with somebody's port 25. Each is opened once.
 *
 * As a delivery would open it, by the same code; nothing is sent.
 */
import { createHmac } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { TlsFacts } from '../core/outcome.ts'
import type { RelaySettings, Route } from '../core/route.ts'
import type { DoctorParts, ProbeResult } from '../doctor/subject.ts'
import { createHostResolver } from '../net/host-resolver.ts'
import { createDialer } from '../net/node-dialer.ts'
import { type HostProbe, type ProbeParts, probeHost } from '../transports/host-probe.ts'
import { type HostTarget, RelayTargets } from '../transports/relay-target.ts'
import type { ServerSettings } from './settings.ts'

/** Less than a check may take (`doctor/examine.ts`). */
const PROBE_MS = 40_000

export function createProbes(settings: ServerSettings, clock: Clock): Pick<DoctorParts, 'probeRelay' | 'probePort25'> {
  const journal = { accepted: () => undefined, attempt: () => undefined, note: () => undefined }
  const parts: ProbeParts = {
    dialer: createDialer({ clock }),
    resolver: createHostResolver({ clock }),
    clock,
    journal,
    hmacMd5: (key, text) => createHmac('md5', key).update(text).digest('hex'),
  }
  const targets = new RelayTargets()
  const asked = new Map<string, Promise<ProbeResult>>()
  const once = (key: string, probe: () => Promise<ProbeResult>): Promise<ProbeResult> => {
    const known = asked.get(key) ?? withinTime(clock, probe())
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
    probePort25: (host) => once(`port25 ${host}`, () => probeInTurn(parts, targets.of(port25Route(settings, host)), null)),
  }
}

/** One relay that is silent at all of its addresses must not take the others' findings with it. */
function withinTime(clock: Clock, probe: Promise<ProbeResult>): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    const late: ProbeResult = { kind: 'failed', phase: 'connect', reason: `no answer within ${PROBE_MS / 1000} s`, greeting: null }
    const cancel = clock.after(PROBE_MS, () => resolve(late))
    probe.then(resolve, reject).finally(cancel)
  })
}

/** The first host that answers counts, as in delivery. */
async function probeInTurn(parts: ProbeParts, targets: readonly HostTarget[], login: string | null): Promise<ProbeResult> {
  let last: ProbeResult = { kind: 'failed', phase: 'route', reason: 'there is no host', greeting: null }
  for (const target of targets) {
    last = probeResult(await probeHost(parts, target), login)
    if (last.kind === 'reached') break
  }
  return last
}

function probeResult(probe: HostProbe, login: string | null): ProbeResult {
  if (probe.kind === 'failed') return probe
  const { host, address, tls, greeting } = probe
  return {
    kind: 'reached',
    host,
    address,
    tls: tls === null ? null : describeTls(tls),
    certificate: tls === null ? 'none' : tls.trust === 'untrusted' ? 'untrusted' : 'verified',
    certificateFault: tls?.trustFault ?? null,
    login,
    greeting,
  }
}

function describeTls({ protocol, cipher, trust }: TlsFacts): string {
  return `${protocol} ${cipher}, certificate ${trust}`
}

/** As a delivery by MX would dial it, whatever the certificate. */
function port25Route({ hostname, delivery }: ServerSettings, host: string): Route & { readonly kind: 'relay' } {
  const { limits, timeouts } = delivery.direct
  const relay: RelaySettings = {
    name: 'port25',
    hosts: [{ host, port: 25, implicitTls: false }],
    tls: { level: 'may', ca: null, serverName: null, minVersion: 'TLSv1.2' },
    heloName: hostname,
    sourceAddress: null,
    limits,
    timeouts,
  }
  return { kind: 'relay', relay, credential: null }
}
