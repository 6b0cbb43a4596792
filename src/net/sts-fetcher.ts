/**
 * Fetches MTA-STS policies: HTTPS to mta-sts.DOMAIN, at addresses that our own resolver found.
 *
 * RFC 8461 §3.3: the certificate must be right for that name, there is no redirect, the file is plain
 * text of at most 64 KB. The address is checked before it is dialled, and the one that was checked is
 * dialled (W11): a stranger's DNS must not lead us into the local network.
 */

import type { IncomingMessage } from 'node:http'
import https, { type RequestOptions } from 'node:https'
import type { Clock } from '../core/clock.ts'
import { isCertificateFault } from '../core/network-words.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'
import type { StsFaultName, StsFetch, StsFetcher } from '../ports/sts-fetcher.ts'
import { checkCertificateName } from './certificate-name.ts'
import { faultOf, systemAuthorities } from './tls-client.ts'

export interface StsFetcherParts {
  readonly resolver: Pick<DnsResolver, 'addresses'>
  readonly clock: Clock
  /** The address may be dialled for a stranger's domain. */
  readonly mayDial: (address: string) => boolean
  /** PEM of the authorities to trust instead of the system's; null: the system's. */
  readonly ca: () => string | null
  /** 443, but for tests. */
  readonly port: number
  readonly userAgent: string
}

/** RFC 8461 §3.3 suggests a minute for all of it. */
const DEADLINE_MS = 60_000
const POLICY_OCTETS_MAX = 64 * 1024
const ADDRESSES_MAX = 4
/** One address that does not answer must not use it all up. */
const ADDRESS_MS = 20_000
const PATH = '/.well-known/mta-sts.txt'

export function createStsFetcher(parts: StsFetcherParts): StsFetcher {
  return {
    fetch(domain) {
      const abort = new AbortController()
      const late = Promise.withResolvers<StsFetch>()
      const cancel = parts.clock.after(DEADLINE_MS, () => {
        abort.abort()
        late.resolve(fault('sts-policy-fetch-error', `no policy after ${DEADLINE_MS / 1000} s`))
      })
      return Promise.race([fetchPolicy(`mta-sts.${domain}`, parts, abort.signal), late.promise]).finally(cancel)
    },
  }
}

async function fetchPolicy(host: string, parts: StsFetcherParts, signal: AbortSignal): Promise<StsFetch> {
  const answers = await Promise.all([parts.resolver.addresses(host, 4), parts.resolver.addresses(host, 6)])
  const found = answers.flatMap((answer) => (answer.kind === 'records' ? answer.records : []))
  const broken = answers.find((answer) => answer.kind === 'fault')
  if (found.length === 0)
    return fault('sts-policy-fetch-error', broken === undefined ? `${host} has no address` : `${host} cannot be looked up: ${broken.message}`)
  const allowed = found.filter(parts.mayDial).slice(0, ADDRESSES_MAX)
  let last = fault('sts-policy-fetch-error', `${host} has no address that may be dialled for it`)
  for (const address of allowed) {
    const end = await fetchFrom({ host, address, signal }, parts)
    // A server that answered has answered; only one that could not be reached lets the next address try.
    if (end.kind === 'answer') return end.fetched
    last = end.fetched
    if (signal.aborted) break
  }
  return last
}

type FetchEnd = { readonly kind: 'answer' | 'unreachable'; readonly fetched: StsFetch }

function fetchFrom(target: { readonly host: string; readonly address: string; readonly signal: AbortSignal }, parts: StsFetcherParts): Promise<FetchEnd> {
  const { host, address, signal } = target
  return new Promise((resolve) => {
    const request = https.request(requestOptions(target, parts))
    const end = (kind: FetchEnd['kind'], fetched: StsFetch): void => {
      signal.removeEventListener('abort', giveUp)
      cancel()
      resolve({ kind, fetched })
      request.destroy()
    }
    const giveUp = () => end('unreachable', fault('sts-policy-fetch-error', `${host} [${address}]: given up`))
    const cancel = parts.clock.after(ADDRESS_MS, giveUp)
    signal.addEventListener('abort', giveUp, { once: true })
    request.on('error', (error) => {
      const { code, message } = faultOf(error)
      const untrusted = isCertificateFault(code)
      end(
        untrusted ? 'answer' : 'unreachable',
        fault(untrusted ? 'sts-webpki-invalid' : 'sts-policy-fetch-error', `${host} [${address}]: ${message} (${code})`),
      )
    })
    request.on('response', (response) => {
      const refused = refusalOf(response)
      if (refused !== null) end('answer', fault('sts-policy-fetch-error', `${host} [${address}]: ${refused}`))
      else readText(response, (fetched) => end('answer', fetched))
    })
    request.end()
  })
}

function requestOptions({ host, address }: { readonly host: string; readonly address: string }, { port, ca, userAgent }: StsFetcherParts): RequestOptions {
  return {
    host: address,
    port,
    servername: host,
    method: 'GET',
    path: PATH,
    agent: false,
    headers: { host, 'user-agent': userAgent, accept: 'text/plain' },
    ca: ca() ?? systemAuthorities(),
    minVersion: 'TLSv1.2',
    checkServerIdentity: (_host, certificate) => checkCertificateName(host, certificate),
    maxHeaderSize: 16 * 1024,
  }
}

function refusalOf({ statusCode, headers }: IncomingMessage): string | null {
  // RFC 8461 §3.3: 3xx must not be followed.
  if (statusCode !== 200) return `the answer is ${statusCode ?? 'no answer'}, not 200`
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  return type === 'text/plain' ? null : `the content type is ${JSON.stringify(type)}, not text/plain`
}

function readText(response: IncomingMessage, done: (fetched: StsFetch) => void): void {
  const chunks: Buffer[] = []
  let octets = 0
  response.on('data', (chunk: Buffer) => {
    octets += chunk.byteLength
    if (octets > POLICY_OCTETS_MAX) done(fault('sts-policy-invalid', `the policy has more than ${POLICY_OCTETS_MAX} octets`))
    else chunks.push(chunk)
  })
  response.on('end', () => done({ kind: 'text', text: Buffer.concat(chunks).toString('utf8') }))
  response.on('error', (error) => done(fault('sts-policy-fetch-error', `the answer broke off: ${error.message}`)))
}

function fault(name: StsFaultName, detail: string): StsFetch {
  return { kind: 'fault', name, detail }
}
