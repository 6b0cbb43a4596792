import { describe, expect, it } from 'vitest'
import type { QueueRow } from '../../src/admin/api-types.ts'
import { exitCodeFor } from '../../src/cli/test-mail.ts'
import type { EpochMs, LaneKey } from '../../src/core/brand.ts'
import { type CliServer, startCliServer } from '../support/cli-run.ts'
import { GOOGLE, SUSPENDED } from '../support/settle-as.ts'

describe('test', () => {
  const argv = ['test', '--from', 'jira@a.example', '--to', 'you@b.example']

  it('hands in a mail and follows it to its delivery', async () => {
    const server = await startCliServer()
    server.control.afterSubmit = () => void acceptAndEndSubmitted(server, 'deliver')
    const ran = await server.run([...argv, '--subject', 'Grüße an alle'])
    expect(ran.stdout).toMatch(/^Accepted as \w{11}\. Following it/)
    expect(ran.stdout).toContain('delivered')
    expect(ran.exitCode).toBe(0)
    const [request] = server.control.submitted
    expect(request).toMatchObject({ from: 'jira@a.example', to: ['you@b.example'] })
    const text = Buffer.from(request?.content ?? []).toString()
    expect(text).toContain('From: <jira@a.example>\r\nTo: <you@b.example>\r\nSubject: =?utf-8?B?')
    expect(text).not.toMatch(/[^\r]\n|\r[^\n]/)
  })

  it('names the recipient of each step where the address became several', async () => {
    const server = await startCliServer()
    server.control.also = ['bob@b.example']
    server.control.afterSubmit = () => void acceptAndEndSubmitted(server, 'deliver')
    expect((await server.run(argv)).stdout).toMatch(/ delivered +2\.\d\.\d {2}you@b\.example\n/)
  })

  it('does not call delivered what a route threw away', async () => {
    const server = await startCliServer()
    server.control.afterSubmit = () => void acceptAndEndSubmitted(server, 'deliver', 'discard' as LaneKey)
    const ran = await server.run(argv)
    expect(ran.stdout).toContain('Thrown away: its route says so')
    expect(ran.stdout).not.toContain('Delivered')
  })

  it.each([
    ['smtp:google/jira', 'the relay has taken it for'],
    ['smtp:mx/mx.example.net', "the recipient's server has taken it for"],
    ['local:bob', 'it is in the mailbox for'],
  ])('says who has it when it went by %s', async (lane, says) => {
    const server = await startCliServer()
    server.control.afterSubmit = () => void acceptAndEndSubmitted(server, 'deliver', lane as LaneKey)
    expect((await server.run(argv)).stdout).toContain(`Delivered: ${says}`)
  })

  it('names the next command as it must be typed, also where npx runs it', async () => {
    const server = await startCliServer()
    server.control.afterSubmit = () => void acceptAndEndSubmitted(server, 'defer')
    const ran = await server.run(argv, { env: { npm_command: 'exec' } })
    expect(ran.stdout).toMatch(/Sooner: npx postern queue retry .*\nSee later: npx postern trace /)
  })

  it('ends with 1 if it failed', async () => {
    const server = await startCliServer()
    server.control.afterSubmit = () => void acceptAndEndSubmitted(server, 'fail')
    expect(await server.run(argv)).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('Not delivered to you@b.example: failed.') })
  })

  it('ends with 5 and says why if it still waits when the time is over', async () => {
    const server = await startCliServer()
    server.control.lanes = [SUSPENDED]
    const ran = await server.run([...argv, '--timeout', '5s'])
    expect(ran).toMatchObject({ exitCode: 5, stdout: expect.stringContaining('Lane smtp:google/jira is suspended') })
    expect(server.clock.monotonicMs()).toBeGreaterThanOrEqual(5000)
  })

  it.each([
    [['delivered', 'delivered'], 0],
    [['delivered', 'queued'], 5],
    [['queued', 'failed', 'delivered'], 1],
  ])('for an address that became several, %j, ends with %i', (states, code) => {
    expect(exitCodeFor(states.map((state) => ({ state }) as QueueRow))).toBe(code)
  })

  it('does not wait for an attempt that is later than the time given', async () => {
    const server = await startCliServer()
    server.control.afterSubmit = () => void acceptAndEndSubmitted(server, 'defer')
    const ran = await server.run(argv)
    expect(ran).toMatchObject({ exitCode: 5, stdout: expect.stringContaining('Next attempt:') })
    expect(server.clock.monotonicMs()).toBeLessThan(60_000)
    expect(JSON.parse((await server.run([...argv, '--json'])).stdout)).toMatchObject({ recipients: [{ state: 'queued', attempts: 1 }] })
  })

  it.each([
    ['--subject', 'x\r\nBcc: evil@x'],
    ['--to', 'a@b\r\nRCPT TO:<c@d>'],
    ['--from', 'a@b\u0000'],
    ['--subject', 'x\u2028y'],
  ])('refuses a line break in %s', async (option, value) => {
    const server = await startCliServer()
    expect(await server.run([...argv, option, value])).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('one line without control characters') })
    expect(server.control.submitted).toEqual([])
  })

  it('wants a sender and a recipient', async () => {
    const server = await startCliServer()
    expect(await server.run(['test', '--from', 'a@b'])).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--to <address> is missing') })
  })
})

/** With a lane it is moved there first, as a claim does it. */
async function acceptAndEndSubmitted(server: CliServer, ending: 'deliver' | 'fail' | 'defer', lane: LaneKey | null = null): Promise<void> {
  const { store, clock } = server
  const [leased] = await store.queue.claimDue({ limit: 1, limitPerFlow: 1, closedLanes: [], leaseUntil: (clock.now() + 60_000) as EpochMs, now: clock.now() })
  if (leased === undefined) throw new Error('nothing to claim')
  const dueAt = (clock.now() + 300_000) as EpochMs
  const event = lane === null ? ending : 'defer'
  const change = event === 'defer' ? ({ event, dueAt: lane === null ? dueAt : clock.now(), lane: lane ?? GOOGLE } as const) : { event }
  const kind = event === 'deliver' ? 'delivered' : event === 'fail' ? 'failed' : 'deferred'
  await store.queue.settle(
    [
      {
        recipientId: leased.recipient.id,
        token: leased.token,
        at: clock.now(),
        change,
        history: [{ kind, detail: { status: '2.0.0' } }],
        last: null,
        delayNoticeSent: false,
      },
    ],
    [],
  )
  if (lane !== null) await acceptAndEndSubmitted(server, ending)
}
