import { describe, expect, it } from 'vitest'
import { isFinal, type RecipientEvent, STATE_KINDS, type StateKind, TRANSITIONS, transition } from '../../src/core/recipient-state.ts'

const EVENTS: readonly RecipientEvent[] = ['claim', 'hold', 'cancel', 'expire', 'resume', 'deliver', 'fail', 'defer', 'release', 'reclaim']

function exits(state: StateKind): Readonly<Record<string, StateKind>> {
  return TRANSITIONS[state]
}

describe('the table of recipient states', () => {
  it('reaches every state from queued', () => {
    const reached = new Set<StateKind>(['queued'])
    for (const state of reached) for (const next of Object.values(exits(state))) reached.add(next)
    expect([...reached].sort()).toEqual([...STATE_KINDS].sort())
  })

  it('can end from every state that is not final', () => {
    for (const state of STATE_KINDS.filter((kind) => !isFinal(kind))) {
      const reached = new Set<StateKind>([state])
      for (const from of reached) for (const next of Object.values(exits(from))) reached.add(next)
      expect([...reached].some(isFinal), state).toBe(true)
    }
  })

  it('has no way out of delivered, failed, expired and cancelled', () => {
    expect(STATE_KINDS.filter(isFinal).sort()).toEqual(['cancelled', 'delivered', 'expired', 'failed'])
  })

  it('names only known events, and every one of them somewhere', () => {
    const named = new Set(STATE_KINDS.flatMap((state) => Object.keys(exits(state))))
    expect([...named].sort()).toEqual([...EVENTS].sort())
  })

  it('delivers, fails and defers nothing that is not leased', () => {
    for (const state of STATE_KINDS.filter((kind) => kind !== 'leased')) {
      for (const event of ['deliver', 'fail', 'defer', 'release', 'reclaim'] as const) expect(() => transition(state, event)).toThrow(/illegal/)
    }
  })

  it.each(STATE_KINDS.flatMap((state) => EVENTS.map((event) => [event, state] as const)))(
    '%s in state %s leads where the table says, or throws',
    (event, state) => {
      const next = exits(state)[event]
      if (next === undefined) expect(() => transition(state, event)).toThrow(`illegal recipient transition: ${event} in state ${state}`)
      else expect(transition(state, event)).toBe(next)
    },
  )
})
