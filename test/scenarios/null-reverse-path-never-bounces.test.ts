/**
 * Mail without a sender is refused: nobody is told, or notices would answer notices for ever (RFC 5321 §4.5.5).
 */
import { expect, it } from 'vitest'
import { MINUTE, peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

it('fails, says so in the history, and sends nothing', async () => {
  const refuse = (line: string) => (line.includes('one@') ? '550 5.1.1 No such user' : '250 2.1.5 Ok')
  const peer = await peerWith(serving({ answers: { RCPT: refuse } }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const mail = await server.send({ from: '' })
  await server.untilStates(mail, 'failed')
  await server.passFor(2 * MINUTE)
  expect((await server.history(mail)).map(({ kind }) => kind)).toEqual(['accepted', 'failed', 'dsn-suppressed'])
  expect(await server.store.admin.count({})).toBe(1)
  expect(peer.contents).toHaveLength(0)
})

it('fails in the same way for a sender who is then told: the silence is the null path', async () => {
  const peer = await peerWith(serving({ answers: { RCPT: (line) => (line.includes('one@') ? '550 5.1.1 No such user' : '250 2.1.5 Ok') } }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const mail = await server.send()
  await server.untilStates(mail, 'failed')
  await server.until('the notice', () => peer.contents.length === 1)
  expect((await server.history(mail)).map(({ kind }) => kind)).toEqual(['accepted', 'failed', 'dsn-queued'])
})
