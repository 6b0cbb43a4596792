import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseSession, type LaneView, NEAR_MS } from '../../src/transports/session-choice.ts'

const lane = (change: Partial<LaneView<string>> = {}): LaneView<string> => ({
  idle: null,
  behind: null,
  feeders: 0,
  sessions: 0,
  sessionsMax: 20,
  waiting: 0,
  serviceMs: null,
  openingPaused: false,
  ...change,
})
const near = { serviceMs: NEAR_MS / 2 }
const far = { serviceMs: 50 }

describe('a ride', () => {
  it.each([
    ['takes an idle session first', lane({ idle: 'idle', behind: 'busy', sessions: 2 }), { kind: 'take', session: 'idle' }],
    ['opens a session where there is none', lane(), { kind: 'open' }],
    ['opens one when the peer is far, rather than ride behind', lane({ ...far, behind: 'busy', feeders: 1, sessions: 1 }), { kind: 'open' }],
    ['opens one when nobody knows how far it is', lane({ behind: 'busy', feeders: 1, sessions: 1 }), { kind: 'open' }],
    ['rides behind when the peer is near', lane({ ...near, behind: 'busy', feeders: 1, sessions: 1 }), { kind: 'take', session: 'busy' }],
    ['waits for a near session that is full', lane({ ...near, feeders: 2, sessions: 2, waiting: 1 }), { kind: 'wait' }],
    ['opens one more when many wait already', lane({ ...near, feeders: 2, sessions: 2, waiting: 2 }), { kind: 'open' }],
    ['opens one when no session will have room', lane({ ...near, feeders: 0, sessions: 2 }), { kind: 'open' }],
    ['rides behind when all sessions are open', lane({ ...far, behind: 'busy', feeders: 20, sessions: 20 }), { kind: 'take', session: 'busy' }],
    ['waits when all are open and full', lane({ ...far, feeders: 20, sessions: 20 }), { kind: 'wait' }],
    [
      'opens none while the host refuses more',
      lane({ ...far, behind: 'busy', feeders: 1, sessions: 1, openingPaused: true }),
      { kind: 'take', session: 'busy' },
    ],
  ] as const)('%s', (_, view, expected) => expect(chooseSession(view)).toEqual(expected))

  it('never opens beyond the limit, and never waits where nobody will come', () => {
    const views = fc.record({
      idle: fc.option(fc.constant('idle')),
      behind: fc.option(fc.constant('busy')),
      feeders: fc.nat(20),
      sessions: fc.nat(20),
      sessionsMax: fc.integer({ min: 1, max: 20 }),
      waiting: fc.nat(60),
      serviceMs: fc.option(fc.double({ min: 0, max: 1000, noNaN: true })),
      openingPaused: fc.boolean(),
    })
    fc.assert(
      fc.property(views, (view) => {
        const choice = chooseSession(view)
        if (choice.kind === 'open') expect(view.sessions).toBeLessThan(view.sessionsMax)
        if (choice.kind === 'wait') {
          expect([view.idle, view.behind]).toEqual([null, null])
          const full = view.sessions >= view.sessionsMax || view.openingPaused
          expect(full || view.feeders > view.waiting).toBe(true)
        }
      }),
    )
  })
})
