import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { EpochMs } from '../../src/core/brand.ts'
import { startCliServer } from '../support/cli-run.ts'
import { heldPlace, leasedPlace, makeAcceptance, NOON, queuedPlace } from '../support/make-message.ts'
import type { MemoryStore } from '../support/memory-store.ts'
import { acceptAndEnd, GOOGLE, SUSPENDED } from '../support/settle-as.ts'

async function fill(store: MemoryStore, number: number, from = 'jira@a.example'): Promise<void> {
  for (let i = 0; i < number; i++) {
    const acceptedAt = (NOON - 3_600_000 + i) as EpochMs
    await store.queue.enqueue(makeAcceptance({ from, to: [`u${i}@b.example`], acceptedAt, place: queuedPlace(acceptedAt, GOOGLE) }))
  }
}

describe('queue list', () => {
  it('lists what is not finished, with a heading and the number in all on a terminal', async () => {
    const server = await startCliServer()
    await fill(server.store, 2)
    await acceptAndEnd(server.store, {}, 'delivered')
    await acceptAndEnd(server.store, { to: ['late@b.example'] }, { deferredUntil: (NOON + 300_000) as EpochMs })
    const { lines, exitCode } = await server.run(['queue', 'list'], { terminal: 160 })
    expect(exitCode).toBe(0)
    expect(lines).toHaveLength(5)
    expect(lines[0]).toMatch(/^ID +STATE +AGE +NEXT +TRIES +SIZE +FROM +TO +RELAY +LAST REPLY$/)
    expect(lines[1]).toMatch(/^\w{11} {2}queued +1h +now +0 +85 B +jira@a\.example +u0@b\.example +smtp:google\/jira$/)
    expect(lines[3]).toMatch(/deferred +0s +5m +1 .*late@b\.example .*421 4\.7\.0 Try again later$/)
    expect(lines[4]).toBe('3 recipients in all.')
  })

  it('says of mail in a closed lane when that opens, and that nothing matches where something waits', async () => {
    const server = await startCliServer()
    await fill(server.store, 1)
    await server.store.queue.enqueue(makeAcceptance({ to: ['free@b.example'], place: queuedPlace(NOON) }))
    server.control.lanes = [SUSPENDED]
    const { lines } = await server.run(['queue', 'list'], { terminal: 160 })
    expect(lines.find((line) => line.includes('u0@'))).toMatch(/queued +1h +1m +0/)
    expect(lines.find((line) => line.includes('free@'))).toMatch(/queued +0s +now +0/)
    expect((await server.run(['queue', 'list', '--sender', 'nobody@x'], { terminal: 160 })).lines.at(-1)).toMatch(/^Nothing that waits matches\./)
  })

  it('gives programs tab-separated columns in a fixed order with full times, and nothing else', async () => {
    const server = await startCliServer()
    const id = await acceptAndEnd(server.store, { from: '', to: ['a@b.example'], content: 'x' }, { deferredUntil: (NOON + 300_000) as EpochMs })
    const { stdout, stderr } = await server.run(['queue', 'list'])
    expect(stdout).toBe(
      `${[id, 'deferred', '2026-03-01T12:00:00.000Z', '2026-03-01T12:05:00.000Z', '1', '1', '<>', 'a@b.example', 'smtp:google/jira', '421 4.7.0 Try again later'].join('\t')}\n`,
    )
    expect(stderr).toBe('')
  })

  it('shows a page, says how many there are and how to go on, and goes on', async () => {
    const server = await startCliServer()
    await fill(server.store, 5)
    const first = await server.run(['queue', 'list', '--limit', '2'])
    expect(first.lines).toHaveLength(2)
    const cursor = /2 of 5 recipients shown\. The next ones: add --after (\S+);/.exec(first.stderr)?.[1] ?? ''
    const rest = await server.run(['queue', 'list', '--limit', 'all', '--after', cursor])
    expect(rest.lines.map((line) => line.split('\t')[7])).toEqual(['u2@b.example', 'u3@b.example', 'u4@b.example'])
    expect(rest.stderr).toBe('')
  })

  it('fetches more than one page of the server, as one JSON array', async () => {
    const server = await startCliServer()
    await fill(server.store, 1005)
    const { stdout } = await server.run(['queue', 'list', '--limit', 'all', '--json'])
    const rows = JSON.parse(stdout) as { recipient: string }[]
    expect(rows).toHaveLength(1005)
    expect(new Set(rows.map(({ recipient }) => recipient)).size).toBe(1005)
    expect(JSON.parse((await server.run(['queue', 'list', '--json', '--sender', 'nobody@x'])).stdout)).toEqual([])
  })

  it.each([
    [['--sender', 'other@*'], ['o']],
    [['--recipient', 'late@b.example'], ['late']],
    [['--deferred'], ['late']],
    [['--state', 'deferred'], ['late']],
    [['--state', 'held'], ['held']],
    [
      ['--state', 'delivered,failed'],
      ['done', 'bad'],
    ],
    [
      ['--state', 'all', '--relay', 'google'],
      ['done', 'bad', 'late', 'old'],
    ],
    [['--reply', 'TRY AGAIN'], ['late']],
    [['--older-than', '2h'], ['old']],
    [
      ['--newer-than', '2h', '--state', 'queued'],
      ['o', 'late'],
    ],
  ])('%j', async (options, expected) => {
    const { store, run } = await startCliServer()
    await acceptAndEnd(store, { to: ['done@b.example'] }, 'delivered')
    await acceptAndEnd(store, { to: ['bad@b.example'] }, 'failed')
    await store.queue.enqueue(makeAcceptance({ from: 'other@a.example', to: ['o@b.example'] }))
    await store.queue.enqueue(makeAcceptance({ to: ['held@b.example'], place: heldPlace('wait') }))
    await acceptAndEnd(store, { to: ['late@b.example'] }, { deferredUntil: (NOON + 60_000) as EpochMs })
    await store.queue.enqueue(makeAcceptance({ to: ['old@b.example'], acceptedAt: (NOON - 10_800_000) as EpochMs, place: queuedPlace(NOON, GOOGLE) }))
    const { stdout, stderr } = await run(['queue', 'list', '--json', ...options])
    expect(stderr).toBe('')
    expect((JSON.parse(stdout) as { recipient: string }[]).map(({ recipient }) => recipient.split('@')[0]).sort()).toEqual([...expected].sort())
  })

  it('writes a CSV file in which no cell is a formula', async () => {
    const server = await startCliServer()
    await server.store.queue.enqueue(makeAcceptance({ subject: '=HYPERLINK("http://evil")', to: ['+1@b.example'] }))
    const { lines } = await server.run(['queue', 'list', '--csv'])
    expect(lines[0]).toMatch(/^queueId,recipientId,state,/)
    expect(lines[1]).toContain(`"'+1@b.example"`)
    expect(lines[1]).toContain(`"'=HYPERLINK(""http://evil"")"`)
  })

  it.each([
    [['--older-than', 'soon'], 'A duration is a number and a unit'],
    [['--limit', '0'], 'a whole number from 1'],
    [['--state', 'lost'], 'Known are queued'],
    [['--state', 'captured'], 'postern captured list'],
    [['--state', 'held,deferred'], 'cannot be joined'],
    [['--what'], "unknown option '--what'"],
  ])('refuses %j as wrong usage', async (options, text) => {
    const server = await startCliServer()
    expect(await server.run(['queue', 'list', ...options])).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(text), stdout: '' })
  })
})

describe('queue show', () => {
  it('shows envelope, header facts and recipients, escaped', async () => {
    const server = await startCliServer()
    const id = await acceptAndEnd(
      server.store,
      {
        from: '',
        subject: 'evil \u001b[2J',
        to: ['a@b.example', 'c@d.example'],
        notify: ['success', 'delay'],
        envelopeId: 'QQ+2B',
        returnContent: 'headers',
        body: '8bitmime',
      },
      'failed',
    )
    const { stdout, exitCode } = await server.run(['queue', 'show', id.toLowerCase()])
    expect(exitCode).toBe(0)
    for (const part of [
      `Message ${id}`,
      'Sender:       <>',
      'Subject:      evil \\x1b[2J',
      'Asked for:    BODY=8BITMIME RET=HDRS ENVID=QQ+2B',
      '2 recipients',
      'a@b.example: failed, tried once',
      'NOTIFY=SUCCESS,DELAY',
      'last reply: 550 5.1.1 No such \\x1b[31muser',
    ])
      expect(stdout).toContain(part)
    expect(stdout).not.toContain('\u001b')
  })

  it('prints the content byte for byte to a file, and escaped to a terminal', async () => {
    const server = await startCliServer()
    const id = await acceptAndEnd(server.store, { content: 'Subject: x\r\n\r\n\u001b[2Jhi\r\n', prefix: 'Received: y\r\n' }, 'delivered')
    expect((await server.run(['queue', 'show', id, '--content'])).stdout).toBe('Received: y\r\nSubject: x\r\n\r\n\u001b[2Jhi\r\n')
    expect((await server.run(['queue', 'show', id, '--content'], { terminal: 80 })).stdout).toBe('Received: y\nSubject: x\n\n\\x1b[2Jhi\n')
  })

  it('ends with 4 for a message that is not there and with 2 for what is no id', async () => {
    const server = await startCliServer()
    expect(await server.run(['queue', 'show', '00000000000'])).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('there is no such message') })
    expect(JSON.parse((await server.run(['queue', 'show', '00000000000', '--json'])).stderr)).toMatchObject({ error: { code: 'not-found' } })
    expect(await server.run(['queue', 'show', '../../etc/passwd'])).toMatchObject({ exitCode: 2 })
  })
})

describe('changing the queue', () => {
  it('does to ids what it says, without asking', async () => {
    const server = await startCliServer()
    await fill(server.store, 2)
    const id = [...server.store.state.rows.values()][0]?.queueId ?? ''
    expect(await server.run(['queue', 'hold', id], { env: { USER: 'ann' } })).toMatchObject({ stdout: 'Held 1 recipient.\n', exitCode: 0 })
    expect(server.store.state.history.at(-1)).toMatchObject({ kind: 'held', detail: { by: 'cli:ann' } })
    expect(await server.run(['queue', 'hold', id])).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining('nothing to hold: it is held, not queued or leased'),
    })
    expect((await server.run(['queue', 'release', id])).stdout).toBe('Released 1 recipient.\n')
    expect((await server.run(['queue', 'retry', id])).stdout).toBe('Due now: 1 recipient.\n')
    expect((await server.run(['queue', 'delete', id, '--json'])).stdout).toBe('{"changed":1,"pending":0}\n')
    expect(await server.store.admin.count({ states: ['queued'] })).toBe(1)
    expect(await server.run(['queue', 'delete', '00000000000'])).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('no such message') })
  })

  it('names each of several ids to which nothing could be done', async () => {
    const server = await startCliServer()
    await fill(server.store, 2)
    const [held, free] = [...new Set([...server.store.state.rows.values()].map(({ queueId }) => queueId))]
    await server.run(['queue', 'hold', held ?? ''])
    const argv = ['queue', 'release', held ?? '', free ?? '', '00000000000']
    expect(await server.run(argv)).toMatchObject({
      exitCode: 4,
      stdout: 'Released 1 recipient.\n',
      stderr: `${free}: nothing to release: it is queued, not held\n00000000000: nothing to release: there is no such message\n`,
    })
    expect(await server.run(argv)).toMatchObject({ exitCode: 4, stdout: '', stderr: expect.stringContaining('nothing to release: none of these is held') })
    await server.run(['queue', 'hold', held ?? ''])
    const asJson = await server.run([...argv, '--json'])
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      changed: 1,
      leftOut: [{ queueId: free }, { queueId: '00000000000', reason: 'there is no such message' }],
    })
    expect(asJson).toMatchObject({ exitCode: 4, stderr: '' })
  })

  it('names who held a message as people know him', async () => {
    const server = await startCliServer()
    await fill(server.store, 1)
    const id = [...server.store.state.rows.values()][0]?.queueId ?? ''
    await server.run(['queue', 'hold', id], { env: { USER: 'ann' } })
    expect((await server.run(['trace', id])).stdout).toMatch(/held +by ann\n[\s\S]*\n {2}It is held by ann\.\n/)
    expect((await server.run(['queue', 'list'])).stdout).toMatch(/\theld by ann\n$/)
  })

  it('says what happens to mail that is being sent just now', async () => {
    const server = await startCliServer()
    const acceptance = makeAcceptance({ place: leasedPlace('t') })
    await server.store.queue.enqueue(acceptance)
    expect((await server.run(['queue', 'delete', acceptance.message.envelope.queueId])).stdout).toBe(
      '1 recipient: being sent just now; deleted if that attempt does not deliver.\n',
    )
  })

  it('with a filter says how many and asks, and does nothing unless the answer is yes', async () => {
    const server = await startCliServer()
    await fill(server.store, 3)
    for (const input of ['n\n', '\n', '']) {
      const refused = await server.run(['queue', 'delete', '--sender', 'jira@*'], { terminal: 80, input })
      expect(refused.stdout).toContain('This would delete 3 recipients. Nobody is told, and it cannot be undone. Go on? [y/N]')
      expect(refused.exitCode).toBe(1)
    }
    expect(await server.store.admin.count({ states: ['queued'] })).toBe(3)
    expect((await server.run(['queue', 'delete', '--sender', 'jira@*'], { terminal: 80, input: 'y\n' })).stdout).toContain('Deleted 3 recipients.')
  })

  it.each(['hold', 'release', 'retry', 'delete'])('%s of many is refused where nobody can be asked, and done with --yes', async (name) => {
    const server = await startCliServer()
    await fill(server.store, 3)
    await server.store.queue.enqueue(makeAcceptance({ from: 'jira@a.example', place: heldPlace('x') }))
    const refused = await server.run(['queue', name, '--sender', 'jira@*'])
    expect(refused).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringContaining('--yes') })
    expect(await server.store.admin.count({ states: ['queued'] })).toBe(3)
    expect(await server.run(['queue', name, '--sender', 'jira@*', '--yes'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/\d recipients?\.\n$/),
    })
  })

  it.each([
    [['queue', 'delete'], 'what is to be deleted?'],
    [['queue', 'delete', '--yes'], 'what is to be deleted?'],
    [['queue', 'hold', '--state', 'all', '--yes'], 'what is to be held?'],
    [['queue', 'release', '--state', 'queued', '--yes'], 'only recipients that are held can be released'],
    [['queue', 'delete', '00000000000', '--deferred'], 'not both'],
    [['queue', 'export', 'out'], 'which messages'],
  ])('never means everything by accident: %j', async (argv, text) => {
    const server = await startCliServer()
    await fill(server.store, 1)
    expect(await server.run(argv)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(text) })
    expect(await server.store.admin.count({ states: ['queued'] })).toBe(1)
  })

  it('takes everything with --all', async () => {
    const server = await startCliServer()
    await fill(server.store, 3)
    expect((await server.run(['queue', 'delete', '--all', '--yes'])).stdout).toBe('Deleted 3 recipients.\n')
    expect(await server.run(['queue', 'delete', '--all', '--yes'])).toMatchObject({ exitCode: 0, stdout: 'There is nothing to delete.\n' })
  })

  it('flushes all or one relay', async () => {
    const server = await startCliServer()
    await fill(server.store, 2)
    expect((await server.run(['queue', 'flush', '--relay', 'google'])).stdout).toContain('2 recipients due now.')
    expect((await server.run(['queue', 'flush'])).stdout).toContain('Opened: smtp:google/jira.\n2 recipients due now.')
    expect(server.control.flushed).toEqual(['google', null])
  })
})

describe('queue export', () => {
  it('writes one message to a file that only its owner may read, and overwrites nothing', async () => {
    const server = await startCliServer()
    const id = await acceptAndEnd(server.store, { content: 'X: y\r\n\r\nz\r\n', prefix: '' }, 'delivered')
    expect((await server.run(['queue', 'export', 'm.eml', id])).exitCode).toBe(0)
    expect(readFileSync(`${server.folder}/m.eml`, 'utf8')).toBe('X: y\r\n\r\nz\r\n')
    expect(statSync(`${server.folder}/m.eml`).mode & 0o777).toBe(0o600)
    expect(await server.run(['queue', 'export', 'm.eml', id])).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('nothing is overwritten') })
  })

  it('writes several to a folder under their ids, each message once', async () => {
    const server = await startCliServer()
    await server.store.queue.enqueue(makeAcceptance({ to: ['a@b.example', '../../evil@b.example'], place: queuedPlace() }))
    await fill(server.store, 2)
    await acceptAndEnd(server.store, {}, 'delivered')
    mkdirSync(`${server.folder}/out`)
    expect((await server.run(['queue', 'export', 'out', '--all'])).stdout).toBe(`3 messages written to ${server.folder}/out.\n`)
    const ids = [...new Set([...server.store.state.rows.values()].filter(({ state }) => state === 'queued').map(({ queueId }) => `${queueId}.eml`))]
    expect(readdirSync(`${server.folder}/out`).sort()).toEqual(ids.sort())
  })

  it('goes on after one that cannot be written, and leaves no half file', async () => {
    const server = await startCliServer()
    await fill(server.store, 3)
    const [first, second] = [...server.store.state.contents]
    for (const chunk of first?.[1].chunks ?? []) chunk.fill(0)
    mkdirSync(`${server.folder}/out`)
    writeFileSync(`${server.folder}/out/${second?.[0]}.eml`, 'precious')
    const ran = await server.run(['queue', 'export', 'out', '--all'])
    expect(ran).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('1 message written') })
    expect(ran.stderr).toContain(`${first?.[0]}: the stored content is damaged`)
    expect(readFileSync(`${server.folder}/out/${second?.[0]}.eml`, 'utf8')).toBe('precious')
    expect(readdirSync(`${server.folder}/out`)).toHaveLength(2)
  })
})
