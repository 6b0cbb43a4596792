/**
 * Mail waits for a relay; then the configuration says that nothing may leave any more: the waiting
 * mail is captured too, and the relay hears no more of it.
 */
import { expect, it } from 'vitest'
import { makeRule, peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

it('captures what was queued before the reload', async () => {
  const peer = await peerWith(serving({ answers: { RCPT: '450 4.2.1 Mailbox busy' } }))
  const delivery = settingsFor(relayAt('relay', peer.port))
  const server = await startServer({ delivery })
  const mail = await server.send()
  await server.untilStates(mail, 'queued')
  server.delivery.reload({ ...delivery, routes: [makeRule({ kind: 'capture' })] })
  const later = await server.send()
  await server.untilStates(later, 'delivered')
  await server.passUntilStates(mail, 'delivered')
  expect((await server.history(mail)).map(({ kind }) => kind)).toEqual(['accepted', 'deferred', 'captured'])
  expect(peer.lines.filter((line) => line.startsWith('RCPT'))).toHaveLength(1)
  expect(peer.contents).toHaveLength(0)
  const kept = await server.store.admin.content(mail)
  expect(String(kept?.whole)).toContain('Subject: A story')
})
