import { describe, expect, it } from 'vitest'
import { configSchema } from '../../src/app/config-schema.ts'
import type { DkimConfig, DkimKeyConfig } from '../../src/app/config-schema-dkim.ts'
import { formatMoment, freeSelector, nextStep, planKeys } from '../../src/app/dkim-plan.ts'
import { recordText } from '../../src/app/dkim-record-text.ts'

const NOW = Date.UTC(2026, 10, 22, 18)
const DAY = 86_400_000
type Written = Partial<DkimKeyConfig> & { readonly selector: string }

function plan(...keys: readonly Written[]) {
  if (keys.length === 0) return []
  const written = { keys: { 'a.example': keys.map((key) => ({ key: { file: `${key.selector}.pem` }, ...key })) } }
  const dkim: DkimConfig = configSchema.parse({ dkim: written }).dkim
  return planKeys(dkim, ({ selector }) => (selector.startsWith('e') ? 'ed25519' : selector.startsWith('x') ? null : 'rsa'), NOW)
}
const states = (...keys: readonly Written[]) => plan(...keys).map(({ config, state }) => `${config.selector} ${state}`)
const step = (...keys: readonly Written[]) => {
  const next = nextStep(plan(...keys), NOW)
  const names = (list: readonly { readonly config: DkimKeyConfig }[]) => list.map(({ config }) => config.selector).join()
  switch (next.kind) {
    case 'begin':
      return `begin ${next.types.join()}`
    case 'switch':
      return `switch to ${names(next.fresh)} from ${names(next.old)}`
    case 'rest':
      return `rest ${names(next.old)} until ${formatMoment(next.until)}`
    case 'remove':
      return `remove ${names(next.old)}`
    case 'no-keys':
      return 'no keys'
  }
}
const at = (days: number): string => formatMoment(NOW + days * DAY)

describe('what a key is for now', () => {
  it('is told by its place, its times and whether it is active', () => {
    expect(states({ selector: 's1' })).toEqual(['s1 signs'])
    expect(states({ selector: 's1' }, { selector: 's2' })).toEqual(['s1 spare', 's2 signs'])
    expect(states({ selector: 's1' }, { selector: 'e1' })).toEqual(['s1 signs', 'e1 signs'])
    expect(states({ selector: 's1' }, { selector: 's2', active: false })).toEqual(['s1 signs', 's2 waits'])
    expect(states({ selector: 's1', notAfter: at(-1) }, { selector: 's2', notBefore: at(1) })).toEqual(['s1 ended', 's2 later'])
    expect(states({ selector: 's1', notAfter: at(0) }, { selector: 's2', notBefore: at(0) })).toEqual(['s1 ended', 's2 signs'])
  })
})

describe('the next step of a rotation', () => {
  it.each([
    ['begin rsa', [{ selector: 's1' }]],
    ['begin rsa,ed25519', [{ selector: 's1' }, { selector: 'e1' }]],
    ['begin ed25519', [{ selector: 'e1' }]],
    ['switch to s2 from s1', [{ selector: 's1' }, { selector: 's2', active: false }]],
    ['switch to s2 from s1', [{ selector: 's1' }, { selector: 'e1' }, { selector: 's2', active: false }]],
    [`rest s1 until ${at(6)}`, [{ selector: 's1', notAfter: at(-1) }, { selector: 's2' }]],
    ['remove s1', [{ selector: 's1', notAfter: at(-7) }, { selector: 's2' }]],
    ['remove s1', [{ selector: 's1', notAfter: at(-9) }, { selector: 's2', notAfter: at(-1) }, { selector: 's3' }]],
    // Nothing is left to sign: a new key is what is needed.
    ['begin rsa', [{ selector: 's1', notAfter: at(-9) }]],
    ['no keys', []],
  ])('is to %s', (expected, keys) => expect(step(...(keys as readonly Written[]))).toBe(expected))
})

describe('a selector', () => {
  it('is named by the month, and never twice', () => {
    expect(freeSelector([], 'rsa', NOW)).toBe('s202611')
    expect(freeSelector(['s202611'], 'rsa', NOW)).toBe('s202611b')
    expect(freeSelector(['s202611', 's202611b'], 'rsa', NOW)).toBe('s202611c')
    expect(freeSelector(['s202611'], 'ed25519', NOW)).toBe('s202611-ed')
    expect(
      freeSelector(
        Array.from({ length: 26 }, (_, n) => `s202611${n === 0 ? '' : String.fromCharCode(97 + n)}`),
        'rsa',
        NOW,
      ),
    ).toBe('s20261126')
  })
})

describe('a record to paste', () => {
  it('is one string where that is enough', () => {
    expect(recordText('s1._domainkey.a.example', 'v=DKIM1; p=x')).toEqual({
      name: 's1._domainkey.a.example',
      type: 'TXT',
      ttl: 3600,
      value: 'v=DKIM1; p=x',
      strings: ['v=DKIM1; p=x'],
      zoneLine: 's1._domainkey.a.example. 3600 IN TXT "v=DKIM1; p=x"',
    })
  })

  it('is split into strings of at most 255 octets', () => {
    const value = 'v=DKIM1; p='.padEnd(600, 'x')
    const { strings, zoneLine } = recordText('s1._domainkey.a.example', value)
    expect(strings.map((text) => text.length)).toEqual([255, 255, 90])
    expect(strings.join('')).toBe(value)
    expect(zoneLine).toBe(`s1._domainkey.a.example. 3600 IN TXT ( "${strings[0]}"\n    "${strings[1]}"\n    "${strings[2]}" )`)
  })
})
