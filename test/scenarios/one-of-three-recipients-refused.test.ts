/**
 * The relay refuses one of three recipients: the other two get their mail in the same transaction,
 * and the sender hears of the one only.
 */
import { expect, it } from 'vitest'
import { peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

it('delivers to two and tells the sender of the third', async () => {
  const peer = await peerWith(serving({ answers: { RCPT: (line) => (line.includes('two@') ? '550 5.1.1 No such user' : '250 2.1.5 Ok') } }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const mail = await server.send({ to: ['one@rcpt.example', 'two@rcpt.example', 'three@rcpt.example'] })
  await server.untilStates(mail, 'delivered', 'failed', 'delivered')
  await server.until('the notice', () => peer.contents.length === 2)
  const notice = String(peer.contents[1])
  expect(notice).toMatch(/^To: <?app@sender\.example>?\r$/m)
  expect(notice).toMatch(/^Final-Recipient: rfc822; *two@rcpt\.example\r$/m)
  expect(notice).toContain('550 5.1.1 No such user')
  expect(notice).not.toMatch(/(one|three)@rcpt/)
  expect(peer.lines.filter((line) => line.startsWith('MAIL')).map((line) => line.split(' ')[1])).toEqual(['FROM:<app@sender.example>', 'FROM:<>'])
  expect(await server.store.admin.count({})).toBe(4)
})
