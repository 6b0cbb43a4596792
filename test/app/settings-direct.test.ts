/**
 * What the configuration tells direct delivery: our side, and what is ourselves.
 */
import { networkInterfaces } from 'node:os'
import { describe, expect, it } from 'vitest'
import { loadConfigText } from '../../src/app/config.ts'
import { buildDirectSettings, buildMxPolicy } from '../../src/app/settings-direct.ts'

function configOf(yaml: string) {
  return loadConfigText(`hostname: Mail.Example.com\n${yaml}`, '/x/postern.yaml', { explicitPath: '/x/postern.yaml', env: {}, cwd: '/x', checkFiles: false })
    .config
}
const policyOf = (yaml: string) => buildMxPolicy(configOf(yaml))

describe('ourselves', () => {
  it('are the names we go by', () => {
    const { ownNames } = policyOf('direct: { ipv4: { heloName: out4.example.com }, ipv6: { heloName: OUT6.example.com } }')
    expect([...ownNames].sort()).toEqual(['mail.example.com', 'out4.example.com', 'out6.example.com'])
  })

  it('are where we listen on the port that is dialled', () => {
    const { isOurs } = policyOf('listen: ["smtp://127.0.0.1:25", "smtp://127.0.0.2:2525"]')
    expect([isOurs('127.0.0.1'), isOurs('127.0.0.2'), isOurs('192.0.2.1')]).toEqual([true, false, false])
  })

  it('are all addresses of the machine where we listen on all of them', () => {
    const own = Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address))
    const { isOurs } = policyOf('listen: ["smtp://0.0.0.0:25"]\nnetworks: [10.0.0.0/8]')
    expect(own.length).toBeGreaterThan(0)
    for (const address of [...own, '127.0.0.7']) expect(isOurs(address), address).toBe(true)
    expect(isOurs('203.0.113.200')).toBe(false)
    expect(own.some((address) => address !== '127.0.0.1' && policyOf('listen: ["smtp://127.0.0.1:25"]').isOurs(address))).toBe(false)
  })

  it('are addresses that lead here from elsewhere', () => {
    expect(policyOf('direct: { ownAddresses: [203.0.113.5] }').isOurs('203.0.113.5')).toBe(true)
    const { isOurs } = policyOf('direct: { ownAddresses: ["2001:DB8:0:0::5"] }\nlisten: ["smtp://[2001:DB8:0::6]:25"]\nnetworks: [10.0.0.0/8]')
    expect(['2001:db8::5', '2001:db8::6', '2001:db8::7'].map(isOurs)).toEqual([true, true, false])
  })
})

describe('our side', () => {
  it('is by default the same for both families', () => {
    const { ipv4, ipv6, port, limits, fallOverMs } = buildDirectSettings(configOf(''))
    const side = { sourceAddress: null, heloName: 'Mail.Example.com' }
    expect({ ipv4, ipv6, port, fallOverMs }).toEqual({ ipv4: side, ipv6: side, port: 25, fallOverMs: 5_000 })
    expect(limits).toMatchObject({ sessionsMax: 20, sessionsInitial: 5, messagesPerSession: 100 })
  })

  it('may have an address and a name for each', () => {
    const { ipv4, ipv6 } = buildDirectSettings(configOf('direct: { ipv4: { source: 192.0.2.1 }, ipv6: { source: "2001:db8::1", heloName: six.example.com } }'))
    expect([ipv4, ipv6]).toEqual([
      { sourceAddress: '192.0.2.1', heloName: 'Mail.Example.com' },
      { sourceAddress: '2001:db8::1', heloName: 'six.example.com' },
    ])
  })
})
