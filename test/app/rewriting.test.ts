import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { configSchema } from '../../src/app/config-schema.ts'
import { createRewriting } from '../../src/app/rewriting.ts'
import { buildRewritePlan } from '../../src/app/settings-rewrite.ts'
import { formatMailbox } from '../../src/core/address.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeMailbox } from '../support/make-message.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const planOf = (config: Readonly<Record<string, unknown>>, folder = '/') =>
  buildRewritePlan({ config: configSchema.parse({ hostname: 'App.Example.com', ...config }), folder })

function start(config: Readonly<Record<string, unknown>>, files: Readonly<Record<string, string>> = {}) {
  const folder = makeTempFolder()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const clock = createFakeClock()
  const notes: string[] = []
  const rewriting = createRewriting(planOf(config, folder), { clock, journal: { note: (_subsystem, level, text) => void notes.push(`${level}: ${text}`) } })
  onTestFinished(() => rewriting.close())
  const becomes = (address: string) =>
    rewriting
      .rewriter()
      ?.rewriteRecipients([{ forwardPath: makeMailbox(address), notify: null, originalRecipient: null }])
      .map(({ forwardPath, unrewritten }) => (unrewritten === null ? formatMailbox(forwardPath) : 'held'))
  return { rewriting, folder, clock, notes, becomes }
}

it('is nothing where nothing is configured', () => {
  expect(start({}).rewriting.rewriter()).toBeNull()
  expect(start({}).rewriting.localMail()).toBeNull()
})

const bareDomains: readonly (readonly [name: string, local: Readonly<Record<string, unknown>>, domain: string | null])[] = [
  ['the host name where it is local', {}, 'app.example.com'],
  ['the first local domain where it is not', { domains: ['[127.0.0.1]', 'Localhost', 'other.example'] }, 'localhost'],
  ['what is written', { appendDomain: 'Corp.Example' }, 'corp.example'],
  ['nothing where that is written', { appendDomain: false }, null],
]
it.each(bareDomains)('names without domain get %s', (_name, local, domain) => {
  expect(planOf({ local }).bareDomain).toBe(domain)
})

it('knows the users of the system, of the machine it runs on', () => {
  const mail = start({ local: {} }).rewriting.localMail()
  expect(mail?.users.get('root')).toBe('root')
  expect([...(mail?.domains ?? [])]).toEqual(['localhost', 'app.example.com'])
})

it('gives root what is for a program, unless that has a mailbox', () => {
  const becomes = (local: Readonly<Record<string, unknown>>) => start({ local: { root: 'ops@example.net', ...local } }).becomes('daemon@localhost')
  expect(becomes({})).toEqual(['ops@example.net'])
  expect(becomes({ mailbox: { users: ['daemon'] } })).toEqual(['daemon@localhost'])
  expect(becomes({ mailbox: { lmtp: 'unix:/run/lmtp' } })).toEqual(['daemon@localhost'])
  expect(becomes({ users: ['daemon'] })).toEqual(['daemon@localhost'])
})

it('keeps the good table over a reload in which its file is broken', () => {
  const config = { rewrite: { recipients: [{ file: 'virtual' }] } }
  const { rewriting, folder, becomes, notes } = start(config, { virtual: 'a@x.example b@y.example' })
  writeFileSync(join(folder, 'virtual'), 'a@x.example b@@y')
  rewriting.reload(planOf(config, folder))
  expect(becomes('a@x.example')).toEqual(['b@y.example'])
  expect(notes.at(-1)).toMatch(/^error: a table cannot be used, the one before it stays: line 1: "b@@y" is no address/)
  expect(rewriting.faults()).toEqual([`a table cannot be used, the one before it stays: ${join(folder, 'virtual')}: line 1: "b@@y" is no address`])
  rewriting.reload(planOf({}, folder))
  expect(rewriting.faults()).toEqual([])
})

it('closes the tables that no rule names any more', () => {
  const { rewriting, folder, clock } = start({ rewrite: { recipients: [{ file: 'virtual' }] } }, { virtual: 'a@x.example b@y.example' })
  rewriting.reload(planOf({}, folder))
  expect(rewriting.rewriter()).toBeNull()
  expect(clock.pending).toBe(0)
})

it('says of aliases which are not used', () => {
  const { notes } = start({ local: { users: ['root'] }, aliases: 'aliases' }, { aliases: 'list: "|/usr/bin/list x", root\nfile: /var/x\n' })
  expect(notes.filter((note) => note.startsWith('warn'))).toEqual([
    'warn: alias "list" leads to a command, and commands are never run: mail is not delivered there',
    'warn: alias "file" leads to a file, and mail is never written to files by aliases: mail is not delivered there',
  ])
})

it('includes files only where that is allowed', async () => {
  const files = { aliases: 'list: :include:LIST', list: 'ann@y.example, root' }
  const off = start({ local: { users: ['root'] }, aliases: 'aliases' }, files)
  expect(off.notes.at(-1)).toContain(':include:LIST, and aliases.include does not allow it')
  const on = start({ local: { users: ['root'] }, aliases: { file: 'aliases', include: true } }, files)
  expect(on.becomes('list@localhost')).toEqual(['held'])
  writeFileSync(join(on.folder, 'aliases'), `list: :include:${join(on.folder, 'list')}`)
  await on.clock.advance(5_000)
  expect(on.becomes('list@localhost')).toEqual(['ann@y.example', 'root@localhost'])
  rmSync(join(on.folder, 'list'))
  await on.clock.advance(5_000)
  expect(on.becomes('list@localhost')).toEqual(['ann@y.example', 'root@localhost'])
})
