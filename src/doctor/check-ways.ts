/**
 * The ways out: port 25, relays with their certificate and login, what the resolver can do, the clock.
 */
import { type Finding, findings, SERVER_GROUP } from './finding.ts'
import type { ProbeResult, RelaySubject, Subject } from './subject.ts'

/** Peers' clocks and the way of a greeting differ by less. */
const CLOCK_OFF_MS = 60_000

export async function checkPort25({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('port25', SERVER_GROUP)
  if (facts.port25Host === null) {
    if (!facts.delivery.direct) return [say.skipped('mail leaves through relays: port 25 is not needed')]
    return [say.skipped('nobody was chosen to be asked', 'Name the mail server of somebody you write to: postern doctor port25 --port25 mx.example.net')]
  }
  const result = await parts.probePort25(facts.port25Host)
  if (result.kind === 'reached') return [say.ok(`port 25 of ${result.host} [${result.address}] answers${result.tls === null ? '' : `, ${result.tls}`}`)]
  return [
    say.fault(
      `port 25 of ${facts.port25Host} cannot be reached: ${result.reason}`,
      'Many providers block port 25 outward: ask yours to open it, or deliver through a relay on port 465 or 587 (postern init).',
    ),
  ]
}

export async function checkRelays({ facts, parts }: Subject): Promise<readonly Finding[]> {
  if (facts.relays.length === 0) return [findings('relay', SERVER_GROUP).skipped('no relay is configured')]
  const lists = await Promise.all(
    facts.relays.map((relay) => {
      const logins = relay.logins.length === 0 ? [null] : relay.logins
      return Promise.all(logins.map(async (login) => judgeProbe(relay, login, await parts.probeRelay(relay.name, login))))
    }),
  )
  return lists.flat()
}

function judgeProbe({ name, hosts }: RelaySubject, login: string | null, result: ProbeResult): Finding {
  const say = findings('relay', `relay ${name}`)
  const as = login === null ? '' : ` as ${login}`
  if (result.kind === 'failed') {
    if (result.phase === 'auth')
      return say.fault(`${hosts[0] ?? name} refuses the login${as}: ${result.reason}`, 'Check username and password (an app password may have been revoked).')
    return say.fault(`${hosts[0] ?? name} cannot be used${as}: ${result.reason}`, adviceFor(result.phase))
  }
  const reached = `${result.host} [${result.address}] answers`
  const loggedIn = result.login === null ? '' : `, login${as} is accepted`
  if (result.certificate === 'untrusted') {
    return say.warning(
      `${reached}${loggedIn}, but its certificate is not trusted: ${result.certificateFault ?? 'unknown'}`,
      'Set `tls: verify`, with `ca` if the relay has its own authority.',
    )
  }
  if (result.certificate === 'none' && result.address !== '127.0.0.1' && result.address !== '::1') {
    return say.warning(`${reached}${loggedIn}, without TLS: anybody on the way can read the mail`, 'Ask the operator of the relay for STARTTLS or port 465.')
  }
  return say.ok(`${reached}${result.tls === null ? '' : `, ${result.tls}`}${loggedIn}`)
}

function adviceFor(phase: string): string {
  if (phase === 'mx-lookup') return 'Check the name of the host, and the finding `resolver`.'
  if (phase === 'connect') return 'Check host and port, and whether a firewall lets the connection out.'
  if (phase === 'starttls' || phase === 'tls-policy')
    return 'Check the certificate of the relay; `tls.ca` names the authority to trust, `tls.serverName` the name.'
  return 'See what it answers: postern trace --live'
}

export async function checkResolver({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('resolver', SERVER_GROUP)
  const names = [facts.hostname, ...facts.senders.map(({ domain }) => domain)]
  const answers = await Promise.all(names.slice(0, 5).map((name) => parts.dns.mx(name)))
  const fault = answers.find((answer) => answer.kind === 'fault')
  if (fault?.kind === 'fault' && answers.every((answer) => answer.kind === 'fault')) {
    return [say.fault(`the DNS does not answer: ${fault.code}, ${fault.message}`, 'Check `dns.servers`, or the name servers in /etc/resolv.conf.')]
  }
  if (!facts.delivery.direct) return [say.ok('the DNS answers')]
  if (facts.validatingAsked && !parts.dns.validates) {
    return [
      say.warning(
        'the resolver is configured as validating, but is not reached over loopback: its word is not taken, and DANE is off',
        'Run a validating resolver here (unbound), then: postern config set dns.servers "[127.0.0.1]"',
      ),
    ]
  }
  if (!parts.dns.validates) {
    return [
      say.warning(
        'the DNS answers, but is not known to validate: DANE is off, and forged answers can lead mail astray',
        'Run a validating resolver here (unbound), then: postern config set dns.servers "[127.0.0.1]" and postern config set dns.validating true',
      ),
    ]
  }
  if (answers.some((answer) => answer.kind !== 'fault' && answer.secure)) return [say.ok('the resolver validates: DANE and MTA-STS can be used')]
  const root = await parts.dns.txt('.')
  if (root.kind !== 'fault' && root.secure) return [say.ok('the resolver validates: DANE and MTA-STS can be used')]
  return [
    say.warning(
      'the resolver is configured as validating, but no answer was marked as validated',
      'Check that it validates: dig +dnssec . SOA shows the flag ad.',
    ),
  ]
}

export async function checkClock({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('clock', SERVER_GROUP)
  const results = await Promise.all([
    ...facts.relays.slice(0, 3).map(({ name }) => parts.probeRelay(name, null)),
    ...(facts.port25Host === null ? [] : [parts.probePort25(facts.port25Host)]),
  ])
  const told = results.flatMap(({ greeting }) => dateIn(greeting ?? ''))
  const [theirs] = told.toSorted((a, b) => Math.abs(a - facts.now) - Math.abs(b - facts.now))
  if (theirs !== undefined) {
    const offMs = facts.now - theirs
    if (Math.abs(offMs) <= CLOCK_OFF_MS) return [say.ok('the clock agrees with that of a peer')]
    const seconds = Math.round(Math.abs(offMs) / 1000)
    return [
      say.fault(`the clock is ${seconds} s ${offMs > 0 ? 'ahead of' : 'behind'} that of a peer`, 'Let it be set by NTP: install chrony or systemd-timesyncd.'),
    ]
  }
  if (facts.clockSynchronised === true) return [say.ok('the clock is set by NTP')]
  if (facts.clockSynchronised === false) return [say.warning('the clock is not set by NTP, and no peer told its time', 'Install chrony or systemd-timesyncd.')]
  return [say.skipped('no peer told its time, and the system does not say whether NTP sets the clock')]
}

/** Some servers put the date of RFC 5322 §3.3 into their greeting. */
export function dateIn(greeting: string): readonly number[] {
  const found = /(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d [+-]\d{4}/.exec(
    greeting,
  )
  const at = found === null ? Number.NaN : Date.parse(found[0])
  return Number.isNaN(at) ? [] : [at]
}
