import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { verifyPassword } from '../../src/intake/password-hash.ts'
import { type Ran, runCli } from '../support/cli-run.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const FILE = `# Ours
hostname: app.example.com   # the full name
relays:
  google:
    # the provider
    host: smtp.example.net:587
    credentials:
      jira: { username: jira@example.com, password: { env: JIRA } }
retry: { min: 5m, max: 2h }
`

function withFile(text: string | null = FILE) {
  const cwd = makeTempFolder()
  const path = join(cwd, 'postern.yaml')
  if (text !== null) writeFileSync(path, text)
  const run = (...argv: string[]): Promise<Ran> => runCli(['config', ...argv], { cwd, env: { JIRA: 'hunter2' }, clock: createFakeClock() })
  return { cwd, path, run, read: () => readFileSync(path, 'utf8') }
}

describe('config check', () => {
  it('says that all is right', async () => {
    const { run } = withFile()
    expect(await run('check')).toMatchObject({ stdout: 'postern.yaml: all right\n', stderr: '', exitCode: 0 })
  })

  it('says all that is wrong, and fails', async () => {
    const { run } = withFile('hostname: app.example.com\nretry: { min: 5 }\nrelays: { g: { host: a, tsl: may } }\n')
    const { lines, exitCode } = await run('check')
    expect(exitCode).toBe(1)
    expect(lines).toEqual([
      'postern.yaml:2:15: retry.min: 5 is no duration; a number with its unit, 1s to 1d. Write 5s for seconds or 5m for minutes.',
      expect.stringMatching(/^postern\.yaml:3:25: relays\.g\.tsl: there is no such key\. Did you mean "tls"\?$/),
      'postern.yaml: 2 errors',
    ])
  })

  it('tells warnings from errors', async () => {
    const { run } = withFile('hostname: app\n')
    const { lines, exitCode } = await run('check')
    expect(exitCode).toBe(0)
    expect(lines[0]).toMatch(/^warning: postern\.yaml:1:11: hostname: "app" is not a fully qualified name\./)
    expect(lines[1]).toBe('postern.yaml: all right, 1 warning')
  })

  it('gives problems to programs', async () => {
    const { run, path } = withFile('retry: { min: 5 }\nhostname: a.b')
    const { stdout, exitCode } = await run('check', '--json')
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, file: path, problems: [{ code: 'bad-duration', line: 1, column: 15, key: 'retry.min' }] })
  })

  it('looks at another file, and at no file', async () => {
    const { run, cwd } = withFile(null)
    writeFileSync(join(cwd, 'other.yaml'), 'hostname: a.b')
    expect((await run('check', '--file', 'other.yaml')).stdout).toBe('other.yaml: all right\n')
    expect((await run('check')).lines.at(-1)).toMatch(/^no configuration file: the defaults: all right/)
    expect(await run('check', '--file', 'none.yaml')).toMatchObject({
      exitCode: 1,
      stdout: 'none.yaml: there is no such file. Make one with: postern init\nnone.yaml: 1 error\n',
    })
  })

  it('escapes what the file holds', async () => {
    const { run } = withFile('hostname: "\\e[2J"\n')
    expect((await run('check')).stdout).not.toContain('\u001b')
  })
})

describe('config get', () => {
  it('prints one value as it is, and a mapping as YAML', async () => {
    const { run } = withFile()
    expect((await run('get', 'retry.max')).stdout).toBe('2h\n')
    expect((await run('get', 'limits.messageSize')).stdout).toBe('50 MB\n')
    expect((await run('get', 'retry')).stdout).toBe('min: 5m\nmax: 2h\ngreylist: 2m\nfactor: 2\njitter: 0.2\nlifetime: 5d\n')
    expect(JSON.parse((await run('get', 'listen', '--json')).stdout)).toEqual(['smtp://127.0.0.1:2525'])
  })

  it('resolved says where a secret is, never what it is', async () => {
    const { run } = withFile()
    expect((await run('get', 'relays.google.credentials.jira.password', '--resolved')).stdout).toBe('(set: environment variable JIRA)\n')
    expect((await run('get', 'relays.google.host', '--resolved')).stdout).toBe('- smtp.example.net:587\n')
    for (const argv of [['get'], ['get', '--resolved'], ['get', '--json'], ['diff'], ['check']]) {
      expect(JSON.stringify(await run(...argv)), argv.join(' ')).not.toContain('hunter2')
    }
  })

  it('refuses a key that there is not', async () => {
    const { run } = withFile()
    expect((await run('get', 'data')).stderr).toContain('is not set, and has no default\n  What is implied instead: postern config get --resolved')
    expect(await run('get', 'retry.mx')).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringContaining('there is no key retry.mx') })
    expect(await run('get', 'user')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('user is not set') })
  })

  it('refuses a file with errors', async () => {
    const { run } = withFile('retry: 5')
    expect(await run('get')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('postern.yaml:1:8: retry: must be a mapping, not a number.') })
  })
})

describe('config set and unset', () => {
  it('change one key; comments and everything else stay', async () => {
    const { run, read } = withFile()
    expect(await run('set', 'hostname', 'b.example.com')).toMatchObject({
      exitCode: 0,
      stdout: 'postern.yaml: set hostname. A running server sees it after: postern reload\n',
    })
    expect(read()).toBe(FILE.replace('hostname: app.', 'hostname: b.'))
    await run('set', 'relays.google.limits.sessions', '3')
    await run('set', 'relays.google.host', '[::1]:587')
    await run('set', 'networks', '[10.0.0.0/8]')
    const changed = FILE.replace('hostname: app.', 'hostname: b.')
      .replace('smtp.example.net:587', '"[::1]:587"')
      .replace('retry:', '    limits:\n      sessions: 3\nretry:')
    expect(read()).toBe(`${changed}networks:\n  - 10.0.0.0/8\n`)
    await run('unset', 'networks')
    await run('unset', 'relays.google.limits')
    expect(read()).toBe(FILE.replace('hostname: app.', 'hostname: b.').replace('smtp.example.net:587', '"[::1]:587"'))
  })

  it('set says how where a short form stands in the way', async () => {
    const { run, read } = withFile('relays: { g: { host: a.example, tls: may } }\n')
    expect(await run('set', 'relays.g.tls.ca', 'ca.pem')).toMatchObject({
      exitCode: 2,
      stderr:
        "postern: relays.g.tls is a single value here, with nothing below it; set the whole of relays.g.tls, such as '{ ca: VALUE }'\n  Nothing was changed.\n",
    })
    expect(read()).toContain('tls: may')
  })

  it.each([
    [['set', 'retry.min', '5'], 1, 'retry.min: "5" is no duration'],
    [['set', 'retry.min', '3h'], 1, 'retry.min: must not be larger than retry.max'],
    [['set', 'relays.google.tls', 'verfy'], 1, 'Did you mean "verify"?'],
    [['set', 'relays.google.credentials.jira.password', 'hunter2'], 1, 'a password must not stand in this file'],
    [['set', 'hostnam', 'x'], 2, 'Did you mean "hostname"?'],
    [['set', 'retry.mn', '5m'], 2, 'there is no key "mn" under retry'],
    [['set', '', '5m'], 2, 'is no key'],
    [['set', 'relays.__proto__.host', 'a.b'], 1, '"__proto__" cannot be a name'],
    [['unset', 'relays.google.host'], 1, 'relays.google.host: is missing'],
    [['unset', 'user'], 2, 'user is not set in this file'],
  ])('%j is refused and changes nothing', async (argv, exitCode, text) => {
    const { run, read } = withFile()
    const ran = await run(...argv)
    expect(ran).toMatchObject({ exitCode, stdout: '', stderr: expect.stringContaining(text) })
    expect(ran.stderr).toContain('Nothing was changed.')
    expect(ran.stderr).not.toContain('hunter2')
    expect(read()).toBe(FILE)
  })

  it('a file with several faults can be repaired key by key', async () => {
    const { run, read } = withFile('hostname: a.b\nretry: { min: 5 }\nlog: { level: loud }\n')
    expect((await run('set', 'retry.min', '5m')).exitCode).toBe(0)
    expect((await run('set', 'log.level', 'info')).exitCode).toBe(0)
    expect((await run('check')).exitCode).toBe(0)
    expect(read()).toBe('hostname: a.b\nretry: { min: 5m }\nlog: { level: info }\n')
  })

  it.each([
    ['hostname: "a.b\n', 'postern.yaml:2:1: something is not closed'],
    ['routes: [ { to: *.example.com, via: capture } ]\n', 'Put the pattern into quotes'],
    ['hostname: a.b\nhostname: c.d\n', 'postern.yaml:2:1: the key "hostname" is written twice in one mapping. Remove one of the two.'],
  ])('a file that cannot be read stays as it is, and its place is told: %j', async (text, told) => {
    const { run, read } = withFile(text)
    for (const argv of [
      ['set', 'hostname', 'x.example.com'],
      ['unset', 'hostname'],
    ])
      expect(await run(...argv)).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining(told) })
    expect(read()).toBe(text)
  })

  it('keep the mode of the file and leave nothing beside it', async () => {
    const { run, path, cwd } = withFile()
    chmodSync(path, 0o640)
    await run('set', 'hostname', 'b.example.com')
    expect(statSync(path).mode & 0o777).toBe(0o640)
    expect(readdirSync(cwd)).toEqual(['postern.yaml'])
  })

  it('follow a link and leave it a link', async () => {
    const { cwd, path } = withFile()
    symlinkSync(path, join(cwd, 'link.yaml'))
    await runCli(['--config', 'link.yaml', 'config', 'set', 'hostname', 'b.example.com'], { cwd, clock: createFakeClock() })
    expect(lstatSync(join(cwd, 'link.yaml')).isSymbolicLink()).toBe(true)
    expect(readFileSync(path, 'utf8')).toContain('hostname: b.example.com')
  })

  it('begin a file where there is none, but not where one was named', async () => {
    const { run, read, cwd } = withFile(null)
    expect((await run('set', 'log.level', 'debug')).exitCode).toBe(0)
    expect(read()).toBe('log:\n  level: debug\n')
    const named = await runCli(['--config', 'x.yaml', 'config', 'set', 'hostname', 'a.b'], { cwd, clock: createFakeClock() })
    expect(named).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('x.yaml: there is no such file') })
    expect(existsSync(join(cwd, 'x.yaml'))).toBe(false)
  })

  it('say for programs what they did', async () => {
    const { run, path } = withFile()
    expect(JSON.parse((await run('set', 'hostname', 'b.c', '--json')).stdout)).toEqual({ file: path, key: 'hostname', changed: true })
    expect(JSON.parse((await run('set', 'hostname', 'b.c', '--json')).stdout)).toEqual({ file: path, key: 'hostname', changed: false })
  })
})

describe('the rest of config', () => {
  it('diff prints what differs from the defaults', async () => {
    const { run } = withFile()
    expect((await run('diff')).lines).toEqual([
      'hostname: app.example.com',
      'relays.google.host: smtp.example.net:587',
      'relays.google.credentials.jira.username: jira@example.com',
      'relays.google.credentials.jira.password: {"env":"JIRA"}',
      'retry.max: 2h  (default: 1h)',
    ])
    expect(JSON.parse((await run('diff', '--json')).stdout)).toHaveLength(5)
    expect((await withFile('').run('diff')).stderr).toBe('nothing differs from the defaults\n')
  })

  it('defaults prints them, schema prints JSON Schema', async () => {
    const { run } = withFile()
    expect((await run('defaults')).stdout).toContain('listen:\n  - smtp://127.0.0.1:2525\n')
    expect((await run('defaults', 'limits.messageSize')).stdout).toBe('50 MB\n')
    expect(await run('defaults', 'limits.mesageSize')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('Did you mean limits.messageSize?') })
    const schema = JSON.parse((await run('schema')).stdout)
    expect(schema.properties.relays.additionalProperties.properties.host.description).toMatch(/^Host, or list of hosts/)
    expect(schema.additionalProperties).toBe(false)
  })

  it('hash-password reads standard input and prints a hash that fits', async () => {
    const ran = await runCli(['config', 'hash-password'], { input: 'correct horse\n', clock: createFakeClock() })
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' })
    expect(ran.stdout).toMatch(/^\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}\n$/)
    expect(await verifyPassword('correct horse', ran.stdout.trim())).toBe(true)
    for (const input of ['', '\n', 'two\nlines\n']) expect((await runCli(['config', 'hash-password'], { input, clock: createFakeClock() })).exitCode).toBe(2)
  })
})
