/**
 * A running server for tests of the admin API and the CLI: the store in memory behind the ports,
 * and a `ServerControl` whose answers a test sets.
 */
import type { EpochMs, LaneKey, QueueId } from '../../src/core/brand.ts'
import type { DialogueLine, Journal, Subsystem } from '../../src/ports/journal.ts'
import type { DialogueFilter, LaneStatus, ReloadResult, ServerControl, ServerStatus, SubmitRequest } from '../../src/ports/server-control.ts'
import { makeAcceptance } from './make-message.ts'
import type { MemoryStore } from './memory-store.ts'

export interface Note {
  readonly subsystem: Subsystem
  readonly level: string
  readonly text: string
  readonly facts: Readonly<Record<string, unknown>>
}
export interface FakeControl extends ServerControl {
  /** Laid over every status. */
  overlay: Partial<ServerStatus>
  lanes: readonly LaneStatus[]
  /** Rejected with, by every call, until it is null again. */
  fault: Error | null
  readonly submitted: SubmitRequest[]
  readonly flushed: (string | null)[]
  readonly levels: (readonly [string, string])[]
  readonly watchers: Set<(line: DialogueLine) => void>
  readonly filters: DialogueFilter[]
  /** Recipients that a submitted message gets beside its own, as an alias would make them. */
  also: readonly string[]
  /** Laid over the answer of every reload. */
  reloaded: Partial<ReloadResult>
  /** Called after a submitted message was stored. */
  afterSubmit: (queueId: QueueId) => void
  /** Gives a line of dialogue to all who watch. */
  say(line: Partial<DialogueLine>): void
}

export function createFakeControl(store: MemoryStore, now: () => EpochMs): FakeControl {
  const startedAt = now()
  const gate = (): void => {
    if (control.fault !== null) throw control.fault
  }
  const control: FakeControl = {
    overlay: {},
    lanes: [],
    fault: null,
    submitted: [],
    flushed: [],
    levels: [],
    watchers: new Set(),
    filters: [],
    also: [],
    reloaded: {},
    afterSubmit: () => undefined,
    say(line) {
      const whole: DialogueLine = {
        side: 'delivery',
        session: 's1',
        peer: 'google',
        direction: '>',
        text: 'EHLO postern.example',
        queueId: null,
        to: [],
        ...line,
      }
      for (const watcher of control.watchers) watcher(whole)
    },
    async status() {
      gate()
      return { ...plainStatus(startedAt, now()), queue: await store.admin.counts(), lanes: control.lanes, ...control.overlay }
    },
    async reload() {
      gate()
      return {
        changed: ['relays.google.tls'],
        needsRestart: ['data'],
        warnings: ['postern.yaml:3:5: routes[5]: never\u001b'],
        configFile: 'postern.yaml',
        ...control.reloaded,
      }
    },
    async explainRoute({ from, to, submitter, header }) {
      gate()
      const why = `from ${from}, submitter ${submitter}, header ${JSON.stringify(header)}`
      return {
        from,
        to,
        steps: [
          { rule: 'routes[0]: to *.internal', matched: false, why: 'the recipient differs' },
          { rule: 'routes[1]: via google', matched: true, why },
        ],
        decision: 'relay google as jira',
        lane: 'smtp:google/jira',
        credential: 'jira',
        hosts: to.endsWith('@direct.example') ? DIRECT_HOSTS : null,
        ...(to.startsWith('board@') ? { closed: [{ name: 'mx3.direct.example', preference: 5, reason: 'not in the policy' }], tlsDemand: 'verify' } : {}),
        obstacle: to.endsWith('@dead.example') ? '4.4.3 looking up the mail servers of dead.example failed: TIMEOUT' : null,
      }
    },
    explainRewriting({ address, from }) {
      gate()
      if (!address.includes('@')) return null
      const leaf = (end: string, kind: string, to: string) => ({ address: to, rule: null, kind, end, children: [] })
      const children = [leaf('mailbox of bob', 'local-user', 'bob@host.example'), leaf('', 'mailbox', 'ann@y.example')]
      const refusal = address.startsWith('nobody@') ? '550 5.1.1 User unknown' : null
      const sender = from === null ? [] : [{ rule: 'rewrite.sendAs[0]', address: 'noreply@host.example' }]
      return { address, recipient: { address, rule: 'rewrite.recipients[0]: map', kind: null, end: null, children }, refusal, from, sender }
    },
    async flush(lane) {
      gate()
      control.flushed.push(lane)
      return { recipients: await store.admin.count({ states: ['queued'] }), lanes: lane === null ? ['smtp:google/jira'] : [] }
    },
    setLogLevel(subsystem, level) {
      gate()
      control.levels.push([subsystem, level])
    },
    async submit(request) {
      gate()
      control.submitted.push(request)
      const place = { kind: 'queued', lane: 'smtp:google/jira' as LaneKey, dueAt: now() } as const
      const acceptance = makeAcceptance({ from: request.from, to: [...request.to, ...control.also], content: request.content, acceptedAt: now(), place })
      await store.queue.enqueue(acceptance)
      control.afterSubmit(acceptance.message.envelope.queueId)
      return acceptance.message.envelope.queueId
    },
    watchDialogue(filter, line) {
      gate()
      control.filters.push(filter)
      control.watchers.add(line)
      return () => control.watchers.delete(line)
    },
  }
  return control
}

/** A journal that keeps its notes. */
export function createFakeJournal(): Journal & { readonly notes: readonly Note[] } {
  const notes: Note[] = []
  return {
    notes,
    accepted: () => undefined,
    attempt: () => undefined,
    note: (subsystem, level, text, facts = {}) => notes.push({ subsystem, level, text, facts }),
  }
}

function plainStatus(startedAt: EpochMs, now: EpochMs): Omit<ServerStatus, 'queue' | 'lanes'> {
  return {
    version: '0.1.0',
    pid: 4711,
    startedAt,
    now,
    hostname: 'app.example.com',
    configFile: '/etc/postern/postern.yaml',
    listeners: [{ url: 'smtp://127.0.0.1:25', sessions: 2 }],
    underPressure: false,
    intakePaused: null,
    tableFaults: [],
    sinceStart: { accepted: 1200, delivered: 1100, deferred: 30, failed: 4, expired: 0, captured: 0 },
    memory: { rssOctets: 98_000_000 },
  }
}

const DIRECT_HOSTS = [
  { name: 'mx1.direct.example', preference: 10, addresses: ['2001:db8::1', '192.0.2.1'], tls: 'may' },
  { name: 'mx2.direct.example', preference: 20, addresses: ['192.0.2.2'], tls: 'verify' },
] as const
