import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/app/config.ts'
import { ConfigError } from '../../src/app/config-errors.ts'
import { parseLmtpServer, parseRelayHost, parseVia } from '../../src/app/config-values.ts'
import { resolvedConfig } from '../../src/app/config-view.ts'
import { writableBy } from '../../src/app/program-files.ts'
import { buildSettings, diffSettings, type ServerSettings } from '../../src/app/settings.ts'
import { createRouter } from '../../src/delivery/router.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

function load(yaml: string) {
  const cwd = makeTempFolder()
  writeFileSync(join(cwd, 'postern.yaml'), `hostname: host.example.com\n${yaml}`)
  return loadConfig({ explicitPath: null, env: {}, cwd })
}
function settingsOf(yaml: string): ServerSettings {
  return buildSettings(load(yaml))
}
function faultsOf(yaml: string): readonly string[] {
  try {
    return load(yaml).warnings.map((warning) => `${warning.code} ${warning.key}`)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map((problem) => `${problem.code} ${problem.key}`)
  }
}
const LOCAL = 'local: { domains: [host.example.com], users: [bob] }\n'

describe('local.mailbox', () => {
  it('is a Maildir in the home unless something else is said', () => {
    expect(settingsOf(LOCAL).mailboxes).toEqual({
      rules: {
        format: 'maildir',
        path: '~/Maildir',
        sizeMaxOctets: null,
        locks: ['fcntl', 'dotlock'],
        lockMs: 30_000,
        staleLockMs: 600_000,
        uidMin: 1000,
        users: [],
      },
      deliveryMs: 120_000,
    })
    expect(settingsOf('').mailboxes).toBe(null)
  })

  it('is in /var/mail for mbox', () => {
    const { rules } = settingsOf('local: { mailbox: { format: mbox, sizeLimit: 10 MB, locks: [dotlock] } }\n').mailboxes ?? {}
    expect(rules).toMatchObject({ path: '/var/mail/%u', sizeMaxOctets: 10_000_000, locks: ['dotlock'] })
  })

  it('may be an LMTP server; then no mailbox is written, unless a route names a user', () => {
    const lmtp = 'local: { domains: [host.example.com], mailbox: { lmtp: "unix:/run/dovecot/lmtp" } }\n'
    const settings = settingsOf(lmtp)
    expect(settings.mailboxes).toBe(null)
    expect(settings.delivery.localLmtp).toMatchObject({
      name: 'local',
      protocol: 'lmtp',
      hosts: [{ host: '/run/dovecot/lmtp', port: 0 }],
      tls: { level: 'none' },
    })
    expect(settingsOf(`${lmtp}routes: [{ to: far.test, via: local/bob }]`).mailboxes).not.toBe(null)
  })

  it.each([
    ['local: { mailbox: { path: Maildir } }', 'bad-path local.mailbox.path'],
    ['local: { mailbox: { path: /var/mail/all } }', 'bad-path local.mailbox.path'],
    ['local: { mailbox: { path: ~/../x } }', 'bad-path local.mailbox.path'],
    ['local: { mailbox: { lockTime: 2m } }', 'contradiction local.mailbox.lockTime'],
    ['local: { mailbox: { deliveryTime: 10m } }', 'contradiction local.mailbox.deliveryTime'],
    ['local: { mailbox: { uidMin: 0 } }', 'out-of-range local.mailbox.uidMin'],
    ['local: { mailbox: { lmtp: "unix:lmtp" } }', 'bad-host local.mailbox.lmtp'],
    ['routes: [{ via: local }]', 'contradiction routes[0].via'],
    ['local: {}\nroutes: [{ via: capture }]', 'route-unreachable routes[0]'],
    ['local: {}', 'root-nowhere local'],
  ])('%s is told as %s', (yaml, fault) => {
    expect(faultsOf(yaml)).toContain(fault)
  })

  it('takes effect at a restart only: the rest of `local` does at once', () => {
    const before = settingsOf(LOCAL)
    expect(diffSettings(before, settingsOf('local: { domains: [host.example.com], users: [bob], mailbox: { format: mbox } }\n')).needsRestart).toEqual([
      'local.mailbox.format',
    ])
    expect(diffSettings(before, settingsOf('local: { domains: [host.example.com], users: [ann] }\n')).needsRestart).toEqual([])
    expect(diffSettings(settingsOf(''), before).needsRestart).toEqual(['local'])
  })
})

describe('the files of the program', () => {
  it('must not be writable by the user that the server becomes', () => {
    const owner = statSync(import.meta.filename).uid
    expect(writableBy(owner)).not.toBe(null)
    expect(writableBy(4_242_424)).toBe(null)
  })
})

describe('the implied route of local domains', () => {
  const relays = 'relays: { google: { host: smtp.example.net } }\n'
  const mail = () => ({ domains: new Set(['host.example.com']), recipientDelimiter: '+', users: new Map([['bob', 'bob']]) })
  const decisionOf = (yaml: string, to: string, from = 'app@example.com') => {
    const { route, rule } = createRouter(settingsOf(yaml).delivery, mail).decide({ from, to, submitter: from, header: [] })
    return `${rule}: ${route.kind}`
  }

  it.each([
    ['without routes', LOCAL, 'local domains: mailbox', 'default route: capture'],
    ['with a relay', `${LOCAL}${relays}`, 'local domains: mailbox', 'default route: relay'],
    [
      'in front of routes that lead out',
      `${LOCAL}${relays}routes: [{ from: example.com, via: google }, { via: mx }]`,
      'local domains: mailbox',
      'routes[0]: from example.com: relay',
    ],
    [
      'behind a route that names the recipient',
      `${LOCAL}${relays}routes: [{ to: bob@host.example.com, via: google }, { via: google }]`,
      'routes[0]: to bob@host.example.com: relay',
      'routes[1]: all mail: relay',
    ],
    ['behind a route that captures everything', `${LOCAL}routes: [{ via: capture }]`, 'routes[0]: all mail: capture', 'routes[0]: all mail: capture'],
    ['at the end, where none leads out', `${LOCAL}routes: [{ to: far.test, via: hold }]`, 'local domains: mailbox', 'no route matches: hold'],
  ])('stands %s', (_, yaml, local, other) => {
    expect([decisionOf(yaml, 'bob@host.example.com'), decisionOf(yaml, 'x@elsewhere.test')]).toEqual([local, other])
  })

  it('is shown where everything implied is shown', () => {
    expect(resolvedConfig(load(`${LOCAL}${relays}`)).routes).toEqual([{ to: ['host.example.com'], via: 'local' }, { via: 'google' }])
  })
})

describe('hosts and targets', () => {
  it('may be a socket, and have the port of LMTP', () => {
    expect(parseRelayHost('unix:/run/dovecot/lmtp')).toEqual({ value: { host: '/run/dovecot/lmtp', port: 0, implicitTls: false } })
    expect(parseLmtpServer('mail.example.com')).toEqual({ value: { host: 'mail.example.com', port: 24, implicitTls: false } })
    expect(parseLmtpServer('127.0.0.1:2424')).toMatchObject({ value: { port: 2424 } })
    for (const text of ['unix:', 'unix:relative', `unix:/${'x'.repeat(200)}`]) expect(parseRelayHost(text)).toHaveProperty('fault')
    const relay = settingsOf('relays: { d: { host: "unix:/run/dovecot/lmtp", protocol: lmtp } }').delivery.relays.get('d')?.settings
    expect(relay).toMatchObject({ protocol: 'lmtp', tls: { level: 'none' }, hosts: [{ host: '/run/dovecot/lmtp' }] })
  })

  it('may be local, or the mailbox of one user', () => {
    expect(parseVia('local')).toEqual({ value: { kind: 'local', user: null } })
    expect(parseVia('local/bob')).toEqual({ value: { kind: 'local', user: 'bob' } })
    for (const text of ['local/', 'local/../x', 'local/a/b', 'local/-x']) expect(parseVia(text)).toHaveProperty('fault')
  })
})
