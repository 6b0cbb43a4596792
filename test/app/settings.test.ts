import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/app/config.ts'
import { ConfigError } from '../../src/app/config-errors.ts'
import { buildSettings, diffSettings, type ServerSettings } from '../../src/app/settings.ts'
import { verifyPassword } from '../../src/intake/password-hash.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const TLS = new URL('../fixtures/tls/', import.meta.url).pathname

function settingsOf(yaml: string, env: Record<string, string> = {}): ServerSettings {
  const cwd = makeTempFolder()
  writeFileSync(join(cwd, 'postern.yaml'), `hostname: app.example.com\n${yaml}`)
  return buildSettings(loadConfig({ explicitPath: null, env, cwd }))
}
function firstRelay(settings: ServerSettings) {
  const [relay] = [...settings.delivery.relays.values()]
  if (relay === undefined) throw new Error('no relay')
  return relay
}

describe('the defaults', () => {
  it('are those of RFC 5321 and of reliability', () => {
    const { intake, delivery, retention } = settingsOf('relays: { g: { host: "smtp.example.net:587" } }')
    expect(intake.limits).toEqual({
      messageOctets: 50_000_000,
      commandLineOctets: 12_288,
      textLineOctets: 65_536,
      headerOctets: 102_400,
      recipients: 1000,
      hops: 50,
      connections: 500,
      connectionsPerClient: 200,
      errorsPerSession: 20,
      junkPerSession: 100,
      commandMs: 300_000,
      authGuessesPerSession: 3,
      authGuessesPerClient: 10,
      minOctetsPerSecond: 500,
      sessionMs: 43_200_000,
    })
    expect(intake.limitsUnderPressure).toEqual({ ...intake.limits, errorsPerSession: 1, junkPerSession: 1, commandMs: 10_000 })
    expect(firstRelay({ intake, delivery, retention } as ServerSettings).settings.timeouts).toEqual({
      connectMs: 30_000,
      greetingMs: 300_000,
      ehloMs: 300_000,
      starttlsMs: 120_000,
      authMs: 120_000,
      mailMs: 300_000,
      rcptMs: 300_000,
      dataMs: 120_000,
      contentMs: 180_000,
      finalDotMs: 600_000,
      rsetMs: 20_000,
      quitMs: 10_000,
    })
    expect(delivery.retry).toEqual({ greylistMs: 120_000, minDelayMs: 300_000, maxDelayMs: 3_600_000, factor: 2, lifetimeMs: 432_000_000, jitter: 0.2 })
    expect(delivery.delayNoticeAfterMs).toBe(14_400_000)
    expect(delivery.dsn).toEqual({ from: 'MAILER-DAEMON@app.example.com', returnFullMaxOctets: 50_000, perSenderPerHourMax: 60, postmaster: null })
    expect(retention).toEqual({ historyMs: 30 * 86_400_000, contentMs: 86_400_000, capturedMs: 14 * 86_400_000, contentOctets: 256_000_000 })
  })

  it('without relay and routes capture all mail', () => {
    const { routes, relays } = settingsOf('').delivery
    expect(relays.size).toBe(0)
    expect(routes.map(({ label, target }) => [label, target.kind])).toEqual([
      ['default route', 'capture'],
      ['no route matches', 'hold'],
    ])
  })

  it('send all mail through the only relay', () => {
    const [route] = settingsOf('relays: { g: { host: a } }').delivery.routes
    expect(route?.target).toEqual({ kind: 'relay', relay: 'g', credential: null })
  })
})

describe('listeners', () => {
  it('on loopback offer no pipelining and login without TLS; elsewhere the other way round', () => {
    const { listeners } = settingsOf('networks: [10.0.0.0/8]\nlisten: [smtp://127.0.0.1:25, smtp://10.0.0.1:25]').intake
    expect(listeners.map(({ host, port, pipelining, authWithoutTls, tls }) => [host, port, pipelining, authWithoutTls, tls])).toEqual([
      ['127.0.0.1', 25, false, true, null],
      ['10.0.0.1', 25, true, false, null],
    ])
  })

  it('take the certificate at the top, their own, or none', () => {
    const { listeners } = settingsOf(
      `tls: { cert: ${TLS}one.pem, key: ${TLS}one.key }\nlisten:\n  - smtps://127.0.0.1:465\n  - { url: smtp://127.0.0.1:25, tls: { cert: ${TLS}two.pem, key: ${TLS}two.key } }\n  - { url: smtp://127.0.0.1:26, tls: false }\n`,
    ).intake
    const [first, second, third] = listeners
    expect(first?.implicitTls).toBe(true)
    expect(first?.tls?.cert).toContain('-----BEGIN CERTIFICATE-----')
    expect(second?.tls?.cert).not.toBe(first?.tls?.cert)
    expect(third?.tls).toBeNull()
  })
})

it('a user with a password elsewhere gets a hash of it', async () => {
  const { users } = settingsOf('users: [{ name: crm, password: { env: CRM }, senders: ["*@example.com"] }]', { CRM: 'hunter2' }).intake
  expect(await verifyPassword('hunter2', users[0]?.passwordHash ?? '')).toBe(true)
  expect(await verifyPassword('hunter3', users[0]?.passwordHash ?? '')).toBe(false)
  expect(users[0]?.senders.map((matches) => [matches('a@example.com'), matches('a@example.net')])).toEqual([[true, false]])
})

it('limits under pressure are never milder than the others', () => {
  const { limits, limitsUnderPressure } = settingsOf(
    'limits: { commandTime: 5s, minRate: 1 KB, errorsPerSession: 5 }\nlimitsUnderPressure: { recipients: 10, minRate: 200, connections: 9000 }',
  ).intake
  expect(limitsUnderPressure).toEqual({ ...limits, errorsPerSession: 1, junkPerSession: 1, recipients: 10 })
})

describe('relays', () => {
  const RELAY = `relays:
  google:
    host: [ "a.example.com:465", "b.example.com" ]
    source: 10.0.0.1
    heloName: out.example.com
    limits: { sessions: 3 }
    credentials:
      jira: { username: jira@example.com, password: { env: P } }
      invoices: { username: billing, password: { env: P }, for: [ invoices@example.com, billing.example.com, "*@x.example.com" ], mechanisms: [ LOGIN ] }
      fallback: { username: mail, password: { env: P } }
`

  it('have hosts in order, limits that fit, and TLS that fits the login', () => {
    const { settings } = firstRelay(settingsOf(RELAY, { P: 'x' }))
    expect(settings.hosts).toEqual([
      { host: 'a.example.com', port: 465, implicitTls: true },
      { host: 'b.example.com', port: 25, implicitTls: false },
    ])
    expect(settings.tls).toEqual({ level: 'verify', ca: null, serverName: null, minVersion: 'TLSv1.2' })
    expect([settings.sourceAddress, settings.heloName, settings.limits.sessionsMax, settings.limits.sessionsInitial]).toEqual([
      '10.0.0.1',
      'out.example.com',
      3,
      3,
    ])
    expect(firstRelay(settingsOf('relays: { g: { host: a } }')).settings.tls.level).toBe('may')
    expect(firstRelay(settingsOf('relays: { g: { host: a, tls: encrypt } }')).settings.tls.level).toBe('encrypt')
  })

  it('have credentials for senders, addresses apart from domains, and one fallback', () => {
    const { credentials } = firstRelay(settingsOf(RELAY, { P: 'x' }))
    expect(
      credentials.map(({ credential, senders, fallback }) => [credential.name, senders.map(({ pattern, kind }) => `${kind} ${pattern}`), fallback]),
    ).toEqual([
      ['jira', ['address jira@example.com'], false],
      ['invoices', ['address invoices@example.com', 'domain billing.example.com', 'domain *@x.example.com'], false],
      ['fallback', [], true],
    ])
    expect(credentials[1]?.credential.mechanisms).toEqual(['LOGIN'])
    expect(credentials[1]?.senders[1]?.matches('a@BILLING.example.com')).toBe(true)
  })

  it('take the only credential for everybody, unless it is for some', () => {
    const only = (more: string) =>
      firstRelay(settingsOf(`relays: { g: { host: a, credentials: { main: { username: u, password: { env: P }${more} } } } }`, { P: 'x' })).credentials[0]
        ?.fallback
    expect([only(''), only(', for: a@b.c'), only(', fallback: false')]).toEqual([true, false, false])
  })

  it('ask for the password at each login', () => {
    const cwd = makeTempFolder()
    writeFileSync(
      join(cwd, 'postern.yaml'),
      'hostname: a.example.com\nrelays: { g: { host: a, credentials: { main: { username: u, password: { file: secret } } } } }',
    )
    writeFileSync(join(cwd, 'secret'), 'first\n', { mode: 0o600 })
    const password = firstRelay(buildSettings(loadConfig({ explicitPath: null, env: {}, cwd }))).credentials[0]?.credential.password
    expect(password?.()).toBe('first')
    writeFileSync(join(cwd, 'secret'), 'second\r\n')
    expect(password?.()).toBe('second')
    writeFileSync(join(cwd, 'secret'), '')
    expect(() => password?.()).toThrow('file secret is empty')
  })
})

describe('routes', () => {
  const rules = () =>
    settingsOf(
      'relays: { g: { host: a } }\nroutes:\n  - { from: [ a@b.c, "*.d.e" ], to: x@y.z, submitter: "login:*", header: { Precedence: bulk }, via: hold }\n  - { from: "<>", via: discard }\n  - via: g',
    ).delivery.routes

  it('are named as they are written', () => {
    expect(rules().map(({ label }) => label)).toEqual([
      'routes[0]: from a@b.c, *.d.e, to x@y.z, submitter login:*, header Precedence: bulk',
      'routes[1]: from <>',
      'routes[2]: all mail',
      'no route matches',
    ])
  })

  it('match by any of several patterns', () => {
    const [first, second] = rules()
    expect(['A@B.C', 'x@y.d.e', 'x@d.e', ''].map((from) => first?.match.from?.(from))).toEqual([true, true, false, false])
    expect(second?.match.from?.('')).toBe(true)
    expect(first?.match.header.map(([name, matches]) => [name, matches('BULK')])).toEqual([['precedence', true]])
    expect(first?.target).toEqual({ kind: 'hold', reason: 'held by a route' })
  })
})

describe('at a reload', () => {
  it('the keys that differ are named, and which of them need a restart', () => {
    const before = settingsOf('relays: { g: { host: a } }\nretry: { min: 1m }\nadmin: /run/a.sock')
    const after = settingsOf('relays: { g: { host: a, limits: { sessions: 3 } }, h: { host: b } }\nroutes: [{ via: g }]\nadmin: /run/b.sock')
    expect(diffSettings(before, after)).toEqual({
      changed: ['admin', 'relays.g.limits.sessions', 'relays.h', 'retry.min', 'routes'],
      needsRestart: ['admin'],
    })
    expect(diffSettings(before, before)).toEqual({ changed: [], needsRestart: [] })
  })

  it('what can no longer be read, now that root was given up, stays as it was read', () => {
    const cwd = makeTempFolder()
    const write = (name: string, text: string) => writeFileSync(join(cwd, name), text, { mode: 0o600 })
    write('c.pem', readFileSync(`${TLS}one.pem`, 'utf8'))
    write('c.key', readFileSync(`${TLS}one.key`, 'utf8'))
    write('pw', 'hunter2\n')
    write(
      'postern.yaml',
      'hostname: a.example.com\ntls: { cert: c.pem, key: c.key }\nrelays: { g: { host: a, tls: { ca: c.pem }, credentials: { m: { username: u, password: { file: pw } } } } }',
    )
    const request = { explicitPath: null, env: {}, cwd }
    const before = buildSettings(loadConfig(request))
    // A folder cannot be read as a file by anybody, not even by the root that tests may run as.
    for (const name of ['c.pem', 'pw']) {
      rmSync(join(cwd, name))
      mkdirSync(join(cwd, name))
    }
    expect(() => loadConfig(request)).toThrow(ConfigError)
    const loaded = loadConfig({ ...request, keepUnreadable: true })
    expect(loaded.warnings.filter(({ code }) => code === 'kept-unreadable').map(({ key }) => key)).toEqual([
      'tls.cert',
      'relays.g.tls.ca',
      'relays.g.credentials.m.password',
    ])
    const after = buildSettings(loaded, { previous: before })
    expect(after.intake.listeners[0]?.tls).toEqual(before.intake.listeners[0]?.tls)
    expect(firstRelay(after).settings.tls.ca).toBe(firstRelay(before).settings.tls.ca)
    expect(firstRelay(after).credentials[0]?.credential.password()).toBe('hunter2')
    expect(() => buildSettings(loaded)).toThrow(ConfigError)
  })

  it('a file that has gone since it was checked refuses the whole', () => {
    const cwd = makeTempFolder()
    writeFileSync(join(cwd, 'postern.yaml'), 'hostname: a.example.com\ntls: { cert: c.pem, key: c.key }')
    const loaded = loadConfig({ explicitPath: null, env: {}, cwd, checkFiles: false })
    expect(() => buildSettings(loaded)).toThrow(ConfigError)
    expect(() => buildSettings(loaded)).toThrow('"c.pem" does not exist')
  })
})
