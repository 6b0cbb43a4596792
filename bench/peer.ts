/** What is measured: a mail transfer agent that relays everything to one port, or delivers it by MX records. */
import type { ProcessGroup } from './process-group.ts'

export type PeerName = 'postfix' | 'postern'

export interface RunningPeer {
  readonly group: ProcessGroup
  /** Makes everything in the queue due now. */
  flush(): Promise<void>
  /** Milliseconds of the command an operator uses to ask whether all is well. */
  statusMs(): Promise<number>
  stop(): Promise<void>
}
export interface StartOptions {
  /** Holds queue, configuration and log; on the disk that is measured. */
  readonly folder: string
  readonly port: number
  readonly sinkPort: number
  /** Keep what an earlier start left there. */
  readonly keepQueue: boolean
  /** To the servers of the recipients' domains instead of one relay. */
  readonly direct?: boolean
}
export interface Peer {
  readonly name: PeerName
  /** Resolves when it greets with 220. */
  start(options: StartOptions): Promise<RunningPeer>
}
