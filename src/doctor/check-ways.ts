/**
 * The ways out: port 25, relays with their certificate and login, what the resolver can do, the clock.
 */
import { parseIp } from '../core/ip-address.ts'
import type { DnsAnswer, DnsResolver } from '../ports/dns-resolver.ts'
import { textOf } from './check-names.ts'
import { type Finding, findings, SERVER_GROUP } from './finding.ts'
import type { ProbeResult, RelaySubject, Subject } from './subject.ts'

/** Peers' clocks and the way of a greeting differ by less. */
const CLOCK_OFF_MS = 60_000
/** Certificates are renewed weeks before their end; those that live for days only, at half of it. */
const CERTIFICATE_SOON_MS = 7 * 24 * 3_600_000
/** A signed zone that is always there. */
const SIGNED_NAME = 'arpa'
const NAMES_ASKED_MAX = 5

export async function checkPort25({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('port25', SERVER_GROUP)
  if (facts.port25Host === null) {
    if (!facts.delivery.direct) return [say.skipped('mail leaves through relays: port 25 is not needed')]
    return [say.skipped('nobody was chosen to be asked', 'Name the mail server of somebody you write to: postern doctor port25 --port25 mx.example.net')]
  }
  const { host, of } = await mailServerOf(facts.port25Host, parts.dns)
  const result = await parts.probePort25(host)
  if (result.kind === 'reached') return [say.ok(`port 25 of ${result.host}${of} [${result.address}] answers${result.tls === null ? '' : `, ${result.tls}`}`)]
  if (result.phase === 'mx-lookup') return [say.skipped(`${host}${of} cannot be asked: ${result.reason}`, 'Check the name, or choose somebody else.')]
  if (result.phase !== 'connect') {
    return [
      say.warning(
        `port 25 of ${host}${of} is open, but it does not want to talk with us: ${result.reason}`,
        'Its answer may name the reason; look whether our address is on a block list, and at the findings `ptr` and `hostname`. Then try somebody else.',
      ),
    ]
  }
  return [
    say.fault(
      `port 25 of ${host}${of} cannot be reached: ${result.reason}`,
      'Many providers block port 25 outward: ask yours to open it, or deliver through a relay on port 465 or 587 (postern init). If only this host is silent, try another one.',
    ),
  ]
}

/** Who takes the mail of that name: people tend to name the domain. */
async function mailServerOf(name: string, dns: DnsResolver): Promise<{ readonly host: string; readonly of: string }> {
  if (parseIp(name) !== null) return { host: name, of: '' }
  const answer = await dns.mx(name)
  const [best] = answer.kind === 'records' ? answer.records.toSorted((a, b) => a.preference - b.preference) : []
  return best === undefined || best.exchange === '' ? { host: name, of: '' } : { host: best.exchange, of: ` (MX of ${name})` }
}

export async function checkRelays({ facts, parts }: Subject): Promise<readonly Finding[]> {
  if (facts.relays.length === 0) return [findings('relay', SERVER_GROUP).skipped('no relay is configured')]
  const lists = await Promise.all(
    facts.relays.map((relay) => {
      const logins = relay.logins.length === 0 ? [null] : relay.logins
      return Promise.all(logins.map(async (login) => judgeProbe(relay, { login, result: await parts.probeRelay(relay.name, login), now: facts.now })))
    }),
  )
  return lists.flat()
}

interface Probed {
  readonly login: string | null
  readonly result: ProbeResult
  readonly now: number
}

function judgeProbe({ name, hosts, local }: RelaySubject, { login, result, now }: Probed): Finding {
  const say = findings('relay', `relay ${name}`)
  const as = login === null ? '' : ` as ${login}`
  if (result.kind === 'failed') {
    if (result.phase === 'auth')
      return say.fault(`${hosts[0] ?? name} refuses the login${as}: ${result.reason}`, 'Check username and password (an app password may have been revoked).')
    return say.fault(`${hosts[0] ?? name} cannot be used${as}: ${result.reason}`, adviceFor(result.phase))
  }
  const reached = `${result.host} [${result.address}] answers`
  const loggedIn = result.login === null ? '' : `, login${as} is accepted`
  if (local) return say.ok(`${reached}${result.tls === null ? '' : `, ${result.tls}`}${loggedIn}`)
  if (result.certificate === 'untrusted') {
    return say.warning(
      `${reached}${loggedIn}, but its certificate is not trusted: ${result.certificateFault ?? 'unknown'}`,
      `If the relay has an authority of its own, name it (relays.${name}.tls.ca); then demand it: postern config set relays.${name}.tls.level verify`,
    )
  }
  if (result.certificate === 'none') {
    return say.warning(`${reached}${loggedIn}, without TLS: anybody on the way can read the mail`, 'Ask the operator of the relay for STARTTLS or port 465.')
  }
  const ends = endsSoon(result.certificateTime, now)
  if (ends !== null) {
    return say.warning(
      `${reached}${loggedIn}, but its certificate is good until ${ends} only`,
      'Tell the operator of the relay; where a right certificate is demanded (tls: verify), mail will wait from then on.',
    )
  }
  return say.ok(`${reached}${result.tls === null ? '' : `, ${result.tls}`}${loggedIn}`)
}

/** The day; null: there is time. */
function endsSoon(time: { readonly from: number; readonly until: number } | null, now: number): string | null {
  if (time === null || time.until - now >= Math.min(CERTIFICATE_SOON_MS, (time.until - time.from) / 4)) return null
  return new Date(time.until).toISOString().slice(0, 10)
}

function adviceFor(phase: string): string {
  if (phase === 'mx-lookup') return 'Check the name of the host. Relays are looked up by the system: /etc/hosts, /etc/resolv.conf.'
  if (phase === 'connect') return 'Check host and port, and whether a firewall lets the connection out.'
  if (phase === 'starttls' || phase === 'tls-policy')
    return 'Check the certificate of the relay; `tls.ca` names the authority to trust, `tls.serverName` the name.'
  if (phase === 'greeting' || phase === 'ehlo')
    return 'Something answers there, but not as a mail server does: check the port, and TLS from the first byte (465).'
  return 'Its answer says why; else ask the operator of the relay.'
}

export async function checkResolver({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('resolver', SERVER_GROUP)
  const names = [facts.hostname, ...facts.senders.map(({ domain }) => domain)].filter((name) => name.includes('.'))
  const asked = [...names.slice(0, NAMES_ASKED_MAX), SIGNED_NAME]
  const answers = await Promise.all(asked.map((name) => parts.dns.mx(name)))
  const fault = answers.find((answer) => answer.kind === 'fault')
  if (fault?.kind === 'fault' && answers.every((answer) => answer.kind === 'fault')) {
    const says = `the DNS does not answer: ${textOf(fault)}`
    const remedy = 'Check `dns.servers`, or the name servers in /etc/resolv.conf.'
    return [facts.delivery.direct ? say.fault(says, remedy) : say.warning(`${says}; relays are found by the system, but nothing else can be examined`, remedy)]
  }
  const broken = asked.flatMap((name, i) => {
    const answer = answers[i]
    return answer?.kind === 'fault' && name !== SIGNED_NAME ? [judgeBroken(name, answer)] : []
  })
  if (!facts.delivery.direct) return broken.length > 0 ? broken : [say.ok('the DNS answers')]
  const isSecure = answers.some((answer) => answer.kind !== 'fault' && answer.secure)
  return [judgeValidation(isSecure, { facts, parts }), ...broken, ...(await judgeTypes({ facts, parts }))]
}

/** The DNS works, but not for a name of ours: then it works for no receiver either. */
function judgeBroken(name: string, fault: DnsAnswer<unknown> & { readonly kind: 'fault' }): Finding {
  const say = findings('resolver', SERVER_GROUP)
  const says = `${name} cannot be looked up: ${textOf(fault)}`
  if (fault.code !== 'SERVFAIL') return say.warning(says, 'Try again; if it stays so, ask whoever runs the DNS of that domain.')
  return say.fault(
    `${says}. Receivers that ask will not get further`,
    'Ask whoever runs the DNS of that domain; signatures (DNSSEC) that are wrong or too old are the usual reason.',
  )
}

/** DANE binds only where a validating resolver on this machine says so (RFC 7672 §2.1.1). */
function judgeValidation(isSecure: boolean, { facts, parts }: Subject): Finding {
  const say = findings('resolver', SERVER_GROUP)
  const set = 'postern config set dns.servers "[127.0.0.1]"'
  if (facts.validatingAsked && !parts.dns.validates) {
    return say.warning(
      'the resolver is configured as validating, but is not reached over loopback: its word is not taken, and DANE is off',
      `Run a validating resolver here (unbound), then: ${set}`,
    )
  }
  if (!parts.dns.validates) {
    return say.warning(
      'the DNS answers, but is not known to validate: DANE is off, and forged answers can lead mail astray. MTA-STS can be used',
      `Run a validating resolver here (unbound), then: ${set} and postern config set dns.validating true`,
    )
  }
  if (isSecure) return say.ok('the resolver validates: DANE and MTA-STS can be used')
  return say.warning(
    'the resolver is configured as validating, but no answer was marked as validated: DANE is off in effect',
    `Check that it validates: dig +dnssec ${SIGNED_NAME} SOA shows the flag ad.`,
  )
}

/** A resolver that drops such questions makes mail wait: a failed look-up of TLSA defers (RFC 7672 §2.1.2). */
async function judgeTypes({ parts: { dns } }: Subject): Promise<readonly Finding[]> {
  const [known, policy, tlsa] = await Promise.all([
    dns.mx(SIGNED_NAME),
    dns.txt(`_mta-sts.${SIGNED_NAME}`),
    dns.validates ? dns.tlsa(`_25._tcp.${SIGNED_NAME}`) : null,
  ])
  // A DNS of one's own may know nothing of the world; then nothing follows.
  if (known.kind === 'fault') return []
  const failed = [
    ...(policy.kind === 'fault' ? ['TXT of _mta-sts (MTA-STS is off in effect)'] : []),
    ...(tlsa?.kind === 'fault' ? ['TLSA (mail for signed domains waits)'] : []),
  ]
  if (failed.length === 0) return []
  const remedy = 'A firewall or an old name server may drop them: choose another one (`dns.servers`).'
  return [findings('resolver', SERVER_GROUP).warning(`the resolver does not answer questions for ${failed.join(' and ')}`, remedy)]
}

export async function checkClock({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('clock', SERVER_GROUP)
  const results = await Promise.all([
    // The same session as for `relay`: nobody is asked twice.
    ...facts.relays.slice(0, 3).map(({ name, logins }) => parts.probeRelay(name, logins[0] ?? null)),
    ...(facts.port25Host === null ? [] : [mailServerOf(facts.port25Host, parts.dns).then(({ host }) => parts.probePort25(host))]),
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
