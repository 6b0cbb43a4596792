/**
 * The process dies when the content is on the disk and the message is not yet in the queue: the
 * client has no answer and comes again, and what was left behind is removed.
 */
import { expect, it } from 'vitest'
import type { EpochMs } from '../../src/core/brand.ts'
import type { OpenStore } from '../../src/store/open-store.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { MINUTE, peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { createSignal } from '../support/wait-for-signal.ts'
import { CONTENT, startServer } from '../support/whole-server.ts'

const LARGE = `${CONTENT}${`${'x'.repeat(998)}\r\n`.repeat(400)}`
const DAY = 24 * 60 * MINUTE

it('delivers nothing of it, removes the content, and takes the message when it comes again', async () => {
  const peer = await peerWith(serving())
  const delivery = settingsFor(relayAt('relay', peer.port))
  const reached = createSignal<void>('commit A')
  const enqueue = () => {
    reached.fire()
    return new Promise<void>(() => undefined)
  }
  const dying = await startServer({ delivery, queue: (queue) => ({ ...queue, enqueue }) })
  const reply = dying.offer({ content: LARGE })
  await reached.next()
  const folder = dying.copyFolder()
  await dying.stop()
  expect(await reply).toBe('closed')

  const clock = createFakeClock(dying.clock.now())
  const server = await startServer({ delivery, folder, clock })
  expect(await server.store.admin.count({})).toBe(0)
  expect(await sweepOrphans(server.store, clock.now(), DAY)).toBe(0)
  expect(await sweepOrphans(server.store, (clock.now() + DAY + MINUTE) as EpochMs, DAY)).toBe(1)
  expect(peer.connections).toHaveLength(0)
  const again = await server.send({ content: LARGE })
  await server.untilStates(again, 'delivered')
  expect(peer.contents).toHaveLength(1)
  expect(String(peer.contents[0]).endsWith(LARGE)).toBe(true)
})

async function sweepOrphans(store: OpenStore, now: EpochMs, ageMs: number): Promise<number> {
  const never = 0 as EpochMs
  const kept = { contentFinishedBefore: never, capturedFinishedBefore: never, historyFinishedBefore: never }
  const swept = await store.bodies.sweep({ ...kept, now, orphanedBefore: (now - ageMs) as EpochMs, limit: 100 })
  return swept.contents
}
