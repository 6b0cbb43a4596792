/**
 * The relay takes the content and goes away before it answers: it may have the message, so the
 * message is sent again and everybody is told that it may come twice.
 */
import { expect, it } from 'vitest'
import { peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

it('sends again and says that the message may come twice', async () => {
  const peer = await peerWith(serving({ answers: { DOT: () => null } }), serving())
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const mail = await server.send()
  await server.until('the first attempt', () => server.attempts.length === 1)
  expect(server.attempts[0]).toMatchObject({ outcome: 'deferred', duplicatePossible: true })
  await server.untilStates(mail, 'queued')
  await server.passUntilStates(mail, 'delivered')
  expect(peer.contents.map(String)).toEqual([String(peer.contents[0]), String(peer.contents[0])])
  expect((await server.history(mail)).map(({ kind, detail }) => [kind, detail.duplicatePossible])).toEqual([
    ['accepted', undefined],
    ['deferred', true],
    ['delivered', undefined],
  ])
  expect(await server.store.admin.count({})).toBe(1)
})
