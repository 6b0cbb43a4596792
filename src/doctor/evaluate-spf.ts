/**
 * SPF by the library, through our own resolver (RFC 7208). Loaded only when somebody asks the doctor.
 */
import { spf } from 'mailauth/lib/spf/index.js'
import type { DnsAnswer, DnsResolver } from '../ports/dns-resolver.ts'
import type { SpfAnswer, SpfQuestion } from './subject.ts'

/** RFC 7208 §4.6.4: at least 20 s for the whole evaluation. */
const EVALUATION_MS = 20_000

export function createSpfEvaluation(dns: DnsResolver): (question: SpfQuestion) => Promise<SpfAnswer> {
  return async ({ address, heloName, domain, instead }) => {
    const resolver = async (name: string, type: string): Promise<unknown> =>
      instead !== undefined && type === 'TXT' && name.toLowerCase() === instead.name ? [[instead.text]] : askAsNode(dns, name, type)
    const result = await spf({
      sender: domain === null ? `postmaster@${heloName}` : `postmaster@${domain}`,
      ip: address,
      helo: heloName,
      mta: heloName,
      resolver: resolver as never,
      maxElapsedTime: EVALUATION_MS,
      strict: true,
    })
    const { result: verdict, comment } = result.status
    return { result: verdict as SpfAnswer['result'], ...reasonIn(comment ?? verdict) }
  }
}

/** The library's sentence names the domain and the address, which whoever shows it has said already. */
function reasonIn(comment: string): Pick<SpfAnswer, 'reason' | 'limit'> {
  const reason = /during lookup of \S+: (.*)$/s.exec(comment)?.[1] ?? comment
  if (reason === 'Too many DNS requests') return { reason: 'it needs more than ten look-ups', limit: 'look-ups' }
  if (reason === 'Too many void DNS results') return { reason: 'more than two names in it do not exist', limit: 'missing-names' }
  return { reason, limit: null }
}

/** Answers and errors as `dns.promises.resolve` gives them, which is what the library wants. */
async function askAsNode(dns: DnsResolver, name: string, type: string): Promise<unknown> {
  switch (type) {
    case 'TXT':
      return recordsOf(await dns.txt(name)).map((text) => [text])
    case 'A':
      return recordsOf(await dns.addresses(name, 4))
    case 'AAAA':
      return recordsOf(await dns.addresses(name, 6))
    case 'MX':
      return recordsOf(await dns.mx(name)).map(({ exchange, preference }) => ({ exchange, priority: preference }))
    default:
      throw nodeError('ENODATA', `no ${type} records are asked for`)
  }
}

function recordsOf<Value>(answer: DnsAnswer<Value>): readonly Value[] {
  if (answer.kind === 'records') return answer.records
  if (answer.kind === 'none') throw nodeError(answer.why === 'no-such-name' ? 'ENOTFOUND' : 'ENODATA', 'there is none')
  throw nodeError(answer.code === 'TIMEOUT' ? 'ETIMEOUT' : 'ESERVFAIL', answer.message)
}

function nodeError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
