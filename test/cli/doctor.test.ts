import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRealClock } from '../../src/app/real-clock.ts'
import { CHECK_TEXTS } from '../../src/cli/doctor.ts'
import { describeFindings, type Examined } from '../../src/cli/doctor-run.ts'
import { CHECKS, type Finding } from '../../src/doctor/finding.ts'
import { runCli } from '../support/cli-run.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const SCREEN = { colour: false } as Parameters<typeof describeFindings>[0]

function examined(findings: readonly Finding[]): Examined {
  return { hostname: 'mail.example.com', configFile: null, counts: { ok: 1, warning: 0, fault: 1, skipped: 0 }, findings }
}

describe('postern doctor', () => {
  it('has a text for each check', () => {
    expect(Object.keys(CHECK_TEXTS)).toEqual([...CHECKS])
  })

  it('shows the server first, what to do, and the line to paste', () => {
    const lines = describeFindings(
      SCREEN,
      examined([
        { check: 'spf', group: 'example.com', state: 'ok', says: 'SPF lets 192.0.2.1 send', remedy: null, record: null },
        {
          check: 'ptr',
          group: 'server',
          state: 'fault',
          says: '192.0.2.1 has no PTR record',
          remedy: 'Ask.',
          record: { name: '1.2.0.192.in-addr.arpa', type: 'PTR', value: 'mail.example.com' },
        },
      ]),
    )
    expect(lines).toEqual([
      'Examined mail.example.com, configuration: none, built-in defaults',
      '',
      'This server',
      '  FAULT    ptr            192.0.2.1 has no PTR record',
      '                          Ask.',
      '                          1.2.0.192.in-addr.arpa. PTR mail.example.com.',
      '',
      'Sender domain example.com',
      '  ok       spf            SPF lets 192.0.2.1 send',
      '',
      '1 fault, 0 warnings, 1 ok.',
    ])
  })

  it('shows text from outside without its control characters', () => {
    const says = 'the clock of \u001b[31mevil'
    expect(describeFindings(SCREEN, examined([{ check: 'clock', group: 'server', state: 'ok', says, remedy: null, record: null }])).join('\n')).not.toContain(
      '\u001b',
    )
  })

  it('refuses a check that it does not know', async () => {
    const ran = await runCli(['doctor', 'fever'], { clock: createRealClock() })
    expect(ran).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('There are: hostname, ptr') })
  })

  it.each([
    [['--domain', 'localhost'], 'no mail domain'],
    [['--domain', 'a b.example'], 'no mail domain'],
    [['--address', 'mail.example.com'], 'no IPv4 or IPv6 address'],
    [['--address', 'fe80::1%eth0'], 'no IPv4 or IPv6 address'],
    [['--port25', 'mx.example.net:25'], 'always 25'],
  ])('refuses %j', async (argv, says) => {
    expect(await runCli(['doctor', ...argv], { clock: createRealClock() })).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(says) })
  })

  it('names commands as they must be typed', async () => {
    const folder = makeTempFolder()
    writeFileSync(join(folder, 'postern.yaml'), 'hostname: jira\nrelays: { r: { host: 127.0.0.1:1, tls: none } }\n')
    const ran = await runCli(['--config', join(folder, 'postern.yaml'), 'doctor', 'hostname'], {
      clock: createRealClock(),
      cwd: folder,
      env: { npm_command: 'exec' },
    })
    expect(ran.stdout).toContain('npx postern config set hostname')
  })

  it('tells what is wrong with a configuration that cannot be read', async () => {
    const folder = makeTempFolder()
    const file = join(folder, 'postern.yaml')
    writeFileSync(file, 'hostname: app.example.com\nroutes: [ { via: nowhere } ]\n')
    const ran = await runCli(['--config', file, 'doctor'], { clock: createRealClock(), cwd: folder })
    expect(ran).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/^postern: postern.yaml:2:\d+: .*nowhere/) })
    expect(ran.stderr).not.toContain('bug')
    const none = await runCli(['--config', join(folder, 'none.yaml'), 'doctor', '--json'], { clock: createRealClock(), cwd: folder })
    expect(JSON.parse(none.stderr)).toMatchObject({ error: { code: 'config-invalid', message: expect.stringContaining('none.yaml') } })
  })

  it('says once that the name is not fully qualified', async () => {
    const folder = makeTempFolder()
    writeFileSync(join(folder, 'postern.yaml'), 'hostname: jira\nrelays: { r: { host: 127.0.0.1:1, tls: none } }\n')
    const examinedBy = async (...checks: readonly string[]) => {
      const ran = await runCli(['--config', join(folder, 'postern.yaml'), '--json', 'doctor', ...checks], { clock: createRealClock(), cwd: folder })
      return (JSON.parse(ran.stdout) as Examined).findings.map(({ check, state }) => `${check} ${state}`)
    }
    expect(await examinedBy('hostname', 'configuration')).toEqual(['hostname warning', 'configuration ok'])
    expect(await examinedBy('configuration')).toEqual(['configuration warning'])
  })

  it('asks nobody outside while everything is captured', async () => {
    const folder = makeTempFolder()
    writeFileSync(join(folder, 'postern.yaml'), 'hostname: app.example.com\n')
    const ran = await runCli(['--config', join(folder, 'postern.yaml'), '--json', 'doctor'], { clock: createRealClock(), cwd: folder })
    const { findings } = JSON.parse(ran.stdout) as Examined
    expect(findings[0]).toMatchObject({ check: 'hostname', state: 'skipped', says: expect.stringContaining('captured') })
    expect(new Set(findings.slice(1).map(({ check }) => check))).toEqual(new Set(['store', 'disk', 'open-files', 'listener', 'local', 'configuration']))
  })

  it('examines the machine without a server, and says so in JSON', async () => {
    const folder = makeTempFolder()
    writeFileSync(join(folder, 'postern.yaml'), 'hostname: app.example.com\nlisten: ["smtp://127.0.0.1:2525"]\n')
    const ran = await runCli(['--config', join(folder, 'postern.yaml'), '--json', 'doctor', 'listener', 'store', 'alignment'], {
      clock: createRealClock(),
      cwd: folder,
    })
    const answer = JSON.parse(ran.stdout) as Examined
    expect(ran.exitCode).toBe(0)
    expect(answer.findings.map(({ check, state }) => `${check} ${state}`)).toEqual(['alignment skipped', 'store skipped', 'listener ok'])
  })
})
