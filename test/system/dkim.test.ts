/**
 * Five hundred mails of every kind go through the server; dkimpy and OpenDKIM verify what arrives, with keys that
 * they fetch from a signed zone. One relay takes 8 bits; the other does not, and gets mail converted.
 */
import { Resolver } from 'node:dns/promises'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dkimSign } from 'mailauth'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dkimRecord } from '../../src/message/dkim-record.ts'
import { BarClient } from '../bars/support/client.ts'
import { freePort, makeFolder, type PosternProcess, removeFolder, runCli, startServer } from '../bars/support/server.ts'
import { type Received, type Sink, startSink } from '../bars/support/sink.ts'
import { until } from '../bars/support/verdict.ts'
import { readTestKey } from '../support/dkim.ts'
import { inParallel, runProgram } from './support/clients/run-program.ts'
import { MAIL_KINDS, makeMail } from './support/dkim-mails.ts'
import { startZones, txt, type Zones } from './support/zones.ts'

const MAILS = 500
const SESSIONS = 8
const VERIFY = new URL('./support/clients/verify_dkim.py', import.meta.url).pathname

let folder: string
let zones: Zones
let postern: PosternProcess
let port: number
let sinks: readonly Sink[] = []
const arrived = new Map<string, Buffer>()

beforeAll(async () => {
  folder = makeFolder()
  mkdirSync(join(folder, 'mails'))
  sinks = [await startSink(sinkThat('8', true)), await startSink(sinkThat('7', false))]
  zones = await startZones({
    folder,
    zones: [
      { name: 'sender.test', state: 'signed', records: ['@ MX 0 .'] },
      { name: 'app.test', state: 'signed', records: [`own._domainkey ${txt(dkimRecord(readTestKey('rsa')))}`] },
    ],
  })
  port = await freePort()
  const relay = (sink: Sink | undefined) => ({ host: `127.0.0.1:${sink?.port}`, tls: 'none' })
  postern = await startServer({
    port,
    relayPort: 1,
    folder: join(folder, 'postern'),
    config: {
      hostname: 'mail.sender.test',
      dns: zones.config,
      relays: { eight: relay(sinks[0]), seven: relay(sinks[1]) },
      routes: [{ to: 'seven.test', via: 'seven' }, { via: 'eight' }],
      dsn: { perSenderPerHour: 1000 },
    },
  })
})
afterAll(async () => {
  postern?.kill('SIGTERM')
  await postern?.exited
  await zones?.stop()
  for (const sink of sinks) await sink.close()
  if (folder !== undefined) removeFolder(folder)
})

/** Keeps what comes under its id, notices under their recipient; refuses recipients that say so. */
function sinkThat(name: string, eightBit: boolean) {
  const capabilities = `250-sink.test\r\n250-PIPELINING\r\n${eightBit ? '250-8BITMIME\r\n250-SMTPUTF8\r\n' : ''}250 ENHANCEDSTATUSCODES`
  return {
    onCommand: (verb: string, line: string) =>
      verb === 'EHLO' ? capabilities : verb === 'RCPT' && line.includes('<refuse-') ? '550 5.1.1 No such user' : null,
    onContent: ({ id, from, to }: Received, content: Buffer) => void arrived.set(from === '' ? `notice-${to[0]}` : `${name}-${id}`, content),
  }
}

const cli = (...argv: string[]): Promise<string> => runCli([...argv, '--config', postern.configPath])

interface Handed {
  readonly from: string
  readonly to: string
  readonly content: string
}

async function handIn(client: BarClient, { from, to, content }: Handed): Promise<void> {
  for (const command of [`MAIL FROM:<${from}> BODY=8BITMIME`, `RCPT TO:<${to}>`, 'DATA']) {
    const reply = await client.say(command)
    if (!/^[23]/.test(reply)) throw new Error(`${command}: ${reply}`)
  }
  client.write(`${content.replace(/^\./gm, '..')}`)
  const reply = await client.say('.')
  if (!reply.startsWith('250')) throw new Error(`${content.slice(0, 80)}: ${reply}`)
}

async function handInAll(mails: readonly Handed[]): Promise<void> {
  const clients = await Promise.all(Array.from({ length: SESSIONS }, () => BarClient.open({ port })))
  await inParallel(mails, SESSIONS, async (mail) => {
    const client = clients.pop()
    if (client === undefined) throw new Error('more at once than there are sessions')
    await handIn(client, mail)
    clients.push(client)
  })
  for (const client of clients) await client.quit()
}

function writeMails(name: string, mails: ReadonlyMap<string, Buffer>): string {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true })
  for (const [id, content] of mails) writeFileSync(join(path, `${id}.eml`), content)
  return path
}

/** `file algorithm`, for each signature that passes; throws if one does not. */
async function byDkimpy(path: string): Promise<readonly string[]> {
  const { code, output, errors } = await runProgram(['/usr/bin/python3', VERIFY, zones.address, String(zones.port), path])
  if (code !== 0) throw new Error(errors)
  const results = output
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' '))
  expect(results.filter((fields) => fields[4] !== 'pass').map((fields) => fields.join(' '))).toEqual([])
  return results.map(([file, domain, , algorithm]) => `${file} ${domain} ${algorithm}`)
}

async function publishedKeys(): Promise<readonly string[]> {
  const resolver = new Resolver()
  resolver.setServers([`${zones.address}:${zones.port}`])
  const { keys } = JSON.parse(await cli('dkim', 'show', '--json')) as { keys: { record: { name: string } }[] }
  const names = [...keys.map(({ record }) => record.name), 'own._domainkey.app.test']
  return Promise.all(names.map(async (name) => `${name} ${(await resolver.resolveTxt(name))[0]?.join('')}\n`))
}

async function byOpenDkim(path: string, names: Iterable<string>): Promise<readonly string[]> {
  const conf = join(folder, 'opendkim.conf')
  const keys = join(folder, 'opendkim.keys')
  // Debian's OpenDKIM asks no name server on loopback: it is given what the zone says.
  writeFileSync(keys, (await publishedKeys()).join(''))
  writeFileSync(conf, `Mode v\nSyslog no\nTestPublicKeys ${keys}\n`)
  const files = [...names].map((name) => `${name}.eml`)
  const { output, errors } = await runProgram(['/usr/sbin/opendkim', '-x', conf, '-v', '-v', '-t', files.join(',')], { cwd: path, limitMs: 110_000 })
  const results: string[] = []
  const failed: string[] = []
  let field = ''
  for (const line of output.split('\n')) {
    const [, file, verdict = ''] = /^opendkim: (\S+\.eml): (.*)$/.exec(line) ?? []
    if (file === undefined) {
      field += line
      continue
    }
    const signatures = [...field.matchAll(/dkim=(\w+)[^;]*? header\.d=(\S+)[^;]*? header\.a=([\w-]+)/g)]
    for (const [, result, domain, algorithm] of signatures) (result === 'pass' ? results : failed).push(`${file} ${domain} ${algorithm}`)
    if (signatures.length === 0) failed.push(`${file}: ${verdict}`)
    field = ''
  }
  expect(failed, errors.slice(-500)).toEqual([])
  return results
}

async function verified(name: string, mails: ReadonlyMap<string, Buffer>, signatures: readonly string[]): Promise<void> {
  const path = writeMails(name, mails)
  const expected = [...mails.keys()].flatMap((id) => signatures.map((signature) => `${id}.eml ${signature}`)).toSorted()
  expect((await byDkimpy(path)).toSorted()).toEqual(expected)
  expect((await byOpenDkim(path, mails.keys())).toSorted()).toEqual(expected)
}
const OURS = ['sender.test ed25519-sha256', 'sender.test rsa-sha256']

function arrivedAs(start: string): Map<string, Buffer> {
  return new Map([...arrived].filter(([id]) => id.startsWith(start)))
}

/** Each kind comes in both ways in turn. */
const isOdd = (number: number): boolean => (number + Math.floor(number / MAIL_KINDS.length)) % 2 === 1

describe('a newcomer', () => {
  it('makes keys, publishes what is printed, sees that it is right, and lets the server sign', async () => {
    const created = JSON.parse(await cli('dkim', 'create', 'sender.test', '--type', 'both', '--json')) as {
      keys: { record: { zoneLine: string; strings: string[] } }[]
    }
    await expect(cli('dkim', 'check')).rejects.toThrow('not published')
    // As it is printed, but for the line break inside the brackets and the TTL of the test's zone.
    const pasted = created.keys.map(({ record }) => record.zoneLine.replaceAll('\n', ' ').replace(' 3600 IN ', ' '))
    await zones.update('sender.test', ['@ MX 0 .', ...pasted])
    expect(await cli('dkim', 'check', 'sender.test')).toMatch(/ok .*\n.*\n.*ok /)
    await cli('reload')
  })
})

describe('what arrives', () => {
  const made = Array.from({ length: MAILS }, (_, number) => makeMail(number))

  it(`of ${MAILS} mails of all kinds verifies, at a relay that takes 8 bits and at one that does not`, async () => {
    await handInAll(
      made.map(({ content, needsEightBit, id }, number) => ({
        from: 'bounce@sender.test',
        to: `${id}@${needsEightBit || isOdd(number) ? 'eight' : 'seven'}.test`,
        content,
      })),
    )
    await until('all mails at their relays', () => arrived.size === MAILS, 60_000).catch((fault: Error) => {
      const missing = made.filter(({ id }) => !arrived.has(`8-${id}`) && !arrived.has(`7-${id}`)).map(({ id }) => id)
      throw new Error(`${fault.message}; missing: ${missing.join()}`)
    })
    const converted = [...arrivedAs('7-')].filter(([id]) => /8-bit|multipart|large/.test(id))
    expect(converted.length).toBeGreaterThan(20)
    for (const [id, content] of arrivedAs('7-'))
      expect(
        content.every((octet) => octet < 128),
        id,
      ).toBe(true)
    expect([...arrivedAs('8-').values()].some((content) => content.some((octet) => octet > 127))).toBe(true)
    await verified('all', new Map(arrived), OURS)
  })

  it('verifies twice where the application had signed it, and its octets are untouched', async () => {
    const key = readTestKey('rsa').export({ type: 'pkcs8', format: 'pem' })
    const options = {
      canonicalization: 'relaxed/simple',
      signatureData: [{ signingDomain: 'app.test', selector: 'own', privateKey: key, algorithm: 'rsa-sha256' }],
    }
    const signed = await inParallel(made.slice(0, 40), 4, async ({ id, content }) => {
      const mail = `Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <${id}@app.test>\r\n${content.replace(/^(date|message-id)\s*:.*\r\n(?:[ \t].*\r\n)*/gim, '').replace('X-Test-Id: ', 'X-Test-Id: signed-')}`
      const { signatures } = (await dkimSign(Buffer.from(mail, 'latin1'), options as never)) as unknown as { signatures: string }
      return { from: 'bounce@sender.test', to: `${id}@eight.test`, content: signatures + mail }
    })
    await handInAll(signed)
    await until('the signed mails', () => arrivedAs('8-signed-').size === signed.length, 30_000)
    const mails = arrivedAs('8-signed-')
    for (const { content, to } of signed)
      expect(
        mails
          .get(`8-signed-${to.split('@')[0]}`)
          ?.toString('latin1')
          .endsWith(content),
        to,
      ).toBe(true)
    await verified('signed', mails, ['app.test rsa-sha256', ...OURS])
  })

  it('verifies where it is a notice of ours', async () => {
    await handInAll(
      made.slice(0, 24).map(({ content, needsEightBit }, number) => ({
        from: `sender-${number}@${needsEightBit || isOdd(number) ? 'eight' : 'seven'}.test`,
        to: 'refuse-x@eight.test',
        content,
      })),
    )
    await until('the notices', () => arrivedAs('notice-').size === 24, 30_000)
    for (const content of arrivedAs('notice-').values()) expect(String(content)).toMatch(/^From: .*MAILER-DAEMON@mail\.sender\.test/m)
    await verified('notices', arrivedAs('notice-'), OURS)
  })
})

describe('keys are replaced', () => {
  it('without a mail that does not verify', async () => {
    await cli('dkim', 'rotate', 'sender.test')
    await expect(cli('dkim', 'rotate', 'sender.test')).rejects.toThrow('The old key goes on signing')
    const { keys } = JSON.parse(await cli('dkim', 'show', '--json')) as { keys: { record: { zoneLine: string } }[] }
    expect(keys).toHaveLength(4)
    await zones.update('sender.test', ['@ MX 0 .', ...keys.map(({ record }) => record.zoneLine.replaceAll('\n', ' ').replace(' 3600 IN ', ' '))])
    const one = (name: string) => ({
      from: 'bounce@sender.test',
      to: 'x@eight.test',
      content: `From: app@sender.test\r\nX-Test-Id: rotation-${name}\r\n\r\nx\r\n`,
    })
    await handInAll([one('before')])
    expect(await cli('dkim', 'rotate', 'sender.test')).toContain('from now on')
    await cli('reload')
    await handInAll([one('after')])
    await until('both', () => arrivedAs('8-rotation-').size === 2, 20_000)
    await verified('rotation', arrivedAs('8-rotation-'), OURS)
    const selectors = (name: string): readonly string[] =>
      [...String(arrived.get(`8-rotation-${name}`)).matchAll(/\ss=([^;]+);/g)].map((match) => match[1] ?? '')
    expect(selectors('before').filter((selector) => selectors('after').includes(selector))).toEqual([])
  })
})
