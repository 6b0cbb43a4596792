import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/app/config.ts'
import { asYaml, defaultConfig, differencesFromDefaults, resolvedConfig, shownConfig } from '../../src/app/config-view.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const HASH = '$scrypt$ln=15,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'
const YAML = `hostname: app.example.com
retry: { min: 5m, max: 2h }
users:
  - { name: crm, passwordHash: "${HASH}" }
relays:
  google:
    host: [ "smtp.example.net:submissions", "[::1]:587" ]
    credentials:
      jira: { username: jira@example.com, password: { env: NOT_SHOWN } }
`
function loaded() {
  const cwd = makeTempFolder()
  writeFileSync(join(cwd, 'postern.yaml'), YAML)
  return loadConfig({ explicitPath: null, env: { NOT_SHOWN: 'hunter2' }, cwd })
}

describe('what is shown', () => {
  it('is the configuration in force, as it would be written', () => {
    const shown = shownConfig(loaded())
    expect(shown.retry).toEqual({ min: '5m', max: '2h', greylist: '2m', factor: 2, jitter: 0.2, lifetime: '5d' })
    expect(shown.relays).toMatchObject({ google: { credentials: { jira: { password: { env: 'NOT_SHOWN' } } } } })
  })

  it('resolved: with all that is implied worked out', () => {
    const config = loaded()
    const resolved = resolvedConfig(config)
    expect(resolved).toMatchObject({
      data: join(config.folder, 'var'),
      admin: join(config.folder, 'var/postern.sock'),
      routes: [{ via: 'google' }],
      dsn: { from: 'MAILER-DAEMON@app.example.com' },
      listen: [{ url: 'smtp://127.0.0.1:2525', pipelining: false, authWithoutTls: true, tls: false }],
      relays: {
        google: {
          host: ['smtp.example.net:465 (TLS from the first byte)', '[::1]:587'],
          tls: { level: 'verify' },
          credentials: { jira: { password: '(set: environment variable NOT_SHOWN)' } },
        },
      },
      limitsUnderPressure: { messageSize: '50 MB', commandTime: '10s' },
    })
  })

  it('never holds a secret or a hash', () => {
    const config = loaded()
    for (const shown of [shownConfig(config), resolvedConfig(config), differencesFromDefaults(config), config.warnings]) {
      expect(JSON.stringify(shown)).not.toMatch(/hunter2|aGFzaGhhc2/)
      expect(asYaml(shown)).not.toMatch(/hunter2|aGFzaGhhc2/)
    }
  })
})

it('the differences are what is written and says something else than the default', () => {
  expect(differencesFromDefaults(loaded()).map(({ key, default: standard }) => [key, standard])).toEqual([
    ['hostname', undefined],
    ['retry.max', '1h'],
    ['users', []],
    ['relays.google.host', undefined],
    ['relays.google.credentials.jira.username', undefined],
    ['relays.google.credentials.jira.password', undefined],
  ])
})

it('the defaults are a configuration themselves', () => {
  const cwd = makeTempFolder()
  writeFileSync(join(cwd, 'postern.yaml'), asYaml(defaultConfig()))
  expect(loadConfig({ explicitPath: null, env: {}, cwd }).config).toEqual(defaultConfig())
})
