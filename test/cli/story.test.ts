import { describe, expect, it } from 'vitest'
import type { LaneStatus, QueueRow } from '../../src/admin/api-types.ts'
import { localTime } from '../../src/cli/format.ts'
import { describeEvent, eventSentence, explainWait } from '../../src/cli/story.ts'
import type { EpochMs, LaneKey, QueueId } from '../../src/core/brand.ts'
import { EVENT_KINDS, type HistoryEvent } from '../../src/core/event.ts'
import { NOON } from '../support/make-message.ts'

const plain = { colour: false }
const at = (ms: number) => localTime(NOON + ms).slice(11)
const ID = '07M8QW4T3ZK' as QueueId

function tell(event: Partial<HistoryEvent>, recipient: string | null = null): readonly string[] {
  return describeEvent(plain, { event: { at: NOON, kind: 'deferred', recipient: 0, detail: {}, ...event }, recipient, now: NOON })
}

describe('an event', () => {
  it('is told with the reply word for word, the peer, delays, TLS facts and the next attempt', () => {
    const lines = tell(
      {
        detail: {
          status: '4.7.0',
          reply: '421 4.7.0 Try again later',
          reason: 'the relay asked to try again',
          phase: 'mail',
          scope: 'session',
          lane: 'smtp:google/jira',
          remoteMta: { host: 'relay.test', address: '192.0.2.1' },
          tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', resumed: true, trust: 'untrusted', trustFault: 'SELF_SIGNED_CERT_IN_CHAIN' },
          timings: { setupMs: 132, transferMs: 2450, sessionUse: 7 },
          earlier: [
            { remoteMta: { host: 'first.test', address: '192.0.2.9' }, reason: 'TLS failed: certificate has expired (CERT_HAS_EXPIRED)' },
            { remoteMta: null, reason: 'gone.test: there is no such host' },
          ],
          attempt: 2,
          dueAt: (NOON + 300_000) as EpochMs,
          duplicatePossible: true,
        },
      },
      'a@b.example',
    )
    expect(lines).toEqual([
      `${at(0)}  deferred     4.7.0  a@b.example  attempt 2`,
      '          reply: 421 4.7.0 Try again later',
      '          the relay asked to try again (at mail, about this session)',
      '          the relay may hold this message already: a duplicate is possible',
      '          smtp:google/jira, relay.test [192.0.2.1], set-up 132ms, transfer 2.5s, message 7 of its session, TLS untrusted (SELF_SIGNED_CERT_IN_CHAIN), TLSv1.3 TLS_AES_256_GCM_SHA384, resumed',
      '          before that: first.test [192.0.2.9]: TLS failed: certificate has expired (CERT_HAS_EXPIRED)',
      '          before that: gone.test: there is no such host',
      `          next attempt: ${at(300_000)} (in 5m)`,
    ])
  })

  it('says how long it took to come to no session', () => {
    const detail = {
      lane: 'smtp:google/jira',
      remoteMta: { host: 'relay.test', address: '192.0.2.1' },
      timings: { setupMs: 30_000, transferMs: 0, sessionUse: 0 },
    }
    expect(tell({ detail }, null).at(-1)?.trim()).toBe('smtp:google/jira, relay.test [192.0.2.1], no session after 30s')
  })

  it('of another day has its date', () => {
    expect(
      describeEvent(plain, { event: { at: NOON, kind: 'accepted', recipient: null, detail: {} }, recipient: null, now: NOON + 86_400_000 * 2 })[0],
    ).toContain(localTime(NOON))
  })

  it.each(EVENT_KINDS)('%s can be told, and nothing of it reaches the terminal raw', (kind) => {
    const evil = 'x\u001b[31m\ny'
    const detail = {
      status: '4.0.0',
      reason: evil,
      reply: evil,
      lane: evil,
      by: evil,
      remoteMta: { host: evil, address: evil },
      noticeId: ID,
      earlier: [{ remoteMta: { host: evil, address: evil }, reason: evil }],
    }
    const text = [...tell({ kind, detail }, evil), eventSentence(detail, kind)].join('')
    expect(text).not.toMatch(/\p{Cc}/u)
    if (kind !== 'captured' && kind !== 'discarded') expect(text).toContain('\\x1b[31m\\x0ay')
  })
})

function makeRow(row: Partial<QueueRow>): QueueRow {
  return {
    recipientId: `${ID}.0` as QueueRow['recipientId'],
    queueId: ID,
    state: 'queued',
    acceptedAt: NOON,
    sizeOctets: 1,
    sender: 'a@b.example',
    recipient: 'c@d.example',
    submitter: 'a@b.example',
    subject: null,
    lane: 'smtp:google/jira',
    attempts: 0,
    dueAt: NOON,
    finishedAt: null,
    lastStatus: null,
    lastText: null,
    lastRelay: null,
    holdReason: null,
    ...row,
  }
}
const LANE: LaneStatus = { lane: 'smtp:google/jira' as LaneKey, state: 'open', width: 2, active: 0, ready: 0, until: null, reason: null }

describe('why it waits', () => {
  it('is the next attempt, after a deferral', () => {
    const row = makeRow({ attempts: 3, dueAt: (NOON + 60_000) as EpochMs, lastText: '421 later\u0007' })
    expect(explainWait(row, [], NOON)).toEqual([
      'It was tried 3 times; the last reply was: 421 later\\x07.',
      `Next attempt: ${at(60_000)} (in 1m). Sooner: postern queue retry ${ID}`,
    ])
  })

  it('is a lane that is suspended, with its reason and its end', () => {
    const lanes: readonly LaneStatus[] = [{ ...LANE, state: 'suspended', until: (NOON + 120_000) as EpochMs, reason: 'connection refused' }]
    expect(explainWait(makeRow({}), lanes, NOON)).toContain(`Lane smtp:google/jira is suspended until ${at(120_000)} (in 2m): connection refused.`)
  })

  it('is not its turn while the lane is closed, and our own account is no reply', () => {
    const lanes: readonly LaneStatus[] = [{ ...LANE, state: 'paused', until: (NOON + 120_000) as EpochMs, reason: 'login refused' }]
    const [tried, due] = explainWait(makeRow({ attempts: 1, lastText: 'the server refused the connection' }), lanes, NOON + 1_000)
    expect(tried).toBe('It was tried once; the last time: the server refused the connection.')
    expect(due).toBe(`It is due since ${at(0)} (1s), but its lane is closed.`)
  })

  it('is a place in a lane that is busy', () => {
    const lines = explainWait(makeRow({}), [{ ...LANE, active: 2, ready: 10 }], NOON + 5000)
    expect(lines).toEqual([
      'It was not tried yet.',
      `It is due since ${at(0)} (5s) and waits for its turn.`,
      'Lane smtp:google/jira is open: 2 under way of 2 at once, 10 ready.',
    ])
  })

  it('is the reason of whoever holds it', () => {
    expect(explainWait(makeRow({ state: 'held', holdReason: 'no route matches' }), [], NOON)[0]).toBe('It is held: no route matches.')
  })

  it('is an attempt under way', () => expect(explainWait(makeRow({ state: 'leased' }), [], NOON)).toHaveLength(1))
  it('is nothing once it is finished', () => expect(explainWait(makeRow({ state: 'delivered' }), [LANE], NOON)).toEqual([]))
})
