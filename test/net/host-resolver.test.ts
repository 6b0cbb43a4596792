import { describe, expect, it } from 'vitest'
import { createHostResolver, parseLiteral } from '../../src/net/host-resolver.ts'
import type { NetworkAddress } from '../../src/ports/network.ts'
import { createFakeClock } from '../support/fake-clock.ts'

const ONE: NetworkAddress = { address: '192.0.2.1', family: 4 }
const TWO: NetworkAddress = { address: '2001:db8::2', family: 6 }

function setup(answer: (host: string) => Promise<readonly NetworkAddress[]> = () => Promise.resolve([ONE, TWO])) {
  const clock = createFakeClock()
  const asked: string[] = []
  const resolver = createHostResolver({
    clock,
    ttlMs: 30_000,
    negativeTtlMs: 5_000,
    timeoutMs: 10_000,
    lookup: (host) => {
      asked.push(host)
      return answer(host)
    },
  })
  return { clock, asked, resolver }
}

describe('address literals', () => {
  it.each([
    ['192.0.2.1', ONE],
    ['[192.0.2.1]', ONE],
    ['2001:db8::2', TWO],
    ['[2001:db8::2]', TWO],
    ['[IPv6:2001:db8::2]', TWO],
    ['[ipv6:2001:db8::2]', TWO],
  ])('%s is itself', (host, expected) => expect(parseLiteral(host)).toEqual(expected))
  it.each(['relay.example', '192.0.2', '[relay.example]', '', '192.0.2.1.5', '0x7f000001', '[192.0.2.1'])('%s is a name', (host) =>
    expect(parseLiteral(host)).toBeNull(),
  )
  it('ask nobody', async () => {
    const { resolver, asked } = setup()
    expect(await resolver.addresses('[IPv6:2001:db8::2]')).toEqual([TWO])
    expect(asked).toEqual([])
  })
})

describe('names', () => {
  it('are asked once while the answer is good, then again', async () => {
    const { resolver, asked, clock } = setup()
    await resolver.addresses('relay.example')
    await resolver.addresses('relay.example')
    expect(asked).toHaveLength(1)
    await clock.advance(30_001)
    await resolver.addresses('relay.example')
    expect(asked).toHaveLength(2)
    expect(clock.pending).toBe(0)
  })
  it('share one look-up while it is in flight', async () => {
    const { resolver, asked } = setup()
    const both = await Promise.all([resolver.addresses('relay.example'), resolver.addresses('relay.example')])
    expect(both).toEqual([
      [ONE, TWO],
      [ONE, TWO],
    ])
    expect(asked).toHaveLength(1)
  })
  it('that do not exist are asked again after seconds only', async () => {
    const { resolver, asked, clock } = setup(() => Promise.reject(Object.assign(new Error('not found'), { code: 'ENOTFOUND' })))
    await expect(resolver.addresses('gone.example')).rejects.toMatchObject({ cause: { code: 'ENOTFOUND' } })
    await expect(resolver.addresses('gone.example')).rejects.toThrow('gone.example')
    expect(asked).toHaveLength(1)
    await clock.advance(5_001)
    await expect(resolver.addresses('gone.example')).rejects.toThrow()
    expect(asked).toHaveLength(2)
  })
  it('without any address are not found', async () => {
    const { resolver } = setup(() => Promise.resolve([]))
    await expect(resolver.addresses('empty.example')).rejects.toMatchObject({ cause: { code: 'ENOTFOUND' } })
  })
  it('that nobody answers for end at the deadline', async () => {
    const { resolver, clock } = setup(() => new Promise(() => undefined))
    const failed = expect(resolver.addresses('slow.example')).rejects.toMatchObject({ cause: { code: 'ETIMEDOUT' } })
    await clock.advance(10_000)
    await failed
  })
  it('of this machine are found', async () => {
    const resolver = createHostResolver({ clock: createFakeClock() })
    const found = await resolver.addresses('localhost')
    expect(found.map((one) => one.address)).toContain('127.0.0.1')
  })
})
