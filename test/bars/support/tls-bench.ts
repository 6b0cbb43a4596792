/**
 * A transport with real sockets and the real clock, for bars about TLS: one mail to one host under one policy.
 */

import { createHash, createHmac, X509Certificate } from 'node:crypto'
import { createRealClock } from '../../../src/app/real-clock.ts'
import type { TlsFacts } from '../../../src/core/outcome.ts'
import type { Credential, RelaySettings, TlsRequirement } from '../../../src/core/route.ts'
import type { TlsaRecord } from '../../../src/core/tls-policy.ts'
import { createHostResolver } from '../../../src/net/host-resolver.ts'
import { createDialer } from '../../../src/net/node-dialer.ts'
import { createSmtpTransport } from '../../../src/transports/smtp-transport.ts'
import { SILENT_JOURNAL } from '../../support/silent-journal.ts'
import { makeBatch, makeRelay, outcomesOf, reasonOf } from '../../support/smtp-batch.ts'

export interface Sending {
  readonly port: number
  readonly tls: TlsRequirement
  /** Its address is 127.0.0.1, whatever its name; an address is taken as it is. */
  readonly host: string
  readonly credential?: Credential
  readonly requireTls?: boolean
  /** Limit of reply to STARTTLS and handshake. */
  readonly starttlsMs?: number
  readonly implicitTls?: boolean
}
export interface Sent {
  /** `delivered 2.0.0`, `deferred 4.7.5 hop at starttls`. */
  readonly outcome: string
  readonly reason: string
  readonly tls: TlsFacts | null
}
export interface TlsBench {
  send(sending: Sending): Promise<Sent>
  readonly notes: readonly string[]
  close(): Promise<void>
}

/** In every message: what must never be seen in plain text above `may`. */
export const CANARY = 'content-canary'

export function createTlsBench(): TlsBench {
  const clock = createRealClock()
  const notes: string[] = []
  const lookup = () => Promise.resolve([{ address: '127.0.0.1', family: 4 } as const])
  const transport = createSmtpTransport({
    dialer: createDialer({ clock }),
    resolver: createHostResolver({ clock, lookup }),
    clock,
    journal: { ...SILENT_JOURNAL, note: (_subsystem, level, text) => void notes.push(`${level} ${text}`) },
    tap: { active: false, line: () => undefined },
    hmacMd5: (key, text) => createHmac('md5', key).update(text).digest('hex'),
    random: Math.random,
  })
  return {
    notes,
    async send(sending) {
      const batch = makeBatch(relayOf(sending), {
        content: `Subject: x\r\n\r\n${CANARY}\r\n`,
        ...(sending.credential === undefined ? {} : { credential: sending.credential }),
        ...(sending.requireTls === undefined ? {} : { requireTls: sending.requireTls }),
      })
      const report = await transport.deliver(batch, new AbortController().signal)
      return { outcome: outcomesOf(report)[0] ?? 'nothing', reason: reasonOf(report), tls: report.tls }
    },
    close: () => transport.close(0),
  }
}

function relayOf({ port, tls, host, starttlsMs = 5_000, implicitTls = false }: Sending): RelaySettings {
  const relay = makeRelay(port, { hosts: [{ host, implicitTls }], tls, limits: { messagesPerSession: 1 } })
  return { ...relay, timeouts: { ...relay.timeouts, starttlsMs, greetingMs: 5_000, ehloMs: 5_000, finalDotMs: 5_000 } }
}

export function tlsaOf(usage: 2 | 3, pem: string): TlsaRecord {
  return { usage, selector: 0, matching: 1, association: createHash('sha256').update(new X509Certificate(pem).raw).digest() }
}

export type PolicyName = 'none' | 'may' | 'encrypt' | 'verify' | 'mta-sts' | 'dane-ee' | 'dane-ta'

/** What the policy makes of a host; `server` is the certificate that its TLSA record names, `authority` the one above it. */
export function requirementOf(
  policy: PolicyName,
  pems: { readonly trusted: string; readonly server: string; readonly authority: string; readonly name: string },
): TlsRequirement {
  const plain = { ca: pems.trusted, serverName: null, minVersion: 'TLSv1.2' } as const
  switch (policy) {
    case 'none':
    case 'may':
    case 'encrypt':
      return { ...plain, level: policy }
    case 'verify':
      return { ...plain, level: 'verify', basis: 'configured' }
    case 'mta-sts':
      return { ...plain, level: 'verify', basis: 'mta-sts' }
    case 'dane-ee':
    case 'dane-ta': {
      const record = policy === 'dane-ee' ? tlsaOf(3, pems.server) : tlsaOf(2, pems.authority)
      return { ...plain, level: 'dane', basis: 'dane', dane: { records: [record], names: [pems.name] } }
    }
  }
}
