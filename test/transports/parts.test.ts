import { describe, expect, it } from 'vitest'
import type { DomainName } from '../../src/core/brand.ts'
import { createCaptureTransport } from '../../src/transports/capture-transport.ts'
import { HostMemory } from '../../src/transports/host-memory.ts'
import { asciiMailbox } from '../../src/transports/peer-fit.ts'
import { decideTlsStep, mayGoPlain, tlsOptionsOf } from '../../src/transports/tls-policy.ts'
import { makeBatch, makeRelay } from '../support/smtp-bench.ts'

describe('an address in ASCII', () => {
  const ascii = (localPart: string, domain: string) => asciiMailbox({ localPart, domain: domain as DomainName })?.domain
  it.each([
    ['bücher.example', 'xn--bcher-kva.example'],
    ['BÜCHER.example', 'xn--bcher-kva.example'],
    ['例え.テスト', 'xn--r8jz45g.xn--zckzah'],
    ['receiver.example', 'receiver.example'],
  ])('has %s as %s', (domain, expected) => expect(ascii('ann', domain)).toBe(expected))
  it.each(['bücher.example/x', 'bücher.example:25', 'ü@x.example', 'ü?x.example', 'ü%41.example', 'ü\r\n.example', '[ü]', 'ü#.example'])(
    'has nothing for %j',
    (domain) => {
      expect(asciiMailbox({ localPart: 'ann', domain: domain as DomainName })).toBeNull()
    },
  )
  it('has nothing for a local part that is not', () => expect(ascii('jürgen', 'receiver.example')).toBeUndefined())
  it('keeps address literals', () => {
    const literal = { localPart: 'ann', domain: { addressLiteral: '192.0.2.1' } }
    expect(asciiMailbox(literal)).toBe(literal)
  })
})

describe('the TLS level', () => {
  const at = (active: boolean, offered: boolean, plainOnly = false) => ({ active, offered, plainOnly })
  it.each([
    ['none', at(false, true), 'proceed'],
    ['may', at(false, true), 'starttls'],
    ['may', at(false, false), 'proceed'],
    ['may', at(false, true, true), 'proceed'],
    ['encrypt', at(false, true, true), 'starttls'],
    ['encrypt', at(false, false), 'refuse'],
    ['verify', at(false, false), 'refuse'],
    ['verify', at(true, false), 'proceed'],
  ] as const)('%s, %o: %s', (level, situation, expected) => expect(decideTlsStep(level, situation)).toBe(expected))
  it('lets only may go plain, and never where TLS is implicit', () => {
    const host = { host: 'relay.test', port: 25, implicitTls: false }
    expect((['none', 'may', 'encrypt', 'verify'] as const).filter((level) => mayGoPlain(level, host))).toEqual(['may'])
    expect(mayGoPlain('may', { ...host, implicitTls: true })).toBe(false)
  })
  it('asks for the name in the brackets', () => {
    const tls = makeRelay(25).tls
    const nameOf = (host: string) => tlsOptionsOf({ host, port: 25, implicitTls: false }, tls, 'key').serverName
    expect(['relay.test', '[relay.test]', '[192.0.2.1]', '[IPv6:2001:db8::1]'].map(nameOf)).toEqual(['relay.test', 'relay.test', '192.0.2.1', '2001:db8::1'])
  })
})

describe('the memory of hosts', () => {
  it('puts what failed last, for minutes', () => {
    const memory = new HostMemory()
    const order = (nowMs: number) => memory.order(['a', 'b', 'c'], (one) => one, nowMs)
    expect(order(0)).toEqual(['a', 'b', 'c'])
    memory.failed('a', 0)
    expect(order(1)).toEqual(['b', 'c', 'a'])
    memory.worked('a', 4)
    expect(order(2)).toEqual(['a', 'b', 'c'])
    memory.failed('b', 0)
    expect(order(120_001)).toEqual(['a', 'b', 'c'])
  })
  it('stays small', () => {
    const memory = new HostMemory()
    for (let i = 0; i < 10_000; i++) memory.failed(`host ${i}`, 0)
    expect(memory.order(['host 0', 'x'], (one) => one, 1)).toEqual(['host 0', 'x'])
  })
})

describe('the capture transport', () => {
  it('delivers everything to nobody, and opens no content', async () => {
    const batch = makeBatch(makeRelay(25), { to: ['a@r.example', 'b@r.example'], openContent: () => Promise.reject(new Error('not to be opened')) })
    const report = await createCaptureTransport().deliver(batch, new AbortController().signal)
    expect([...report.outcomes.values()].map((outcome) => outcome.kind)).toEqual(['delivered', 'delivered'])
    expect(report.hop).toEqual({ kind: 'healthy' })
  })
})
