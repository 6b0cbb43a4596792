import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TlsaRecord } from '../../src/core/tls-policy.ts'
import { findByName, matchesHostPattern } from '../../src/tls/name-pattern.ts'
import { StsCache } from '../../src/tls/sts-cache.ts'
import { parseStsPolicy, readStsRecords } from '../../src/tls/sts-record.ts'
import { formatTlsa, usableRecords } from '../../src/tls/usable-tlsa.ts'

describe('the TXT record (RFC 8461 §3.1)', () => {
  it.each([
    [['v=STSv1; id=20260101T000000;'], '20260101T000000'],
    [['v=STSv1;id=a'], 'a'],
    [['v=STSv1 ; id=a ; later=x'], 'a'],
    [['v=STSv1; first=1; id=b'], 'b'],
    [['v=spf1 -all', 'v=STSv1; id=c;'], 'c'],
    [['v=STSv1; id=a', 'v=STSv1; id=a'], null],
    [['v=STSv1'], null],
    [['v=STSv1;'], null],
    [['v=STSv1; id='], null],
    [['v=STSv1; id=a b'], null],
    [[`v=STSv1; id=${'a'.repeat(33)}`], null],
    [['V=STSv1; id=a'], null],
    [['v=STSv2; id=a'], null],
    [['id=a; v=STSv1'], null],
    [[''], null],
  ])('%j has the id %j', (records, id) => {
    expect(readStsRecords(records)).toBe(id)
  })
  it('reads anything without harm', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string(), { maxLength: 4 }),
        (records) => void expect([null, 'string']).toContain(readStsRecords(records) === null ? null : 'string'),
      ),
    )
  })
})

const POLICY = 'version: STSv1\r\nmode: enforce\r\nmx: mx.example.test\r\nmx: *.Backup.test\r\nmax_age: 86400\r\n'

describe('the policy (RFC 8461 §3.2)', () => {
  it('is read, hosts in lower case', () => {
    expect(parseStsPolicy(POLICY)).toEqual({
      kind: 'policy',
      policy: {
        mode: 'enforce',
        hosts: ['mx.example.test', '*.backup.test'],
        maxAgeS: 86_400,
        lines: ['version: STSv1', 'mode: enforce', 'mx: mx.example.test', 'mx: *.Backup.test', 'max_age: 86400'],
      },
    })
  })
  it.each([
    ['line feeds alone', POLICY.replaceAll('\r', ''), 'enforce'],
    ['no line end at its end', POLICY.trimEnd(), 'enforce'],
    ['fields that are new', `${POLICY}later: x\r\n`, 'enforce'],
    ['a second mode, of which the first counts', `${POLICY}mode: none\r\n`, 'enforce'],
    ['another order', 'max_age: 1\nmode: testing\nmx: a.test\nversion: STSv1', 'testing'],
    ['mode none without hosts', 'version: STSv1\nmode: none\nmax_age: 1', 'none'],
  ])('may have %s', (_, text, mode) => {
    expect(parseStsPolicy(text)).toMatchObject({ kind: 'policy', policy: { mode } })
  })
  it.each([
    ['an unknown mode', POLICY.replace('enforce', 'report')],
    ['no mode', POLICY.replace(/mode.*\r\n/, '')],
    ['no version', POLICY.replace(/version.*\r\n/, '')],
    ['another version', POLICY.replace('STSv1', 'STSv2')],
    ['no max_age', POLICY.replace(/max_age.*\r\n/, '')],
    ['a negative max_age', POLICY.replace('86400', '-1')],
    ['a max_age with a unit', POLICY.replace('86400', '1d')],
    ['a max_age of eleven digits', POLICY.replace('86400', '99999999999')],
    ['no hosts', POLICY.replace(/mx.*\r\n/g, '')],
    ['a star inside a host', POLICY.replace('*.Backup.test', 'mx*.backup.test')],
    ['two stars', POLICY.replace('*.Backup.test', '*.*.test')],
    ['a star alone', POLICY.replace('*.Backup.test', '*')],
    ['an empty host', POLICY.replace('*.Backup.test', '')],
    ['a host with a path', POLICY.replace('*.Backup.test', 'a/b')],
    ['a line that is no field', `${POLICY}hello\r\n`],
    ['HTML', '<html><body>not here</body></html>'],
    ['nothing', ''],
    ['hundreds of hosts', POLICY + 'mx: a.test\r\n'.repeat(200)],
  ])('with %s is no policy', (_, text) => {
    expect(parseStsPolicy(text).kind).toBe('invalid')
  })
  it('a max_age of ten years is taken for one', () => {
    expect(parseStsPolicy(POLICY.replace('86400', '315576000'))).toMatchObject({ policy: { maxAgeS: 31_557_600 } })
  })
  it('reads anything without harm', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom(...POLICY.trim().split('\r\n')),
      fc.string().map((value) => `mx: ${value}`),
    )
    fc.assert(
      fc.property(fc.array(line), fc.constantFrom('\n', '\r\n'), (lines, end) => {
        const parsed = parseStsPolicy(lines.join(end))
        if (parsed.kind === 'policy') for (const host of parsed.policy.hosts) expect(host).toMatch(/^(?:\*\.)?[a-z0-9.-]+$/)
      }),
    )
  })
})

describe('names and patterns', () => {
  it.each([
    ['mx.y.test', 'mx.y.test', true],
    ['*.y.test', 'mx.y.test', true],
    ['*.y.test', 'a.b.y.test', false],
    ['*.y.test', 'y.test', false],
    ['*.y.test', '.y.test', false],
    ['y.test', 'mx.y.test', false],
  ])('a host of MTA-STS: %s for %s is %s', (pattern, name, matches) => {
    expect(matchesHostPattern(pattern, name)).toBe(matches)
  })
  it('in the configuration the exact name goes first, then the longest pattern', () => {
    const rules = ['*.test', '*.example.test', 'mx.example.test'].map((pattern) => ({ pattern }))
    const found = ['mx.example.test', 'a.b.example.test', 'example.test', 'test', 'other'].map((name) => findByName(rules, name)?.pattern ?? null)
    expect(found).toEqual(['mx.example.test', '*.example.test', '*.test', null, null])
  })
})

describe('TLSA records that can be used (RFC 7672 §3.1)', () => {
  const record = (usage: number, selector: number, matching: number, octets: number): TlsaRecord => ({
    usage,
    selector,
    matching,
    association: new Uint8Array(octets),
  })
  it.each([
    [3, 1, 1, 32, true],
    [3, 0, 2, 64, true],
    [2, 0, 0, 900, true],
    [2, 1, 1, 32, true],
    [0, 1, 1, 32, false],
    [1, 1, 1, 32, false],
    [4, 1, 1, 32, false],
    [255, 1, 1, 32, false],
    [3, 2, 1, 32, false],
    [3, 1, 3, 32, false],
    [3, 1, 1, 31, false],
    [3, 1, 1, 0, false],
    [3, 1, 2, 32, false],
    [3, 1, 0, 0, false],
    [3, 1, 0, 20_000, false],
  ])('%i %i %i with %i octets: %s', (usage, selector, matching, octets, usable) => {
    expect(usableRecords([record(usage, selector, matching, octets)])).toHaveLength(usable ? 1 : 0)
  })
  it('of two digests of the same thing the stronger one counts (RFC 7671 §9)', () => {
    const records = [record(3, 1, 1, 32), record(3, 1, 2, 64), record(2, 1, 1, 32), record(3, 1, 0, 91)]
    expect(usableRecords(records).map(({ usage, matching }) => `${usage} ${matching}`)).toEqual(['3 2', '2 1', '3 0'])
  })
  it('are told as in a zone file', () => {
    expect(formatTlsa({ usage: 3, selector: 1, matching: 1, association: Uint8Array.of(0, 15, 255) })).toBe('3 1 1 000fff')
  })
})

describe('the text between restarts', () => {
  const now = Date.UTC(2026, 0, 1)
  const parsed = parseStsPolicy(POLICY)
  if (parsed.kind === 'invalid') throw new Error(parsed.detail)
  const { policy } = parsed
  it('holds what was known, without what has expired', () => {
    const cache = new StsCache()
    cache.set('example.test', { id: 'a', policy, fetchedAt: now })
    cache.set('old.test', { id: 'b', policy, fetchedAt: now - 86_400_001 })
    const read = new StsCache()
    expect(read.load(cache.dump(now))).toBe(true)
    expect(read.get('example.test', now)).toEqual({ id: 'a', policy, fetchedAt: now })
    expect(read.get('old.test', now - 1)).toBeNull()
    expect(read.get('example.test', now + 86_400_000)).toBeNull()
  })
  it('that is damaged anywhere is no text, and nothing is taken from it', () => {
    const cache = new StsCache()
    cache.set('example.test', { id: 'a', policy, fetchedAt: now })
    const text = cache.dump(now)
    fc.assert(
      fc.property(fc.nat(text.length - 3), (length) => {
        const read = new StsCache()
        expect(read.load(text.slice(0, length))).toBe(false)
        expect(read.get('example.test', now)).toBeNull()
      }),
    )
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (other) => void new StsCache().load(other)))
  })
  it('has room for so many characters of all policies together', () => {
    const cache = new StsCache()
    const long = { ...policy, lines: ['x'.repeat(1024 * 1024)] }
    for (let i = 0; i < 40; i++) cache.set(`d${i}.test`, { id: 'a', policy: long, fetchedAt: now })
    for (let i = 0; i < 40; i++) cache.set('same.test', { id: 'a', policy: long, fetchedAt: now })
    expect(cache.dump(now).length).toBeLessThan(17 * 1024 * 1024)
    expect([cache.get('d39.test', now) !== null, cache.get('d0.test', now)]).toEqual([true, null])
  })
  it('has room for ten thousand; those that demand nothing go first', () => {
    const cache = new StsCache()
    cache.set('first.test', { id: 'a', policy, fetchedAt: now })
    cache.set('idle.test', { id: 'a', policy: { ...policy, mode: 'none' }, fetchedAt: now })
    for (let i = 0; i < 9_999; i++) cache.set(`d${i}.test`, { id: 'a', policy, fetchedAt: now })
    expect(cache.get('idle.test', now)).toBeNull()
    expect(cache.get('first.test', now)).not.toBeNull()
  })
})
