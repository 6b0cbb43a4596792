/**
 * The process dies when the content is on the disk and the message is not yet in the queue: the
 * client has no answer and comes again, and its content takes the place of what was left behind.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createFakeClock } from '../support/fake-clock.ts'
import { peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { createSignal } from '../support/wait-for-signal.ts'
import { CONTENT, startServer } from '../support/whole-server.ts'

const LARGE = `${CONTENT}${`${'x'.repeat(998)}\r\n`.repeat(400)}`

it('delivers nothing of it, and takes the message when it comes again into the same place', async () => {
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
  expect(contentFileOctets(folder)).toBe(0)
  expect(peer.connections).toHaveLength(0)
  const again = await server.send({ content: LARGE })
  await server.untilStates(again, 'delivered')
  expect(peer.contents).toHaveLength(1)
  expect(contentFileOctets(folder)).toBeLessThan(LARGE.length + 1_000)
  expect(String(peer.contents[0]).endsWith(LARGE)).toBe(true)
})

function contentFileOctets(folder: string): number {
  return statSync(join(folder, 'queue.content')).size
}
