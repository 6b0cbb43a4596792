/** What one measurement gave, in figures with fixed names and units. */
import type { PeerName } from './peer.ts'

/** Figures of one repeat; which there are depends on the scenario. Names and units: `FIGURES`. */
export type Sample = Readonly<Partial<Record<FigureName, number>>>

export const FIGURES = {
  relayedPerS: 'relayed, messages/s',
  acceptedPerS: 'accepted, messages/s',
  cpuMs: 'CPU, ms a message',
  rssMiB: 'memory (RSS), MiB',
  pssMiB: 'memory (PSS), MiB',
  connections: 'most connections to the relay',
  p50Ms: 'final dot answered, median, ms',
  p99Ms: 'final dot answered, 99th percentile, ms',
  maxMs: 'final dot answered, slowest, ms',
  pacedP50Ms: 'the same at 400 messages/s, median, ms',
  pacedP99Ms: 'the same at 400 messages/s, 99th percentile, ms',
  acceptedFirstPerS: 'accepted while the queue is empty, messages/s',
  acceptedLastPerS: 'accepted while the queue is full, messages/s',
  acceptedShare: 'accepted with a full queue, share of the empty one',
  listeningS: 'listening again after a restart, s',
  statusMs: 'asking for the state of the queue, ms',
  drainedPerS: 'drained, messages/s',
  drainedShare: 'drained, share of the rate relayed with 10 sessions kept',
  stuckShare: 'relayed with mail stuck for dead sites, share of the rate without',
  otherCores: 'cores used by others meanwhile',
} as const
export type FigureName = keyof typeof FIGURES

export interface ScenarioResult {
  readonly scenario: string
  readonly peer: PeerName
  /** Messages in a repeat. */
  readonly messages: number
  readonly samples: readonly Sample[]
  /** What went wrong or was thrown away, in sentences. */
  readonly notes: readonly string[]
}

/** How one run is to be made. */
export interface Plan {
  readonly folder: string
  readonly repeats: number
  /** Seconds that one repeat should take. */
  readonly targetS: number
  /** Messages of the backlog, and of the dead relay. */
  readonly backlog: number
  readonly deadRelay: number
  readonly dotReplies: number
  /** Messages for many sites, and stuck for dead ones. */
  readonly sites: number
  readonly stuck: number
}

/** Ports of one peer: only loopback exists where we measure, so that they are free. */
export function portsOf(peer: PeerName): { readonly port: number; readonly sinkPort: number } {
  return peer === 'postfix' ? { port: 12525, sinkPort: 12625 } : { port: 13525, sinkPort: 13625 }
}
