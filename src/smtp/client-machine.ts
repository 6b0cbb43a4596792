/** Placeholder header: filled in with the table. */
import type { FaultScope } from '../core/outcome.ts'
import type { PhaseTimeouts } from '../core/route.ts'

export type ClientPhase = 'greeting' | 'ehlo' | 'starttls' | 'auth' | 'mail' | 'rcpt' | 'data' | 'content' | 'final-dot' | 'rset' | 'quit'
export interface PhaseFacts {
  readonly timeout: keyof PhaseTimeouts
  /** For people: `while sending RCPT TO`. */
  readonly text: string
  readonly scope: FaultScope
}
export declare const PHASES: Readonly<Record<ClientPhase, PhaseFacts>>
