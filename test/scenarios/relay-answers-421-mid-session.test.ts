/**
 * The relay ends the session with a 421. On a session that was kept that is no fault of the message,
 * which goes at once in a new one; in a new session the mail waits its turn.
 */
import { expect, it } from 'vitest'
import { peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

const CLOSING = '421 4.4.2 Closing, come again'

it('goes on at once in a new session when the kept one ends', async () => {
  const peer = await peerWith(serving({ answers: { MAIL: (_line, { messages }) => (messages === 1 ? CLOSING : '250 2.1.0 Ok') } }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const first = await server.send()
  await server.untilStates(first, 'delivered')
  const second = await server.send()
  await server.untilStates(second, 'delivered')
  expect(server.attempts.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
    [1, 'delivered'],
    [1, 'delivered'],
  ])
  expect(peer.connections).toHaveLength(2)
  expect(peer.contents).toHaveLength(2)
})

it('defers when a new session ends before the content, and delivers once', async () => {
  const peer = await peerWith(serving({ answers: { DATA: CLOSING } }), serving())
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const mail = await server.send()
  await server.untilStates(mail, 'queued')
  expect(server.attempts[0]).toMatchObject({ outcome: 'deferred', text: CLOSING, duplicatePossible: false })
  await server.passUntilStates(mail, 'delivered')
  expect(peer.contents).toHaveLength(1)
  expect(await server.store.admin.count({})).toBe(1)
})
