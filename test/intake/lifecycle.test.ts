import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createIntake } from '../../src/intake/intake.ts'
import { StoreFault } from '../../src/ports/store-fault.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { freePort } from '../support/free-port.ts'
import { SILENT_JOURNAL } from '../support/silent-journal.ts'
import { waitUntil } from '../support/wait-for-signal.ts'
import { cheapHash, HARSH, type Harness, LIMITS, makeListener, makeSettings, makeUser, startIntake } from './harness.ts'

let harness: Harness
afterEach(() => harness.end())

async function takenPort(): Promise<{ readonly port: number; readonly free: () => void }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return { port: typeof address === 'object' && address !== null ? address.port : 0, free: () => server.close() }
}
function listenerAt(port: number) {
  return makeListener({ url: `smtp://127.0.0.1:${port}`, port })
}

describe('bind and serve', () => {
  it('lets connections wait until the store is there', async () => {
    harness = await startIntake({ unserved: true })
    const early = await harness.client()
    const gone = await harness.client()
    gone.socket.resetAndDestroy()
    await harness.clock.settle()
    await expect(harness.intake.submit({ from: '', to: ['a@b.example'], content: Buffer.from('x') })).rejects.toThrow(StoreFault)
    harness.intake.serve(harness.backend)
    expect(await early.hello()).toContain('mail.example.com')
    expect(await early.submit('From: a@x\r\n\r\nx\r\n')).toMatch(/^250 2\.0\.0 /)
    await waitUntil(() => harness.intake.status()[0]?.sessions === 1)
  })

  it('says which listener cannot be opened and why, and leaves none open', async () => {
    harness = await startIntake()
    const taken = await takenPort()
    const free = await freePort()
    const settings = makeSettings({ listeners: [listenerAt(free), listenerAt(taken.port)] })
    const intake = createIntake({ settings, clock: createFakeClock(), journal: SILENT_JOURNAL, tap: { active: false, line: () => undefined } })
    await expect(intake.bind()).rejects.toThrow(`cannot listen on smtp://127.0.0.1:${taken.port}: something else listens there already`)
    taken.free()
    await intake.bind()
    await intake.stop(0)
  })

  it('refuses settings that cannot hold before anything is opened', () => {
    const make = (changes: Parameters<typeof makeSettings>[0]) => () =>
      createIntake({ settings: makeSettings(changes), clock: createFakeClock(), journal: SILENT_JOURNAL, tap: { active: false, line: () => undefined } })
    expect(make({ networks: ['10.0.0.1/8'] })).toThrow(/bits set behind its prefix/)
    expect(make({ users: [makeUser('jira', 'plain text')] })).toThrow(/password hash of user "jira"/)
    expect(make({ listeners: [makeListener({ implicitTls: true })] })).toThrow(/needs a certificate/)
  })
})

describe('reload', () => {
  it('opens new listeners, keeps unchanged ones and closes removed ones; sessions go on', async () => {
    harness = await startIntake()
    const [kept, added] = [await freePort(), await freePort()]
    await harness.intake.reload(makeSettings({ listeners: [makeListener(), listenerAt(kept)] }))
    const session = await harness.client({ listener: 0 })
    await session.hello()
    const other = await harness.client({ listener: 1 })
    await other.hello()
    await harness.intake.reload(makeSettings({ listeners: [listenerAt(kept), listenerAt(added)] }))
    expect(harness.intake.status().map((listener) => listener.url)).toEqual([`smtp://127.0.0.1:${kept}`, `smtp://127.0.0.1:${added}`])
    expect(await session.submit('From: a@x\r\n\r\nx\r\n')).toMatch(/^250 2\.0\.0 /)
    expect(await other.submit('From: a@x\r\n\r\nx\r\n')).toMatch(/^250 2\.0\.0 /)
    expect(await (await harness.client({ listener: 1 })).reply()).toMatch(/^220 /)
  })

  it('changes nothing when a listener cannot be opened', async () => {
    harness = await startIntake()
    const taken = await takenPort()
    const before = harness.intake.status()
    await expect(
      harness.intake.reload(makeSettings({ hostname: 'changed.example', listeners: [listenerAt(await freePort()), listenerAt(taken.port)] })),
    ).rejects.toThrow(/something else listens/)
    taken.free()
    expect(harness.intake.status()).toEqual(before)
    expect(await (await harness.client()).reply()).toBe('220 mail.example.com ESMTP Postern')
  })

  it('ends open sessions under the settings they began with', async () => {
    harness = await startIntake({ settings: { users: [makeUser('jira', cheapHash('old'))] } })
    const before = await harness.client()
    await before.hello()
    await harness.intake.reload(makeSettings({ hostname: 'changed.example', networks: [], users: [makeUser('jira', cheapHash('new'))] }))
    const plain = (password: string): string => `AUTH PLAIN ${Buffer.from(`\0jira\0${password}`).toString('base64')}`
    expect(await before.submit('x: y\r\n\r\n')).toMatch(/^250 2\.0\.0 /)
    expect(await before.say(plain('old'))).toMatch(/^235 /)
    const after = await harness.client()
    expect(await after.hello()).toContain('changed.example')
    expect(await after.say('MAIL FROM:<a@x.example>')).toMatch(/^250 /)
    expect(await after.say('RCPT TO:<b@y.example>')).toMatch(/^554 5\.7\.1 /)
    await after.say('RSET')
    expect(await after.say(plain('old'))).toMatch(/^535 /)
    expect(await after.say(plain('new'))).toMatch(/^235 /)
  })

  it('loses no session in 100 reloads under load', async () => {
    harness = await startIntake()
    let running = true
    const sender = async (): Promise<number> => {
      const client = await harness.client()
      await client.hello()
      let sent = 0
      while (running) {
        expect(await client.submit('From: a@x\r\n\r\nx\r\n')).toMatch(/^250 2\.0\.0 /)
        sent++
      }
      return sent
    }
    const senders = Array.from({ length: 5 }, sender)
    for (let i = 0; i < 100; i++) {
      const settings = makeSettings({ hostname: `host${i}.example` })
      if (i % 10 === 9) await expect(harness.intake.reload({ ...settings, networks: ['nonsense'] })).rejects.toThrow()
      else await harness.intake.reload(settings)
      await harness.clock.settle()
    }
    running = false
    const sent = (await Promise.all(senders)).reduce((sum, count) => sum + count, 0)
    expect(harness.accepted).toHaveLength(sent)
  })
})

describe('pause', () => {
  it('answers new transactions with the reason', async () => {
    harness = await startIntake()
    const client = await harness.client()
    await client.hello()
    harness.intake.pause('the disk failed, reopening the store')
    expect(harness.intake.paused()).toBe('the disk failed, reopening the store')
    expect(await client.say('MAIL FROM:<a@x.example>')).toBe('451 4.3.0 Not taking mail now: the disk failed, reopening the store')
    harness.intake.pause('disk full', 'full')
    const other = await harness.client()
    await other.hello()
    expect(await other.say('MAIL FROM:<a@x.example>')).toBe('452 4.3.1 Not taking mail now: disk full')
    harness.intake.resume()
    expect(harness.intake.paused()).toBeNull()
    expect(await client.submit('From: a@x\r\n\r\nx\r\n')).toMatch(/^250 2\.0\.0 /)
  })
})

describe('pressure', () => {
  it('holds when nearly all connections are taken, with harsher numbers on the same path, and ends below', async () => {
    const limits = { ...LIMITS, connections: 10, connectionsPerClient: 10 }
    harness = await startIntake({ settings: { limits, limitsUnderPressure: { ...HARSH, connections: 10, connectionsPerClient: 10 } } })
    const idle = await harness.client()
    await idle.hello()
    const others = await Promise.all(Array.from({ length: 7 }, () => harness.client()))
    for (const other of others) await other.hello()
    expect(harness.intake.underPressure()).toBe(false)
    const ninth = await harness.client()
    await ninth.hello()
    expect(harness.intake.underPressure()).toBe(true)
    // A session that began before has the shorter deadline at once.
    await harness.clock.advance(10_001)
    expect(await idle.reply()).toMatch(/^421 4\.4\.2 /)
    for (const other of others) other.destroy()
    await waitUntil(() => !harness.intake.underPressure())
    expect(harness.notes.map((note) => note.text)).toEqual(expect.arrayContaining(['under pressure: harsher limits hold', 'pressure is over']))
  })

  it('holds while the store is slow or intake is paused', async () => {
    harness = await startIntake({
      backend: (plain) => ({
        ...plain,
        store: {
          async enqueue(acceptance) {
            harness.clock.advanceSync(30_000)
            await plain.store.enqueue(acceptance)
          },
        },
      }),
    })
    const client = await harness.client()
    await client.hello()
    await client.submit('From: a@x\r\n\r\nx\r\n')
    expect(harness.intake.underPressure()).toBe(true)
    await harness.clock.advance(30_000)
    expect(harness.intake.underPressure()).toBe(false)
    harness.intake.pause('test')
    expect(harness.intake.underPressure()).toBe(true)
    harness.intake.resume()
    expect(harness.intake.underPressure()).toBe(false)
  })
})

describe('stop', () => {
  it('says 421 to idle sessions and to those between commands, and takes no more connections', async () => {
    harness = await startIntake()
    const idle = await harness.client()
    await idle.hello()
    const between = await harness.client()
    await between.hello()
    await between.say('MAIL FROM:<a@x.example>')
    const port = harness.port()
    const stopped = harness.intake.stop(60_000)
    expect(await idle.reply()).toMatch(/^421 4\.3\.2 /)
    expect(await between.reply()).toMatch(/^421 4\.3\.2 /)
    await harness.clock.advance(5_001)
    await stopped
    await expect(
      new Promise((resolve, reject) =>
        createServer()
          .once('error', reject)
          .listen(port, '127.0.0.1', () => resolve('free')),
      ),
    ).resolves.toBe('free')
    await harness.intake.stop(0)
  })

  it('lets content be finished and answered, then says 421', async () => {
    harness = await startIntake()
    const busy = await harness.client()
    await busy.hello()
    for (const line of ['MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'DATA']) await busy.say(line)
    const stopped = harness.intake.stop(60_000)
    busy.send('From: a@x\r\n\r\nx\r\n.\r\n')
    expect(await busy.reply()).toMatch(/^250 2\.0\.0 /)
    expect(await busy.reply()).toMatch(/^421 4\.3\.2 /)
    busy.destroy()
    await stopped
    expect(harness.accepted).toHaveLength(1)
    expect(harness.clock.pending).toBe(0)
  })

  it('ends what is left at its deadline', async () => {
    harness = await startIntake()
    const stuck = await harness.client()
    await stuck.hello()
    for (const line of ['MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'DATA']) await stuck.say(line)
    const stopped = harness.intake.stop(1_000)
    await harness.clock.advance(1_001)
    await stopped
    await stuck.gone()
    expect(harness.accepted).toEqual([])
  })
})
