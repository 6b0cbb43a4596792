/**
 * Opens a session as a message would, tells how far it came, and ends it with QUIT. Nothing is sent.
 *
 * The same set-up that deliveries use, so that what a probe finds is what a delivery will find.
 * Deadlines are short: somebody waits at a terminal.
 */
import type { Clock } from '../core/clock.ts'
import type { AttemptPhase, TlsFacts } from '../core/outcome.ts'
import { formatReply } from '../core/reply.ts'
import type { PhaseTimeouts } from '../core/route.ts'
import { withinTime } from '../core/within-time.ts'
import type { DialogueLine } from '../ports/journal.ts'
import { HostMemory } from './host-memory.ts'
import type { HostTarget } from './relay-target.ts'
import { type Opened, type OpenerParts, SessionOpener } from './session-opener.ts'
import type { SmtpSession } from './smtp-session.ts'

export type HostProbe =
  | {
      readonly kind: 'reached'
      readonly host: string
      readonly address: string
      readonly tls: TlsFacts | null
      readonly greeting: string | null
    }
  | { readonly kind: 'failed'; readonly phase: AttemptPhase; readonly reason: string; readonly greeting: string | null }

export type ProbeParts = Omit<OpenerParts, 'memory' | 'tap'>

const STEP_MS = 20_000
const CHECK_EVERY_MS = 500
const QUIT_MS = 2_000

/** Never rejects but for a bug. */
export async function probeHost(parts: ProbeParts, target: HostTarget): Promise<HostProbe> {
  let greeting: string | null = null
  const line = ({ direction, text }: DialogueLine): void => {
    if (direction === '<') greeting ??= text
  }
  let session: SmtpSession | null = null
  let closed = (): void => undefined
  const ended = new Promise<void>((resolve) => {
    closed = resolve
  })
  const opener = new SessionOpener({ ...parts, memory: new HostMemory(), tap: { active: true, line } })
  const stopWatch = everySoOften(parts.clock, () => session?.check(parts.clock.monotonicMs()))
  try {
    const opened = await opener.open({
      target: { ...target, relay: { ...target.relay, timeouts: shortened(target.relay.timeouts) } },
      avoid: [],
      owner: {
        onReady: () => undefined,
        onSetupFailed: () => undefined,
        onRideEnd: () => undefined,
        onContentLost: () => undefined,
        onClosed: () => closed(),
      },
      began: (begun) => {
        session = begun
      },
      unwanted: () => false,
    })
    if (opened.kind !== 'session') return failedProbe(opened, greeting)
    const { remote, tls } = opened.session
    opened.session.retire()
    await withinTime(ended, parts.clock, QUIT_MS, undefined)
    return { kind: 'reached', host: remote.host, address: remote.address, tls, greeting }
  } finally {
    stopWatch()
  }
}

function failedProbe(opened: Exclude<Opened, { readonly kind: 'session' }>, greeting: string | null): HostProbe {
  if (opened.kind === 'exhausted') return { kind: 'failed', phase: 'mx-lookup', reason: 'the host has no address that can be used from here', greeting }
  const { deferral, phase, reply } = opened.failure
  return { kind: 'failed', phase, reason: reply === null ? deferral.reason : `${deferral.reason}: ${formatReply(reply)}`, greeting }
}

function shortened(timeouts: PhaseTimeouts): PhaseTimeouts {
  return Object.fromEntries(Object.entries(timeouts).map(([phase, ms]) => [phase, Math.min(ms, STEP_MS)])) as unknown as PhaseTimeouts
}

function everySoOften(clock: Clock, act: () => void): () => void {
  let cancel = (): void => undefined
  const again = (): void => {
    cancel = clock.after(CHECK_EVERY_MS, () => {
      act()
      again()
    })
  }
  again()
  return () => cancel()
}
