/**
 * The process dies in the middle of an attempt: the next one takes the lease back, counts the
 * attempt, waits a little, and delivers once.
 */
import { expect, it } from 'vitest'
import { createFakeClock } from '../support/fake-clock.ts'
import { CAPABILITIES, expectLine, greeted, stay } from '../support/scripted-peer.ts'
import { MINUTE, peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

it('takes the mail back, waits and delivers it once', async () => {
  const peer = await peerWith(greeted(CAPABILITIES, expectLine('MAIL '), stay), serving())
  const delivery = settingsFor(relayAt('relay', peer.port))
  const dying = await startServer({ delivery })
  const mail = await dying.send()
  await dying.until('the attempt to be under way', () => peer.lines.some((line) => line.startsWith('MAIL ')))
  expect(await dying.states(mail)).toEqual(['leased'])
  const folder = dying.copyFolder()
  await dying.stop()

  const clock = createFakeClock(dying.clock.now())
  const server = await startServer({ delivery, folder, clock })
  const [row] = (await server.story(mail)).recipients
  expect(row).toMatchObject({ state: 'queued', attempts: 1, dueAt: clock.now() + delivery.reclaimDelayMs })
  await server.passUntilStates(mail, 'delivered')
  expect(clock.now() - dying.clock.now()).toBeGreaterThanOrEqual(MINUTE - 1_000)
  expect(peer.contents).toHaveLength(1)
  expect(server.attempts.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([[2, 'delivered']])
  expect((await server.history(mail)).map(({ kind }) => kind)).toEqual(['accepted', 'reclaimed', 'delivered'])
})
