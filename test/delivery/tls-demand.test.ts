import { describe, expect, it } from 'vitest'
import { compileAddressPattern } from '../../src/core/pattern.ts'
import type { Route } from '../../src/core/route.ts'
import { DemandedRoutes, type DemandQuestion, tlsDemandFor } from '../../src/delivery/tls-demand.ts'
import { makeRelay } from './rig.ts'

const MAIL: DemandQuestion = { from: 'app@sender.example', to: 'ann@rcpt.example', header: [], requireTls: false }
const rule = (level: 'encrypt' | 'verify' | 'dane-only', to: string | null, from: string | null = null) => ({
  level,
  to: to === null ? null : compileAddressPattern(to),
  from: from === null ? null : compileAddressPattern(from),
})

describe('what is demanded of chosen mail', () => {
  it('is what the first rule that matches says', () => {
    const rules = [rule('dane-only', 'other.example'), rule('verify', 'rcpt.example', 'app@sender.example'), rule('encrypt', '*')]
    const demand = (change: Partial<DemandQuestion>) => tlsDemandFor({ rules, heedTlsRequiredNo: false }, { ...MAIL, ...change })
    expect([demand({}), demand({ from: '<>' }), demand({ to: 'x@other.example' })]).toEqual(['verify', 'encrypt', 'dane-only'])
    expect(tlsDemandFor({ rules: [], heedTlsRequiredNo: false }, MAIL)).toBeNull()
  })
  it.each([
    ['No', 'relaxed'],
    [' no ', 'relaxed'],
    ['Yes', null],
    ['', null],
  ])('TLS-Required: %s is %s where it is heeded', (value, expected) => {
    const header = [['tls-required', value]] as const
    expect(tlsDemandFor({ rules: [], heedTlsRequiredNo: true }, { ...MAIL, header })).toBe(expected)
    expect(tlsDemandFor({ rules: [], heedTlsRequiredNo: false }, { ...MAIL, header })).toBeNull()
  })
  it('TLS-Required: No loses against REQUIRETLS, against a rule, and against itself', () => {
    const header = [['tls-required', 'No']] as const
    const heed = { rules: [], heedTlsRequiredNo: true }
    expect(tlsDemandFor(heed, { ...MAIL, header, requireTls: true })).toBeNull()
    expect(tlsDemandFor({ ...heed, rules: [rule('verify', '*')] }, { ...MAIL, header })).toBe('verify')
    expect(tlsDemandFor(heed, { ...MAIL, header: [...header, ...header] })).toBeNull()
  })
})

describe('routes with a demand', () => {
  const relay: Route = { kind: 'relay', relay: makeRelay('google'), credential: null }
  it('are the same object at every call', () => {
    const routes = new DemandedRoutes()
    expect(routes.with(relay, 'verify')).toBe(routes.with(relay, 'verify'))
    expect(routes.with(relay, 'verify')).toEqual({ ...relay, tlsDemand: 'verify' })
    expect(routes.with(relay, 'encrypt')).not.toBe(routes.with(relay, 'verify'))
  })
  it('of a relay are never relaxed, and those that dial nobody stay as they are', () => {
    const routes = new DemandedRoutes()
    const capture: Route = { kind: 'capture' }
    expect(routes.with(relay, 'relaxed')).toBe(relay)
    expect(routes.with(capture, 'verify')).toBe(capture)
  })
})
