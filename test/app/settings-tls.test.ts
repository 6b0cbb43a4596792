import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/app/config.ts'
import { ConfigError } from '../../src/app/config-errors.ts'
import { buildSettings, diffSettings, type ServerSettings } from '../../src/app/settings.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'

function settingsOf(yaml: string, files: Readonly<Record<string, string>> = {}): ServerSettings {
  const cwd = makeTempFolder()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text)
  writeFileSync(join(cwd, 'postern.yaml'), `hostname: app.example.com\n${yaml}`)
  return buildSettings(loadConfig({ explicitPath: null, env: {}, cwd }))
}

describe('TLS policies of the configuration', () => {
  it('are opportunistic by default, with what domains publish', () => {
    const { tls, delivery, intake } = settingsOf('')
    expect(tls.policies).toEqual({ fallback: { level: 'may', ca: null, minVersion: 'TLSv1.2' }, dane: true, mtaSts: true, domains: [], hosts: [], port: 25 })
    expect(tls).toMatchObject({ stsCa: null, stsPort: 443, reports: null })
    expect(delivery.tlsDemands).toEqual({ rules: [], heedTlsRequiredNo: false })
    expect(intake.offerRequireTls).toBe(true)
  })
  it('name domains and hosts, as a level or with details', () => {
    const { tls } = settingsOf(
      [
        'tlsPolicy:',
        '  minVersion: TLSv1.3',
        '  ca: all.pem',
        '  domains:',
        '    Example.COM: verify',
        '    "*.gov.example": { level: verify, ca: gov.pem, serverName: mail.gov.example, minVersion: TLSv1.2, hosts: ["*.Mail.gov.example"] }',
        '    plain.example: { level: verify }',
        '  hosts: { "*.mail.example": dane-only }',
      ].join('\n'),
      { 'all.pem': PEM, 'gov.pem': `${PEM}gov` },
    )
    expect(tls.policies.fallback).toEqual({ level: 'may', ca: PEM, minVersion: 'TLSv1.3' })
    expect(tls.policies.domains).toEqual([
      { pattern: 'example.com', level: 'verify', ca: PEM, serverName: null, minVersion: 'TLSv1.3', hosts: null },
      { pattern: '*.gov.example', level: 'verify', ca: `${PEM}gov`, serverName: 'mail.gov.example', minVersion: 'TLSv1.2', hosts: ['*.mail.gov.example'] },
      { pattern: 'plain.example', level: 'verify', ca: PEM, serverName: null, minVersion: 'TLSv1.3', hosts: null },
    ])
    expect(tls.policies.hosts).toMatchObject([{ pattern: '*.mail.example', level: 'dane-only' }])
  })
  it('demand more of chosen mail', () => {
    const { delivery } = settingsOf('tlsPolicy: { require: [{ to: [a@x.example, y.example], from: "<>", level: encrypt }], tlsRequiredNo: true }')
    const [rule] = delivery.tlsDemands?.rules ?? []
    expect([rule?.to?.('a@x.example'), rule?.to?.('b@x.example'), rule?.to?.('b@y.example'), rule?.from?.('<>')]).toEqual([true, false, true, true])
    expect(delivery.tlsDemands?.heedTlsRequiredNo).toBe(true)
  })
  it('switch things off', () => {
    const { tls, intake } = settingsOf('tlsPolicy: { dane: off, mtaSts: false, requireTls: false }')
    expect([tls.policies.dane, tls.policies.mtaSts, intake.offerRequireTls]).toEqual([false, false, false])
  })
  it('have reports with names of our own, or those that are given', () => {
    const own = {
      from: 'tls-reports@app.example.com',
      contact: 'tls-reports@app.example.com',
      organization: 'app.example.com',
      submitter: 'app.example.com',
      afterMs: 1_800_000,
    }
    expect(settingsOf('tlsPolicy: { reports: true }').tls.reports).toEqual(own)
    const named = settingsOf('tlsPolicy: { reports: { from: tls@example.com, contact: "admin@example.com", organization: Example, after: 1h } }').tls.reports
    expect(named).toEqual({ from: 'tls@example.com', contact: 'admin@example.com', organization: 'Example', submitter: 'example.com', afterMs: 3_600_000 })
  })
  it('need files with certificates in them', () => {
    expect(() => settingsOf('tlsPolicy: { ca: gone.pem }')).toThrow(ConfigError)
    expect(() => settingsOf('tlsPolicy: { mtaStsCa: x.pem }', { 'x.pem': 'nothing' })).toThrow(/no certificate in PEM form/)
    expect(() => settingsOf('tlsPolicy: { domains: { x.example: { level: verify, ca: x.pem } } }', { 'x.pem': 'nothing' })).toThrow(/tlsPolicy\.domains/)
  })
  it('change at a reload, without a restart', () => {
    const changes = diffSettings(settingsOf(''), settingsOf('tlsPolicy: { default: encrypt }'))
    expect(changes).toEqual({ changed: ['tlsPolicy.default'], needsRestart: [] })
  })
})
