/**
 * The relay has two hosts and the first is no use: the second takes the mail in the same attempt.
 */
import { expect, it } from 'vitest'
import { close, send } from '../support/scripted-peer.ts'
import { closedPort, peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

it('delivers through the second host when nobody listens at the first', async () => {
  const second = await peerWith(serving())
  const server = await startServer({ delivery: settingsFor(relayAt('relay', await closedPort(), second.port)) })
  const mail = await server.send()
  await server.untilStates(mail, 'delivered')
  expect(server.attempts.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([[1, 'delivered']])
  expect(second.contents).toHaveLength(1)
})

it('delivers through the second host when the first sends us away, and asks the first last for a while', async () => {
  const first = await peerWith([send('421 4.3.2 Down for maintenance'), close])
  const second = await peerWith(serving())
  const server = await startServer({ delivery: settingsFor(relayAt('relay', first.port, second.port)) })
  const mail = await server.send()
  await server.untilStates(mail, 'delivered')
  const next = await server.send()
  await server.untilStates(next, 'delivered')
  expect(first.connections).toHaveLength(1)
  expect(second.contents).toHaveLength(2)
})
