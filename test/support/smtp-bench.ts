/**
 * A transport with real sockets, a fake clock and batches made to order, for tests of delivery by SMTP.
 */
import { createHmac } from 'node:crypto'
import { onTestFinished } from 'vitest'
import type { AttemptReport } from '../../src/core/outcome.ts'
import { createHostResolver } from '../../src/net/host-resolver.ts'
import { createDialer } from '../../src/net/node-dialer.ts'
import type { DialogueLine } from '../../src/ports/journal.ts'
import type { NetworkAddress } from '../../src/ports/network.ts'
import type { TlsReports } from '../../src/ports/tls-reports.ts'
import type { DeliveryBatch, Transport } from '../../src/ports/transport.ts'
import { createSmtpTransport } from '../../src/transports/smtp-transport.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'

export * from './smtp-batch.ts'

export interface Bench {
  readonly transport: Transport
  readonly clock: FakeClock
  /** Everything the transport said to the journal. */
  readonly notes: readonly string[]
  /** The dialogue, as `> MAIL FROM:...`. */
  readonly dialogue: DialogueLine[]
  deliver(batch: DeliveryBatch, signal?: AbortSignal): Promise<AttemptReport>
}
export interface BenchOptions {
  /** Addresses of names; others are looked up. */
  readonly names?: Readonly<Record<string, readonly string[]>>
  readonly tap?: boolean
  readonly reports?: TlsReports
}

export function createBench(options: BenchOptions = {}): Bench {
  const clock = createFakeClock()
  const notes: string[] = []
  const dialogue: DialogueLine[] = []
  const { names } = options
  const lookup = (host: string): Promise<readonly NetworkAddress[]> => {
    const addresses = names?.[host]
    if (addresses === undefined) return Promise.reject(Object.assign(new Error('no such host'), { code: 'ENOTFOUND' }))
    return Promise.resolve(addresses.map((address) => ({ address, family: 4 })))
  }
  const transport = createSmtpTransport({
    dialer: createDialer({ clock }),
    resolver: createHostResolver({ clock, ...(names === undefined ? {} : { lookup }) }),
    clock,
    journal: {
      accepted: () => undefined,
      attempt: () => undefined,
      note: (subsystem, level, text, facts) => notes.push(`${subsystem} ${level} ${text} ${JSON.stringify(facts ?? {})}`),
    },
    tap: { active: options.tap === true, line: (line) => dialogue.push(line) },
    hmacMd5: (key, text) => createHmac('md5', key).update(text).digest('hex'),
    random: () => 0.5,
    ...(options.reports === undefined ? {} : { reports: options.reports }),
  })
  onTestFinished(async () => {
    const closed = transport.close(0)
    await clock.advance(0)
    await closed
  })
  return { transport, clock, notes, dialogue, deliver: (batch, signal = new AbortController().signal) => transport.deliver(batch, signal) }
}
