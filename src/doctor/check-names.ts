/**
 * Our own name: fully qualified, resolving, and what each egress address says back (row 10 of the product).
 *
 * Receivers refuse mail from addresses without a PTR record, or whose PTR name does not lead back
 * (forward-confirmed reverse DNS, RFC 1912 §2.1).
 */
import { parseIp } from '../core/ip-address.ts'
import { reverseName } from '../core/reverse-name.ts'
import type { DnsAnswer } from '../ports/dns-resolver.ts'
import { type DnsLine, type Finding, findings, SERVER_GROUP } from './finding.ts'
import type { EgressAddress, Subject } from './subject.ts'

/** Of PTR records; receivers look at few, too (RFC 7208 §4.6.4: ten). */
const NAMES_MAX = 10

export async function checkHostname({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('hostname', SERVER_GROUP)
  const { hostname, delivery } = facts
  if (!isFullyQualified(hostname)) {
    const says = `${hostname} is not a fully qualified name`
    const remedy = 'Set it to the full name of this server: postern config set hostname mail.example.com'
    return [delivery.direct ? say.fault(says, remedy) : say.warning(`${says}: some relays refuse it in EHLO, and reports come from it`, remedy)]
  }
  const answers = await Promise.all(([4, 6] as const).map((family) => parts.dns.addresses(hostname, family)))
  const known = answers.flatMap((answer) => (answer.kind === 'records' ? answer.records : []))
  const fault = answers.find((answer) => answer.kind === 'fault')
  if (known.length === 0 && fault !== undefined) return [say.skipped(`the DNS could not be asked about ${hostname}: ${textOf(fault)}`, RESOLVER_ADVICE)]
  if (!delivery.direct) return [judgeBehindRelay(hostname, known)]
  return judgeAddresses(hostname, known, visibleOf(facts.egress))
}

function isFullyQualified(name: string): boolean {
  return name.includes('.') && parseIp(name) === null && !/\.(?:local|localdomain|localhost|invalid)$/i.test(name)
}

/** Receivers see the relay. Our name is left in Received, in Message-ID and, as a rule, in From of reports. */
function judgeBehindRelay(hostname: string, known: readonly string[]): Finding {
  const say = findings('hostname', SERVER_GROUP)
  if (known.length > 0) return say.ok(`${hostname} is fully qualified and resolves to ${known.join(', ')}`)
  return say.warning(
    `${hostname} does not resolve: receivers may refuse reports that come from it`,
    'Add an address record for it, or let reports come from a domain that has one: postern config set dsn.from postmaster@example.com',
  )
}

function judgeAddresses(hostname: string, known: readonly string[], visible: readonly EgressAddress[]): readonly Finding[] {
  const say = findings('hostname', SERVER_GROUP)
  const missing = visible.filter(({ address }) => !known.some((one) => isSameAddress(one, address)))
  if (known.length === 0) {
    const says = `${hostname} does not resolve`
    if (missing.length === 0) return [say.fault(says, 'Add an address record for it.')]
    return missing.map((one) => say.fault(says, 'Add this record.', addressLine(hostname, one)))
  }
  if (missing.length === 0) return [say.ok(`${hostname} is fully qualified and resolves to ${known.join(', ')}`)]
  return missing.map((one) => {
    const key = one.family === 4 ? 'direct.ipv4.source' : 'direct.ipv6.source'
    return say.warning(
      `${hostname} resolves to ${known.join(', ')}, but mail leaves from ${one.address}`,
      `Add this record, or let mail leave from the address that the name has: ${key}.`,
      addressLine(hostname, one),
    )
  })
}

export async function checkPtr({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('ptr', SERVER_GROUP)
  if (!facts.delivery.direct) return [say.skipped('mail leaves through relays: their addresses are what receivers see')]
  const visible = visibleOf(facts.egress)
  if (visible.length === 0) return [say.skipped('no public address of this server is known', NO_ADDRESS)]
  return Promise.all(visible.map((one) => ptrOf(one, { facts, parts })))
}

async function ptrOf(one: EgressAddress, { parts }: Subject): Promise<Finding> {
  const { address, family, heloName } = one
  const say = findings('ptr', SERVER_GROUP)
  const record = { name: reverseName(address) ?? address, type: 'PTR' as const, value: heloName }
  const who = 'Whoever gave you the address (hosting provider, data centre) sets it, usually in their control panel.'
  const answer = await parts.dns.ptr(address)
  if (answer.kind === 'fault') return say.skipped(`the DNS could not be asked for the PTR record of ${address}: ${textOf(answer)}`, RESOLVER_ADVICE)
  if (answer.kind === 'none') return say.fault(`${address} has no PTR record: many receivers refuse its mail`, who, record)
  const forward = await Promise.all(answer.records.slice(0, NAMES_MAX).map(async (name) => ({ name, back: await parts.dns.addresses(name, family) })))
  const confirmed = forward.filter(({ back }) => back.kind === 'records' && back.records.some((other) => isSameAddress(other, address))).map(({ name }) => name)
  if (confirmed.length === 0) {
    const unasked = forward.find(({ back }) => back.kind === 'fault')
    if (unasked?.back.kind === 'fault') return say.skipped(`the DNS could not be asked about ${unasked.name}: ${textOf(unasked.back)}`, RESOLVER_ADVICE)
    const says = `${address} points to ${answer.records.join(', ')}, which does not resolve back to it`
    // The PTR record is right already: it is the name that has to lead back.
    if (answer.records.includes(heloName)) return say.fault(says, 'Add this record.', addressLine(heloName, one))
    return say.fault(says, `Put this PTR record in its place. ${who}`, record)
  }
  if (!confirmed.includes(heloName)) {
    return say.warning(
      `${address} is ${confirmed.join(', ')}, but the server calls itself ${heloName}`,
      `Better one name for both: put this PTR record in its place. ${who}`,
      record,
    )
  }
  return say.ok(`${address} is ${heloName}, both ways`)
}

export const RESOLVER_ADVICE = 'See the finding `resolver`, and try again.'

export function textOf({ code, message }: DnsAnswer<unknown> & { readonly kind: 'fault' }): string {
  return message.includes(code) ? message : `${code}, ${message}`
}

function addressLine(name: string, { address, family }: EgressAddress): DnsLine {
  return { name, type: family === 4 ? 'A' : 'AAAA', value: address }
}

/** Addresses of ours that receivers see. */
export function visibleOf(egress: readonly EgressAddress[]): readonly EgressAddress[] {
  return egress.filter((one) => one.isPublic)
}

export const NO_ADDRESS = 'Behind NAT, name the address others see: postern doctor --address 192.0.2.1'

/** However they are written. */
function isSameAddress(a: string, b: string): boolean {
  const [left, right] = [parseIp(a), parseIp(b)]
  return left !== null && right !== null && left.family === right.family && left.value === right.value
}
