/**
 * Our own name: fully qualified, resolving, and what each egress address says back (row 10 of the product).
 *
 * Receivers refuse mail from addresses without a PTR record, or whose PTR name does not lead back
 * (forward-confirmed reverse DNS, RFC 1912 §2.1).
 */
import type { DnsAnswer } from '../ports/dns-resolver.ts'
import { type Finding, findings, SERVER_GROUP } from './finding.ts'
import type { EgressAddress, Subject } from './subject.ts'

export async function checkHostname({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('hostname', SERVER_GROUP)
  const { hostname, egress } = facts
  if (!hostname.includes('.') || hostname.endsWith('.localdomain') || hostname.endsWith('.local')) {
    return [
      say.fault(`${hostname} is not a fully qualified name`, 'Set `hostname` to the full name of this server: postern config set hostname mail.example.com'),
    ]
  }
  const answers = await Promise.all(([4, 6] as const).map((family) => parts.dns.addresses(hostname, family)))
  const known = answers.flatMap((answer) => (answer.kind === 'records' ? answer.records : []))
  const reached = egress.filter(({ isPublic }) => isPublic)
  if (known.length > 0) return [judgeAddresses(hostname, known, reached)]
  const fault = answers.find((answer) => answer.kind === 'fault')
  if (fault !== undefined) return [say.skipped(`the DNS could not be asked about ${hostname}: ${textOf(fault)}`, RESOLVER_ADVICE)]
  const [first] = reached
  return [
    say.fault(
      `${hostname} does not resolve`,
      'Add an address record for it.',
      first === undefined ? undefined : { name: hostname, type: first.family === 4 ? 'A' : 'AAAA', value: first.address },
    ),
  ]
}

function judgeAddresses(hostname: string, known: readonly string[], reached: readonly EgressAddress[]): Finding {
  const say = findings('hostname', SERVER_GROUP)
  const foreign = reached.find(({ address }) => !known.includes(address))
  if (foreign === undefined) return say.ok(`${hostname} is fully qualified and resolves to ${known.join(', ')}`)
  return say.warning(
    `${hostname} resolves to ${known.join(', ')}, but mail leaves from ${foreign.address}`,
    'Let the name resolve to the address that mail leaves from, or name the address with `direct.source`.',
    { name: hostname, type: foreign.family === 4 ? 'A' : 'AAAA', value: foreign.address },
  )
}

export async function checkPtr({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('ptr', SERVER_GROUP)
  if (!facts.delivery.direct) return [say.skipped('mail leaves through relays: their addresses are what receivers see')]
  const visible = facts.egress.filter(({ isPublic }) => isPublic)
  if (visible.length === 0) {
    return [say.skipped('no public address of this server is known', 'Behind NAT, name the address others see: postern doctor --address 192.0.2.1')]
  }
  return Promise.all(visible.map((one) => ptrOf(one, { facts, parts })))
}

async function ptrOf({ address, family, heloName }: EgressAddress, { parts }: Subject): Promise<Finding> {
  const say = findings('ptr', SERVER_GROUP)
  const record = { name: reverseName(address), type: 'PTR' as const, value: heloName }
  const who = 'Whoever gave you the address (hosting provider, data centre) sets it, usually in their control panel.'
  const answer = await parts.dns.ptr(address)
  if (answer.kind === 'fault') return say.skipped(`the DNS could not be asked for the PTR record of ${address}: ${textOf(answer)}`, RESOLVER_ADVICE)
  if (answer.kind === 'none') return say.fault(`${address} has no PTR record: many receivers refuse its mail`, who, record)
  const forward = await Promise.all(answer.records.map(async (name) => ({ name, answer: await parts.dns.addresses(name, family) })))
  const confirmed = forward.filter(({ answer: back }) => back.kind === 'records' && back.records.includes(address)).map(({ name }) => name)
  if (confirmed.length === 0) {
    const names = answer.records.join(', ')
    return say.fault(`${address} points to ${names}, which does not resolve back to it`, `Let the PTR name and the address agree. ${who}`, record)
  }
  if (!confirmed.includes(heloName)) {
    return say.warning(`${address} is ${confirmed.join(', ')}, but the server calls itself ${heloName}`, `Better one name for both. ${who}`, record)
  }
  return say.ok(`${address} is ${heloName}, both ways`)
}

export const RESOLVER_ADVICE = 'See the finding `resolver`, and try again.'

export function textOf(answer: DnsAnswer<unknown> & { readonly kind: 'fault' }): string {
  return `${answer.code}, ${answer.message}`
}

/** `1.2.0.192.in-addr.arpa`, or nibbles under ip6.arpa (RFC 3596 §2.5). */
export function reverseName(address: string): string {
  if (!address.includes(':')) return `${address.split('.').toReversed().join('.')}.in-addr.arpa`
  const [head = '', tail] = address.toLowerCase().split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const middle = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  const nibbles = [...left, ...(tail === undefined ? [] : middle), ...right].map((group) => group.padStart(4, '0')).join('')
  return `${[...nibbles].toReversed().join('.')}.ip6.arpa`
}
