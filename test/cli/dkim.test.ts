import { createPrivateKey } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/app/config.ts'
import type { Clock } from '../../src/core/clock.ts'
import { type Ran, runCli } from '../support/cli-run.ts'
import { answerTo, NXDOMAIN, startDnsServer, type TestDnsServer, TYPE } from '../support/dns-server.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const FILE = '# Ours\nhostname: app.example.com   # the full name\n'
const DAY = 86_400_000

function setup(text: string | null = FILE, clock: Clock & { advance?: (ms: number) => Promise<void> } = createFakeClock()) {
  const cwd = makeTempFolder()
  const path = join(cwd, 'postern.yaml')
  if (text !== null) writeFileSync(path, text)
  const run = (...argv: string[]): Promise<Ran> => runCli(['dkim', ...argv], { cwd, clock })
  return { cwd, path, run, clock, read: () => readFileSync(path, 'utf8'), load: () => loadConfig({ explicitPath: path, env: {}, cwd }) }
}

/** A name server with these TXT records; what is not there does not exist. */
async function withDns(records: Map<string, readonly string[]>): Promise<TestDnsServer> {
  return startDnsServer((query) => {
    const texts = records.get(query.name.toLowerCase())
    if (query.type !== TYPE.TXT || texts === undefined) return [answerTo(query, { flags: 0x8180 | NXDOMAIN })]
    const answers = texts.map((text) => ({ name: query.name, type: TYPE.TXT, rdata: characterStrings(text) }))
    return [answerTo(query, { answers })]
  })
}
function characterStrings(text: string): Buffer {
  const strings: Buffer[] = []
  for (let at = 0; at < text.length; at += 255) strings.push(Buffer.from([Math.min(255, text.length - at)]), Buffer.from(text.slice(at, at + 255)))
  return Buffer.concat(strings)
}
const dnsConfig = ({ port }: TestDnsServer): string => `${FILE}dns: { servers: ["127.0.0.1:${port}"] }\n`

interface ShownKey {
  readonly selector: string
  readonly state: string
  readonly record: { readonly name: string; readonly value: string; readonly strings: readonly string[] }
}
const shownKeys = async (run: (...argv: string[]) => Promise<Ran>): Promise<readonly ShownKey[]> =>
  (JSON.parse((await run('show', '--json')).stdout) as { keys: readonly ShownKey[] }).keys

describe('dkim create', () => {
  it('makes a key, adds it to the configuration, and prints the record and what to do', async () => {
    const { run, read, cwd, load } = setup()
    const { stdout, exitCode, stderr } = await run('create', 'example.com')
    expect([exitCode, stderr]).toEqual([0, ''])
    const file = join(cwd, 'dkim/example.com.s202601.pem')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(createPrivateKey(readFileSync(file)).asymmetricKeyDetails?.modulusLength).toBe(2048)
    expect(read()).toBe(`${FILE}dkim:\n  keys:\n    example.com:\n      - selector: s202601\n        key:\n          file: dkim/example.com.s202601.pem\n`)
    expect(load().warnings).toEqual([])
    expect(stdout).toMatch(/^Wrote dkim\/example\.com\.s202601\.pem \(the private key, mode 0600\)\nAdded to postern\.yaml\n/)
    expect(stdout).toMatch(
      /\n {3}Name {3}s202601\._domainkey\.example\.com {3}\(forms that add the domain: s202601\._domainkey\)\n {3}Type {3}TXT\n {3}TTL {4}3600\n {3}Value {2}v=DKIM1; k=rsa; p=[A-Za-z0-9+/=]+\n/,
    )
    expect(stdout).toMatch(/\n {3}s202601\._domainkey\.example\.com\. 3600 IN TXT \( "v=DKIM1; k=rsa; p=[^"]{237}"\n +"[^"]+" \)\n/)
    expect(stdout).toContain('postern dkim check example.com')
    expect(stdout).toContain('postern reload')
  })

  it('makes both kinds at once, each with its own selector', async () => {
    const { run, load } = setup()
    expect((await run('create', 'example.com', '--type', 'both', '--selector', 'mail')).exitCode).toBe(0)
    expect(load().config.dkim.keys['example.com']?.map(({ selector }) => selector)).toEqual(['mail', 'mail-ed'])
    const keys = await shownKeys(run)
    expect(keys.map(({ selector, state }) => [selector, state])).toEqual([
      ['mail', 'signs'],
      ['mail-ed', 'signs'],
    ])
    expect(keys[1]?.record.value).toMatch(/^v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=$/)
  })

  it('adds a second kind later, behind the first, and leaves every comment', async () => {
    const { run, read } = setup()
    await run('create', 'example.com', '--selector', 'one')
    const before = read()
    await run('create', 'Example.COM.', '--selector', 'two', '--type', 'ed25519')
    expect(read()).toBe(`${before}      - selector: two\n        key:\n          file: dkim/example.com.two.pem\n`)
  })

  it('writes domains beyond ASCII in A-labels', async () => {
    const { run, cwd } = setup()
    expect((await run('create', 'bücher.example')).stdout).toContain('s202601._domainkey.xn--bcher-kva.example')
    expect(readdirSync(join(cwd, 'dkim'))).toEqual(['xn--bcher-kva.example.s202601.pem'])
  })

  it('never makes a second key of the same kind', async () => {
    const { run, read } = setup()
    await run('create', 'example.com')
    const before = read()
    const { stderr, exitCode } = await run('create', 'example.com', '--selector', 'other')
    expect(exitCode).toBe(1)
    expect(stderr).toBe(
      'postern: example.com has a key already: selector s202601\n  Show its record: postern dkim show example.com\n  Replace it:      postern dkim rotate example.com\n',
    )
    expect(read()).toBe(before)
  })

  it.each([
    [['create', 'localhost'], 2, 'localhost is no mail domain'],
    [['create', 'example.com', '--bits', '1024'], 2, 'A number from 2048 to 4096.'],
    [['create', 'example.com', '--type', 'dsa'], 2, 'Allowed choices are rsa, ed25519, both.'],
    [['create', 'example.com', '--selector', 'No_Good'], 1, '"No_Good" is no selector'],
    [['show', 'example.com'], 1, 'there is no DKIM key of example.com'],
    [['check'], 1, 'there are no DKIM keys'],
    [['rotate', 'example.com'], 1, 'there is no DKIM key of example.com'],
  ])('%j ends with %i: %s', async (argv, exitCode, told) => {
    const { run, read, cwd } = setup()
    const ran = await run(...argv)
    expect([ran.exitCode, ran.stderr]).toEqual([exitCode, expect.stringContaining(told)])
    expect(read()).toBe(FILE)
    expect(existsSync(join(cwd, 'dkim')) ? readdirSync(join(cwd, 'dkim')) : []).toEqual([])
  })

  it('wants a configuration file', async () => {
    const { run } = setup(null)
    expect(await runCli(['dkim', 'create', 'example.com', '--config', '/nonexistent/p.yaml'], { cwd: '/', clock: createFakeClock() })).toMatchObject({
      exitCode: 1,
    })
    // Without one elsewhere on this machine.
    if (!existsSync('/etc/postern/postern.yaml')) expect((await run('create', 'example.com')).stderr).toContain('postern init')
  })

  it('does not overwrite a key file, and leaves the configuration alone', async () => {
    const { run, read, cwd } = setup()
    await run('create', 'example.com')
    const key = readFileSync(join(cwd, 'dkim/example.com.s202601.pem'), 'utf8')
    writeFileSync(join(cwd, 'postern.yaml'), FILE)
    const { stderr, exitCode } = await run('create', 'example.com')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('is there already')
    expect(readFileSync(join(cwd, 'dkim/example.com.s202601.pem'), 'utf8')).toBe(key)
    expect(read()).toBe(FILE)
  })

  it('never prints the private key', async () => {
    const { run, cwd } = setup()
    const told = [await run('create', 'example.com', '--json'), await run('show'), await run('show', '--json'), await run('rotate', 'example.com', '--json')]
    const secret = readFileSync(join(cwd, 'dkim/example.com.s202601.pem'), 'utf8').split('\n').slice(1, -2)
    for (const { stdout, stderr } of told) for (const line of secret) expect(stdout + stderr).not.toContain(line)
  })
})

describe('dkim check', () => {
  it('says that what is published is right, whatever its spelling', async () => {
    const records = new Map<string, readonly string[]>()
    const { run } = setup(dnsConfig(await withDns(records)))
    await run('create', 'example.com', '--type', 'both')
    for (const { record } of await shownKeys(run)) records.set(record.name, [record.value.replace('; p=', ';  p= ')])
    const { stdout, exitCode } = await run('check')
    expect(exitCode).toBe(0)
    expect(stdout).toBe(
      'example.com, selector s202601 (RSA 2048): signs\n   ok       published, and the key we have.\nexample.com, selector s202601-ed (Ed25519): signs\n   ok       published, and the key we have.\n',
    )
    expect(JSON.parse((await run('check', '--json')).stdout)).toMatchObject({
      ok: true,
      keys: [{ published: 'matches', level: 'ok' }, { published: 'matches' }],
    })
  })

  it.each([
    [null, 'absent', 'not published'],
    [['v=spf1 -all'], 'absent', 'not published'],
    [['v=DKIM1; p='], 'revoked', 'the key was revoked'],
    [['v=DKIM1; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A'], 'differs', 'another key'],
    [['v=DKIM1; p=a', 'v=DKIM1; p=b'], 'several', 'more than one key record'],
  ])('fails for %j, and shows what has to be there', async (texts, published, told) => {
    const records = new Map<string, readonly string[]>()
    const { run } = setup(dnsConfig(await withDns(records)))
    await run('create', 'example.com')
    if (texts !== null) records.set('s202601._domainkey.example.com', texts)
    const { stdout, exitCode } = await run('check', 'example.com')
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^ {3}fault /m)
    expect(stdout).toContain(told)
    expect(stdout).toMatch(/^ {3}Value {2}v=DKIM1; k=rsa; p=/m)
    expect(JSON.parse((await run('check', '--json')).stdout)).toMatchObject({ ok: false, keys: [{ published }] })
  })

  it('says when the key itself is gone', async () => {
    const { run, cwd } = setup(dnsConfig(await withDns(new Map())))
    await run('create', 'example.com')
    rmSync(join(cwd, 'dkim/example.com.s202601.pem'))
    const { stdout, exitCode } = await run('check')
    expect(exitCode).toBe(1)
    expect(stdout).toContain('the private key cannot be used: "dkim/example.com.s202601.pem" does not exist')
    expect((await run('show')).exitCode).toBe(1)
  })
})

describe('dkim rotate', () => {
  it('makes a key, waits for its record, switches, lets the old record stay a week, removes the old key', async () => {
    const records = new Map<string, readonly string[]>()
    const dns = await withDns(records)
    const clock = createFakeClock()
    const { run, read, load, cwd } = setup(dnsConfig(dns), clock)
    await run('create', 'example.com')
    const publish = async () => {
      for (const { record } of await shownKeys(run)) records.set(record.name, [record.value])
    }
    await publish()

    const begun = await run('rotate', 'example.com')
    expect(begun.exitCode).toBe(0)
    expect(begun.stdout).toContain('It does not sign yet.')
    expect(begun.stdout).toContain('s202601b._domainkey.example.com')
    expect((await shownKeys(run)).map(({ selector, state }) => `${selector} ${state}`)).toEqual(['s202601 signs', 's202601b waits'])

    const early = await run('rotate', 'example.com')
    expect(early.exitCode).toBe(1)
    expect(early.stdout).toContain('The old key goes on signing.')
    expect(load().config.dkim.keys['example.com']?.[1]?.active).toBe(false)
    // A key that waits does not have to be published.
    expect((await run('check')).exitCode).toBe(0)

    await publish()
    const switched = await run('rotate', 'example.com')
    expect(switched.exitCode).toBe(0)
    expect(switched.stdout).toContain('selector s202601b signs from now on, selector s202601 no more.')
    expect(switched.stdout).toContain('postern reload')
    expect((await shownKeys(run)).map(({ selector, state }) => `${selector} ${state}`)).toEqual(['s202601 ended', 's202601b signs'])
    expect(load().warnings).toEqual([])

    const resting = await run('rotate', 'example.com')
    expect(resting.exitCode).toBe(0)
    expect(resting.stdout).toMatch(/^Nothing to do now\. The record of selector s202601 has to stay in the DNS until 2026-01-08/)

    await clock.advance(7 * DAY)
    const removed = await run('rotate', 'example.com')
    expect(removed.stdout).toContain('Delete from the DNS: s202601._domainkey.example.com')
    expect(readdirSync(join(cwd, 'dkim'))).toEqual(['example.com.s202601b.pem'])
    expect(load().config.dkim.keys['example.com']).toEqual([{ selector: 's202601b', key: { file: 'dkim/example.com.s202601b.pem' }, active: true }])
    for (const comment of ['# Ours', '# the full name']) expect(read()).toContain(comment)
  })

  it('switches without asking the DNS if told to, and answers programs', async () => {
    const { run } = setup()
    await run('create', 'example.com', '--type', 'both')
    expect(JSON.parse((await run('rotate', 'example.com', '--json')).stdout)).toMatchObject({
      step: 'begin',
      keys: [
        { selector: 's202601b', type: 'rsa', state: 'waits' },
        { selector: 's202601b-ed', type: 'ed25519', state: 'waits' },
      ],
    })
    expect(JSON.parse((await run('rotate', 'example.com', '--unchecked', '--json')).stdout)).toMatchObject({
      step: 'switch',
      signs: ['s202601b', 's202601b-ed'],
      ended: ['s202601', 's202601-ed'],
    })
    expect(JSON.parse((await run('rotate', 'example.com', '--json')).stdout)).toMatchObject({ step: 'rest', until: '2026-01-08T00:00:00Z' })
  })

  it('keeps a key file that is not one of ours', async () => {
    const clock = createFakeClock()
    const { run, path, cwd, read } = setup(FILE, clock)
    await run('create', 'example.com', '--selector', 'old')
    const elsewhere = join(cwd, 'elsewhere.pem')
    writeFileSync(elsewhere, readFileSync(join(cwd, 'dkim/example.com.old.pem')), { mode: 0o600 })
    writeFileSync(path, read().replace('dkim/example.com.old.pem', 'elsewhere.pem'))
    await run('rotate', 'example.com')
    await run('rotate', 'example.com', '--unchecked')
    await clock.advance(8 * DAY)
    expect((await run('rotate', 'example.com')).stdout).toContain('Removed selector old')
    expect(existsSync(elsewhere)).toBe(true)
  })
})
