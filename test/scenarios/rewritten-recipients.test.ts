/**
 * Addresses are rewritten before mail is queued, and everything behind knows both: the relay, the
 * history, the report to the sender, who may be an alias himself.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { configSchema } from '../../src/app/config-schema.ts'
import { createRewriting } from '../../src/app/rewriting.ts'
import { buildRewritePlan } from '../../src/app/settings-rewrite.ts'
import type { DeliverySettings } from '../../src/delivery/settings.ts'
import { StoreFault } from '../../src/ports/store-fault.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { readReport } from '../support/read-report.ts'
import { peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { startServer, type WholeServer } from '../support/whole-server.ts'

const LOCAL = { domains: ['host.example', 'localhost'], users: ['root', 'bob', 'mailcatchall'], appendDomain: 'host.example' }

interface Story {
  readonly server: WholeServer
  readonly peer: Awaited<ReturnType<typeof peerWith>>
  readonly folder: string
  readonly notes: readonly string[]
}

/** One relay for all mail, local or not: where it ends is not what these stories are about. */
async function startStory(
  config: Readonly<Record<string, unknown>>,
  options: { readonly files?: Readonly<Record<string, string>>; readonly rcpt?: (line: string) => string; readonly delivery?: Partial<DeliverySettings> } = {},
): Promise<Story> {
  const folder = makeTempFolder()
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(folder, name), text)
  const clock = createFakeClock()
  const notes: string[] = []
  const plan = buildRewritePlan({ config: configSchema.parse({ hostname: 'host.example', ...config }), folder })
  const rewriting = createRewriting(plan, { clock, journal: { note: (_subsystem, _level, text) => void notes.push(text) } })
  const peer = await peerWith(serving(options.rcpt === undefined ? {} : { answers: { RCPT: options.rcpt } }))
  const delivery = settingsFor(relayAt('relay', peer.port), options.delivery)
  const server = await startServer({ delivery, clock, rewriter: rewriting.rewriter, ...(plan.bareDomain === null ? {} : { bareDomain: plan.bareDomain }) })
  onTestFinished(() => rewriting.close())
  return { server, peer, folder, notes }
}

const heard = ({ peer }: Story): readonly string[] => peer.lines.filter((line) => line.startsWith('RCPT'))

it('goes to every address that one becomes, with the one before as ORCPT', async () => {
  const story = await startStory({ rewrite: { recipients: [{ map: { 'sales@x.example': ['a@y.example', 'b@y.example'] } }] } })
  const mail = await story.server.send({ to: ['sales@x.example', 'b@y.example'] })
  await story.server.untilStates(mail, 'delivered', 'delivered')
  expect(heard(story).map((line) => line.replace(/ NOTIFY=\S+/, ''))).toEqual([
    'RCPT TO:<a@y.example> ORCPT=rfc822;sales@x.example',
    'RCPT TO:<b@y.example> ORCPT=rfc822;sales@x.example',
  ])
  expect(story.server.attempts.map(({ to, originalTo }) => [to, originalTo])).toEqual([
    ['a@y.example', 'sales@x.example'],
    ['b@y.example', 'sales@x.example'],
  ])
  expect(await story.server.store.admin.findByAddress('Sales@x.example', 5)).toEqual([mail])
})

it('tells the sender of both addresses when the new one is refused', async () => {
  const rcpt = (line: string) => (line.includes('gone@') ? '550 5.1.1 No such user' : '250 2.1.5 Ok')
  const story = await startStory({ rewrite: { recipients: [{ map: { 'sales@x.example': 'gone@y.example' } }] } }, { rcpt })
  const mail = await story.server.send({ to: ['sales@x.example'] })
  await story.server.untilStates(mail, 'failed')
  await story.server.until('the notice', () => story.peer.contents.length === 1)
  const text = story.peer.contents[0]?.toString() ?? ''
  expect(text).toContain('Original-Recipient: rfc822; sales@x.example')
  expect(text).toContain('Final-Recipient: rfc822; gone@y.example')
  expect(text).toContain('<sales@x.example> (delivered to <gone@y.example>)')
  expect(() => readReport(story.peer.contents[0] ?? Buffer.alloc(0))).not.toThrow()
})

it('sends reports where the sender is an alias for', async () => {
  const rcpt = (line: string) => (line.includes('gone@') ? '550 5.1.1 No such user' : '250 2.1.5 Ok')
  const story = await startStory({ local: LOCAL, aliases: 'aliases' }, { rcpt, files: { aliases: 'cron: ops@y.example, bob\n' } })
  await story.server.send({ from: 'cron', to: ['gone@y.example'] })
  await story.server.until('the notice', () => story.peer.contents.length === 1)
  expect(
    heard(story)
      .slice(1)
      .map((line) => line.replace(/ NOTIFY=\S+/, '')),
  ).toEqual(['RCPT TO:<ops@y.example> ORCPT=rfc822;cron@host.example', 'RCPT TO:<bob@host.example> ORCPT=rfc822;cron@host.example'])
})

it('tells nobody where the sender is a name that nobody has, and says so', async () => {
  const story = await startStory({ local: LOCAL }, { rcpt: () => '550 5.1.1 No such user' })
  const mail = await story.server.send({ from: 'nobody@host.example', to: ['gone@y.example'] })
  await story.server.untilStates(mail, 'failed')
  expect((await story.server.history(mail)).map(({ kind }) => kind)).toEqual(['accepted', 'failed', 'dsn-suppressed'])
  expect(await story.server.store.admin.count({})).toBe(1)
})

it('refuses unknown local users at RCPT, and gives names a domain', async () => {
  const story = await startStory({ local: LOCAL })
  expect(await story.server.offer({ to: ['nobody'] })).toBe('550 5.1.1 User unknown')
  expect(await story.server.offer({ to: ['nobody@LocalHost'] })).toBe('550 5.1.1 User unknown')
  const mail = await story.server.send({ from: 'root', to: ['Postmaster', 'bob+tag'], content: 'From: root (Cron)\r\nTo: bob\r\n\r\nx\r\n' })
  await story.server.untilStates(mail, 'delivered', 'delivered')
  expect(heard(story).map((line) => line.split(' ')[1])).toEqual(['TO:<root@host.example>', 'TO:<bob+tag@host.example>'])
  expect(story.peer.lines.find((line) => line.startsWith('MAIL'))).toMatch(/^MAIL FROM:<root@host\.example>/)
  expect(story.peer.contents[0]?.toString()).toContain('\r\nFrom: root@host.example (Cron)\r\nTo: bob@host.example\r\n\r\nx')
})

it('refuses a circle at RCPT, and lists that are too long together', async () => {
  const list = (name: string) => Array.from({ length: 4 }, (_, i) => `${name}${i}@y.example`)
  const map = { 'a@x.example': 'b@x.example', 'b@x.example': 'a@x.example', 'one@x.example': list('m'), 'two@x.example': list('n') }
  const story = await startStory({ rewrite: { recipients: [{ map }], limits: { recipients: 6 } } })
  expect(await story.server.offer({ to: ['a@x.example'] })).toBe('554 5.4.6 The address is rewritten in a loop')
  expect(await story.server.offer({ to: ['one@x.example', 'two@x.example'] })).toMatch(/^452 4\.5\.3 /)
  await story.server.send({ to: ['one@x.example'] })
})

it('sends as another address and puts the real one in Reply-To', async () => {
  const rewrite = { sendAs: { from: 'corp.example', as: 'noreply@x.example' } }
  const story = await startStory({ rewrite })
  const mail = await story.server.send({ from: 'ann@corp.example', content: 'From: Ann <ann@corp.example>\r\nSubject: s\r\n\r\nx\r\n' })
  await story.server.untilStates(mail, 'delivered')
  expect(story.peer.lines.find((line) => line.startsWith('MAIL'))).toMatch(/^MAIL FROM:<noreply@x\.example>/)
  expect(story.peer.contents[0]?.toString()).toContain('\r\nFrom: Ann <noreply@x.example>\r\nReply-To: Ann <ann@corp.example>\r\nSubject: s\r\n\r\nx')
  expect((await story.server.story(mail)).message.header.from).toBe('Ann <noreply@x.example>')
})

const CATCH_ALL = '# Reroute all email, sending it to a local mailbox\n#/.*@.*/        root\n/.*@.*/        mailcatchall\n'
const SANDBOX = { local: LOCAL, rewrite: { recipients: [{ file: 'virtual_alias', format: 'regexp' }] } }

it('catches all mail by a pattern from a text file', async () => {
  const story = await startStory(SANDBOX, { files: { virtual_alias: CATCH_ALL } })
  const mail = await story.server.send({ to: ['one@real.example', 'two@real.example', 'root'] })
  await story.server.untilStates(mail, 'delivered')
  expect(heard(story).map((line) => line.split(' ')[1])).toEqual(['TO:<mailcatchall@host.example>'])
})

it('holds all mail while that file is missing, and rewrites it when it is released', async () => {
  const story = await startStory(SANDBOX)
  const { server, folder } = story
  const mail = await server.send({ to: ['one@real.example', 'two@real.example'] })
  await server.untilStates(mail, 'held', 'held')
  expect((await server.story(mail)).recipients[0]?.holdReason).toMatch(/^a rewriting table cannot be used: .*virtual_alias cannot be read: it does not exist$/)
  const release = () => server.store.admin.act('resume', { queueIds: [mail] }, 'test', server.clock.now()).then(() => server.delivery.wake())
  await release()
  await server.until('the mail to be held again', async () => (await server.history(mail)).filter(({ kind }) => kind === 'held').length === 2)
  await server.untilStates(mail, 'held', 'held')
  expect(story.peer.lines).toEqual([])
  writeFileSync(join(folder, 'virtual_alias'), CATCH_ALL)
  await server.passFor(10_000)
  await release()
  await server.untilStates(mail, 'delivered', 'delivered')
  await server.until('the mail to arrive', () => story.peer.contents.length === 1)
  expect(heard(story).map((line) => line.replace(/ NOTIFY=\S+/, ''))).toEqual(['RCPT TO:<mailcatchall@host.example> ORCPT=rfc822;one@real.example'])
  const [line] = (await server.history(mail)).filter(({ kind }) => kind === 'rewritten')
  expect(line?.detail.reason).toMatch(/^goes on as \w+ to mailcatchall@host\.example$/)
})

it('releases a large message with all of its content', async () => {
  const story = await startStory(SANDBOX)
  const { server, folder } = story
  const body = 'A line of a large message.\r\n'.repeat(20_000)
  const mail = await server.send({ to: ['one@real.example'], content: `Subject: large\r\n\r\n${body}` })
  await server.untilStates(mail, 'held')
  writeFileSync(join(folder, 'virtual_alias'), CATCH_ALL)
  await server.passFor(10_000)
  await server.store.admin.act('resume', { queueIds: [mail] }, 'test', server.clock.now())
  server.delivery.wake()
  await server.until('the mail to arrive', () => story.peer.contents.length === 1)
  const [content] = story.peer.contents
  expect(content?.toString().endsWith(`Subject: large\r\n\r\n${body}`)).toBe(true)
  await server.untilStates(mail, 'delivered')
})

it('quarantines a held message whose content turns out to be damaged, and says so', async () => {
  const story = await startStory(SANDBOX)
  const { server, folder } = story
  const mail = await server.send({ to: ['one@real.example', 'two@real.example'] })
  await server.untilStates(mail, 'held', 'held')
  writeFileSync(join(folder, 'virtual_alias'), CATCH_ALL)
  await server.passFor(10_000)
  server.store.bodies.open = () => Promise.reject(new StoreFault('damaged', 'hash differs'))
  await server.store.admin.act('resume', { queueIds: [mail] }, 'test', server.clock.now())
  server.delivery.wake()
  await server.until('quarantine', async () => (await server.history(mail)).filter(({ kind }) => kind === 'quarantined').length === 2)
  expect(server.notes).toContain('content is damaged and is not sent: hash differs')
  expect(server.delivery.counters().held).toBe(2)
  expect(story.peer.lines).toEqual([])
})

it('never lets what is held for a missing table reach its address by another way', async () => {
  const story = await startStory(SANDBOX)
  const { server } = story
  const mail = await server.send({ to: ['one@real.example'] })
  await server.untilStates(mail, 'held')
  server.delivery.reload(settingsFor(relayAt('relay', story.peer.port)))
  await server.store.admin.act('resume', {}, 'test', server.clock.now())
  await server.store.admin.act('retry', {}, 'test', server.clock.now())
  server.delivery.wake()
  await server.until('the mail to be held again', async () => (await server.history(mail)).filter(({ kind }) => kind === 'held').length === 2)
  await server.passFor(60_000)
  expect(story.peer.lines).toEqual([])
})

it('ends when a copy for the postmaster cannot be delivered to where his address leads', async () => {
  const rcpt = (line: string) => (line.includes('gone@') ? '550 5.1.1 No such user' : '250 2.1.5 Ok')
  const dsn = { from: 'MAILER-DAEMON@host.example', returnFullMaxOctets: 50_000, perSenderPerHourMax: 100, postmaster: 'postmaster@host.example' }
  const story = await startStory({ local: { ...LOCAL, root: 'gone@y.example' } }, { rcpt, delivery: { dsn } })
  const mail = await story.server.send({ from: '', to: ['gone@x.example'] })
  await story.server.untilStates(mail, 'failed')
  await story.server.passFor(60_000)
  const mails = await story.server.store.admin.list({}, { limit: 10, after: null })
  expect(mails.rows.map(({ sender, recipient, state }) => [sender, recipient, state])).toEqual([
    ['<>', 'gone@x.example', 'failed'],
    ['<>', 'gone@y.example', 'failed'],
  ])
})
