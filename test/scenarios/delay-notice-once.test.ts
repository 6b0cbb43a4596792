/**
 * Mail is late: its sender is told once, it is tried as before, and when it goes out at last nothing more is said.
 */
import { expect, it } from 'vitest'
import { MINUTE, peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

it('tells the sender of the delay once', async () => {
  let busy = true
  const peer = await peerWith(serving({ answers: { RCPT: (line) => (busy && line.includes('one@') ? '450 4.2.1 Mailbox busy' : '250 2.1.5 Ok') } }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port), { delayNoticeAfterMs: 30 * MINUTE }) })
  const begun = server.clock.now()
  const mail = await server.send()
  await server.passUntil('the notice', () => peer.contents.length === 1)
  expect(server.clock.now() - begun).toBeGreaterThanOrEqual(30 * MINUTE)
  expect(server.clock.now() - begun).toBeLessThan(37 * MINUTE)
  expect(String(peer.contents[0])).toMatch(/^Action: delayed\r$/m)
  await server.passFor(180 * MINUTE)
  expect(peer.contents).toHaveLength(1)
  expect(await server.states(mail)).toEqual(['queued'])
  busy = false
  await server.passUntilStates(mail, 'delivered')
  expect(peer.contents).toHaveLength(2)
  expect((await server.history(mail)).filter(({ kind }) => kind === 'delay-notice')).toHaveLength(1)
  expect(await server.store.admin.count({})).toBe(2)
})
