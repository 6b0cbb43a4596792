/**
 * A mailbox is busy for as long as the message may live: it is tried until the end, then the sender
 * gets one notice, and nothing comes after it.
 */
import { expect, it } from 'vitest'
import { MINUTE, peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

it('gives up at the end of the lifetime and says so once', async () => {
  const busy = (line: string) => (line.includes('one@') ? '450 4.2.1 Mailbox busy' : '250 2.1.5 Ok')
  const peer = await peerWith(serving({ answers: { RCPT: busy } }))
  const retry = { greylistMs: 120_000, minDelayMs: 5 * MINUTE, maxDelayMs: 20 * MINUTE, factor: 2, lifetimeMs: 60 * MINUTE, jitter: 0 }
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port), { retry, delayNoticeAfterMs: null }) })
  const begun = server.clock.now()
  const mail = await server.send()
  await server.passUntilStates(mail, 'expired')
  expect(server.clock.now() - begun).toBeGreaterThanOrEqual(60 * MINUTE)
  expect(server.clock.now() - begun).toBeLessThan(62 * MINUTE)
  await server.passFor(60 * MINUTE)
  expect(peer.contents).toHaveLength(1)
  const notice = String(peer.contents[0])
  expect(notice).toMatch(/^Action: failed\r$/m)
  expect(notice).toMatch(/^Final-Recipient: rfc822; *one@rcpt\.example\r$/m)
  expect(notice).toContain('450 4.2.1 Mailbox busy')
  // At 0, 5, 15, 35 and 55 minutes, and once more at the end.
  expect(peer.lines.filter((line) => line.startsWith('RCPT TO:<one@'))).toHaveLength(6)
  expect(await server.store.admin.count({})).toBe(2)
})
