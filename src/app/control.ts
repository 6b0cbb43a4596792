/**
 * What operators ask of the running server beyond the queue: status, reload, flush, routes.
 *
 * Gathers answers from the parts; holds no rules of its own.
 */
import process from 'node:process'
import { AdminError } from '../admin/errors.ts'
import type { EpochMs } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'
import { isLaneNamed } from '../core/route.ts'
import type { Delivery } from '../delivery/delivery.ts'
import type { Intake } from '../intake/intake.ts'
import type { ActResult, QueueAdmin, QueueFilter } from '../ports/queue-admin.ts'
import type { ReloadResult, ServerControl } from '../ports/server-control.ts'
import type { ExplainedRewriter } from '../rewrite/rewriter.ts'
import type { DialogueHub } from './dialogue-hub.ts'
import { explainRewriting, explainRewrittenRoute, faultyAddress } from './explain-rewriting.ts'
import type { ServerJournal } from './journal.ts'

export interface ControlParts {
  readonly version: string
  readonly hostname: () => string
  readonly configFile: () => string | null
  readonly intake: Intake
  readonly delivery: Delivery
  /** Null: no address is changed. */
  readonly rewriter: () => ExplainedRewriter | null
  readonly admin: QueueAdmin
  readonly journal: ServerJournal
  readonly dialogue: DialogueHub
  readonly clock: Clock
  readonly intakePaused: () => string | null
  readonly tableFaults: () => readonly string[]
  readonly reload: () => Promise<ReloadResult>
  /** Does what was put off, so that all that has been answered is counted. */
  readonly catchUp: () => void
}

export function createControl(parts: ControlParts): ServerControl {
  const { intake, delivery, admin, journal, dialogue, clock } = parts
  const startedAt = clock.now()
  return {
    async status() {
      parts.catchUp()
      return {
        version: parts.version,
        pid: process.pid,
        startedAt,
        now: clock.now(),
        hostname: parts.hostname(),
        configFile: parts.configFile(),
        listeners: intake.status(),
        underPressure: intake.underPressure(),
        intakePaused: parts.intakePaused(),
        tableFaults: parts.tableFaults(),
        queue: await admin.counts(),
        lanes: delivery.lanes(),
        sinceStart: { ...journal.counters },
        memory: { rssOctets: process.memoryUsage.rss() },
      }
    },
    reload: parts.reload,
    async explainRoute(asked) {
      const rewriter = parts.rewriter()
      // RFC 5321 §4.5.1: the one name that is always taken without a domain.
      const isPostmaster = rewriter === null && asked.to.toLowerCase() === 'postmaster'
      const query = isPostmaster ? { ...asked, to: `${asked.to}@${parts.hostname()}` } : asked
      const fault = faultyAddress(rewriter, query)
      if (fault !== null) throw new AdminError('bad-request', `${JSON.stringify(fault)} is no address, and would be refused at the door`)
      return explainRewrittenRoute(delivery, rewriter, query)
    },
    explainRewriting: (query) => explainRewriting(parts.rewriter(), query),
    async flush(lane) {
      const filter: QueueFilter = lane === null ? { states: ['queued'] } : { states: ['queued'], relay: lane }
      const lanes = delivery.openLanes(lane)
      const { changed } = await admin.act('retry', filter, 'operator', clock.now())
      if (lane !== null && changed === 0 && !delivery.lanes().some((known) => isLaneNamed(known.lane, lane))) {
        throw new AdminError('not-found', `there is no relay, credential or lane of the name ${lane}`, '`postern status` shows those that there are.')
      }
      delivery.wake()
      return { recipients: changed, lanes }
    },
    setLogLevel: (subsystem, level) => journal.setLevel(subsystem, level),
    submit: (request) => intake.submit(request),
    watchDialogue: (filter, line) => dialogue.watch(filter, line),
  }
}

/** After the wall clock was set back, due times of before lie too far ahead, of mail never tried, too. */
export function makeQueueDue(admin: Pick<QueueAdmin, 'act'>, now: EpochMs): Promise<ActResult> {
  return admin.act('retry', { states: ['queued'] }, 'clock', now)
}

/** Operators' acts that make mail due wake the scheduler; the store itself knows nobody. */
export function withWake(admin: QueueAdmin, wake: () => void): QueueAdmin {
  return {
    counts: () => admin.counts(),
    list: (filter, page) => admin.list(filter, page),
    count: (filter) => admin.count(filter),
    story: (queueId) => admin.story(queueId),
    findByAddress: (address, limit) => admin.findByAddress(address, limit),
    async act(act, filter, by, now: EpochMs) {
      const result = await admin.act(act, filter, by, now)
      if (act === 'resume' || act === 'retry') wake()
      return result
    },
    content: (queueId) => admin.content(queueId),
    history: (after, limit) => admin.history(after, limit),
    backup: (path) => admin.backup(path),
  }
}
