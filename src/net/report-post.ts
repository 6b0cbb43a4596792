/**
 * Hands TLS reports over by HTTPS POST (RFC 8460 §5.4), at an address that was checked before.
 *
 * The receiver's certificate is not verified, as RFC 8460 §3 allows: a report that tells of broken TLS must
 * not be lost to broken TLS, and it holds nothing that the receiver's own servers did not see.
 */
import https from 'node:https'
import type { Clock } from '../core/clock.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'

export interface ReportPostParts {
  readonly resolver: Pick<DnsResolver, 'addresses'>
  readonly clock: Clock
  /** The address may be dialled for a stranger's domain. */
  readonly mayDial: (address: string) => boolean
  readonly userAgent: string
}

const DEADLINE_MS = 60_000

/** Rejects with a reason for people if it was not taken. */
export async function postReport(url: string, gzipped: Uint8Array, parts: ReportPostParts): Promise<void> {
  const { hostname, port, pathname, search } = new URL(url)
  const answers = await Promise.all([parts.resolver.addresses(hostname, 4), parts.resolver.addresses(hostname, 6)])
  const address = answers.flatMap((answer) => (answer.kind === 'records' ? answer.records : [])).find(parts.mayDial)
  if (address === undefined) throw new Error(`${hostname} has no address that may be dialled for it`)
  await new Promise<void>((resolve, reject) => {
    const request = https.request({
      host: address,
      port: port === '' ? 443 : Number(port),
      servername: hostname,
      method: 'POST',
      path: `${pathname}${search}`,
      agent: false,
      rejectUnauthorized: false,
      headers: {
        host: port === '' ? hostname : `${hostname}:${port}`,
        'content-type': 'application/tlsrpt+gzip',
        'content-length': gzipped.byteLength,
        'user-agent': parts.userAgent,
      },
    })
    const cancel = parts.clock.after(DEADLINE_MS, () => request.destroy(new Error(`no answer after ${DEADLINE_MS / 1000} s`)))
    request.on('error', (error) => {
      cancel()
      reject(error)
    })
    request.on('response', ({ statusCode = 0 }) => {
      cancel()
      if (statusCode >= 200 && statusCode < 300) resolve()
      else reject(new Error(`the answer is ${statusCode}`))
      request.destroy()
    })
    request.end(gzipped)
  })
}
