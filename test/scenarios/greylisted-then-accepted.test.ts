/**
 * A relay that wants everybody to come twice: the mail waits and is tried again, nobody is bothered,
 * and mail that is welcome does not wait behind it.
 */
import { expect, it } from 'vitest'
import { MINUTE, peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

it('tries again after a while, and holds up nobody else', async () => {
  let asked = 0
  const greylist = (line: string) => (line.includes('one@') && ++asked === 1 ? '451 4.7.1 Greylisted, come again later' : '250 2.1.5 Ok')
  const peer = await peerWith(serving({ answers: { RCPT: greylist } }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const begun = server.clock.now()
  const greylisted = await server.send({ to: ['one@rcpt.example'] })
  await server.untilStates(greylisted, 'queued')
  const welcome = await server.send({ to: ['two@rcpt.example'] })
  await server.untilStates(welcome, 'delivered')
  expect(server.clock.now()).toBe(begun)
  await server.passUntilStates(greylisted, 'delivered')
  expect(server.clock.now() - begun).toBeGreaterThanOrEqual(2 * MINUTE)
  expect(server.clock.now() - begun).toBeLessThan(3 * MINUTE)
  expect((await server.history(greylisted)).map(({ kind }) => kind)).toEqual(['accepted', 'deferred', 'delivered'])
  expect(peer.contents).toHaveLength(2)
  expect(await server.store.admin.count({})).toBe(2)
})
