import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/app/config.ts'
import { explainRewriting } from '../../src/app/explain-rewriting.ts'
import { createRewriting } from '../../src/app/rewriting.ts'
import { buildSettings } from '../../src/app/settings.ts'
import { createRouter } from '../../src/delivery/router.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { read, runInit, warningsOf } from './run-init.ts'

describe("init: the mail of root, such as cron's", () => {
  const flags = ['--type', 'internet', '--hostname', 'app.example.com']
  /** What the configuration makes of mail to root: where it is rewritten to, and by which route it goes. */
  const endOf = (cwd: string, written: string): { readonly address: string; readonly via: string } => {
    const loaded = loadConfig({ explicitPath: null, env: {}, cwd })
    const settings = buildSettings(loaded)
    const rewriting = createRewriting(settings.rewrite, { clock: createFakeClock(), journal: { note: () => undefined } })
    try {
      const explained = explainRewriting(rewriting.rewriter(), { address: written, from: null })
      expect(explained?.refusal).toBeNull()
      let node = explained?.recipient
      while (node?.children[0] !== undefined) node = node.children[0]
      const address = node?.address ?? ''
      const { route } = createRouter(settings.delivery).decide({ from: '', to: address, submitter: '', header: [] })
      return { address, via: route.kind === 'relay' ? route.relay.name : route.kind }
    } finally {
      rewriting.close()
    }
  }

  it.each(['root', 'postmaster', 'root@app.example.com', 'root@localhost'])('goes to the address that was named: %s', async (written) => {
    const cwd = makeTempFolder()
    await runInit(cwd, [...flags, '--root', 'ops@example.com'])
    expect(endOf(cwd, written)).toEqual({ address: 'ops@example.com', via: 'mx' })
    expect(warningsOf(cwd)).toEqual([])
  })
  it.each(['internet', 'local'])('goes into the mailbox of the user that was named: %s', async (type) => {
    const cwd = makeTempFolder()
    await runInit(cwd, ['--type', type, '--hostname', 'app.example.com', '--root', 'bob'])
    // Who is a user of the machine that tests run on is not known here.
    expect(parse(read(cwd)).local).toEqual({ root: 'bob' })
    expect(endOf(cwd, 'somebody@example.net').via).toBe(type === 'local' ? 'capture' : 'mx')
    expect(warningsOf(cwd)).toEqual([])
  })
  it.each(['internet', 'local'])('is kept where nobody was named: %s', async (type) => {
    const cwd = makeTempFolder()
    const { stdout } = await runInit(cwd, ['--type', type, '--hostname', 'app.example.com'])
    expect(stdout).toContain('postern config set local.root WHOM')
    for (const written of ['root', 'postmaster', 'root@localhost']) expect(endOf(cwd, written).via).toBe('capture')
    expect(read(cwd)).toContain('postern captured list')
    expect(warningsOf(cwd)).toEqual([])
  })
  it('leaves the mailboxes of the people alone where the machine is called as their domain', async () => {
    const cwd = makeTempFolder()
    await runInit(cwd, ['--type', 'satellite', '--hostname', 'example.com', '--relay', 'relay.example.com', '--root', 'ops@example.com'])
    expect(endOf(cwd, 'root')).toEqual({ address: 'ops@example.com', via: 'smarthost' })
    expect(endOf(cwd, 'root@localhost')).toEqual({ address: 'ops@example.com', via: 'smarthost' })
    expect(endOf(cwd, 'anybody@example.com')).toEqual({ address: 'anybody@example.com', via: 'smarthost' })
    expect(warningsOf(cwd)).toEqual([])
  })
  it('goes to whom the alias file names, and nobody is asked', async () => {
    const cwd = makeTempFolder()
    const aliases = join(cwd, 'aliases')
    writeFileSync(aliases, 'root: ops@example.com\n')
    const written = ['--output', 'postern.yaml', '--listen', 'smtp://127.0.0.1:2525', '--data', 'queue']
    expect((await runInit(cwd, [...flags, ...written], {}, { asRoot: true, aliases })).fault).toBeNull()
    expect(parse(read(cwd))).toMatchObject({ aliases, local: { mailbox: { format: 'mbox' } } })
    expect(endOf(cwd, 'root')).toEqual({ address: 'ops@example.com', via: 'mx' })
    expect(warningsOf(cwd)).toEqual([])
  })
  it('is asked for where the alias file names nobody, or cannot be used', async () => {
    const cwd = makeTempFolder()
    const aliases = join(cwd, 'aliases')
    const written = ['--output', 'postern.yaml', '--force', '--listen', 'smtp://127.0.0.1:2525', '--data', 'queue']
    for (const [text, used] of [
      ['postmaster: root\n', true],
      ['no alias\n', false],
    ] as const) {
      writeFileSync(aliases, text)
      await runInit(cwd, [...flags, ...written], { 'Who gets mail for root': 'ops@example.com' }, { asRoot: true, aliases })
      expect(parse(read(cwd)).aliases).toBe(used ? aliases : undefined)
      expect(endOf(cwd, 'postmaster')).toEqual({ address: 'ops@example.com', via: 'mx' })
    }
  })
})
