/**
 * The disk is full: clients keep their mail and hear why, what was taken before is delivered and
 * recorded all the same, and when there is space again mail is taken without anybody's help.
 */
import { expect, it } from 'vitest'
import { createDiskFaults, DISK_FAULT } from '../support/disk-faults.ts'
import { peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { createSignal } from '../support/wait-for-signal.ts'
import { startServer } from '../support/whole-server.ts'

it('refuses new mail for now, finishes what it has, and goes on', async () => {
  const answer = createSignal<void>('the answer')
  const peer = await peerWith(serving({ beforeDot: ({ messages }) => (messages === 0 ? answer.next() : Promise.resolve()) }))
  const disk = createDiskFaults()
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)), faults: disk.plan })
  const before = await server.send()
  await server.until('the attempt to be under way', () => peer.contents.length === 1)

  disk.failCommit(DISK_FAULT.full)
  expect(await server.offer()).toMatch(/^452 4\.3\.1 /)
  expect(disk.spent).toBe(true)
  expect(server.intake.paused()).toBe('the disk is full')
  const client = await server.client()
  expect(await client.say('MAIL FROM:<app@sender.example>')).toBe('452 4.3.1 Not taking mail now: the disk is full')
  answer.fire()
  await server.untilStates(before, 'delivered')
  expect((await server.store.health()).state).toBe('full')

  await server.passUntil('intake to go on', () => server.intake.paused() === null, 1_000)
  const after = await server.send()
  await server.untilStates(after, 'delivered')
  expect(await server.store.admin.count({})).toBe(2)
})
