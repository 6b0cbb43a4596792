/**
 * Schema of `dns`: whom we ask for names, and how far the answers are believed.
 */
import * as z from 'zod'
import { quote } from './config-errors.ts'
import { duration, parsed } from './config-scalars.ts'
import { isAddress, type Parsed } from './config-values.ts'

const DNS_PORT = 53
const SERVER = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/

/** `127.0.0.1`, `127.0.0.1:5353`, `::1`, `[::1]:5353`. Never a name: who would look it up? */
export function parseDnsServer(text: string): Parsed<{ readonly address: string; readonly port: number }> {
  if (isAddress(text)) return { value: { address: text, port: DNS_PORT } }
  const [, bracketed, plain, portText] = SERVER.exec(text) ?? []
  const address = bracketed ?? plain ?? ''
  const port = Number(portText ?? DNS_PORT)
  if (isAddress(address) && address.includes(':') === (bracketed !== undefined) && port >= 1 && port <= 65_535) return { value: { address, port } }
  return {
    fault: {
      code: 'bad-host',
      message: `${quote(text)} is no address of a name server`,
      allowed: 'ADDRESS or ADDRESS:PORT, such as 127.0.0.1 or [::1]:5353',
    },
  }
}

export const dnsSchema = z
  .strictObject({
    servers: z
      .array(parsed(parseDnsServer))
      .min(1)
      .max(8)
      .optional()
      .describe('Name servers, asked in this order: ADDRESS or ADDRESS:PORT. Default: those of /etc/resolv.conf, which is read again when it changes.'),
    validating: z
      .boolean()
      .default(false)
      .describe('The servers check DNSSEC, and their word is taken for it (DANE needs that). Counts only if all of them are reached over loopback.'),
    timeout: duration('1s', '1m').default('5s').describe('How long to try for an answer, over all servers.'),
    cache: z
      .strictObject({
        entries: z.int().min(100).max(1_000_000).default(10_000).describe('Most answers kept, of about 1 KB each.'),
        time: duration('0s', '7d').default('1d').describe('Longest time to keep an answer, whatever its TTL.'),
        negativeTime: duration('0s', '1d').default('15m').describe('Longest time to keep a "there is none".'),
      })
      .prefault({})
      .describe('What is kept of answers, as long as their TTL allows.'),
  })
  .prefault({})
  .describe('How names are looked up for direct delivery, TLS policies and checks. /etc/hosts and search domains do not count.')
export type DnsConfig = z.output<typeof dnsSchema>
