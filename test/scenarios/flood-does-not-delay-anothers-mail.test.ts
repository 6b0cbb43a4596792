/**
 * One application floods a slow relay; another's single mail, handed in last, goes among the next few.
 */
import { expect, it } from 'vitest'
import { peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { createSignal } from '../support/wait-for-signal.ts'
import { startServer } from '../support/whole-server.ts'

const FLOOD = 120
/** What was given to the session already, and one turn of the flood. */
const NEXT_FEW = 6

it('delivers the single mail long before the flood is through', async () => {
  const open = createSignal<void>('the relay to go on')
  let opened: Promise<void> | null = null
  const gate = () => (opened ??= open.next())
  const peer = await peerWith(serving({ beforeDot: gate }))
  const relay = relayAt('relay', peer.port)
  const delivery = settingsFor({ ...relay, limits: { ...relay.limits, sessionsMax: 1 } }, { readySetMax: 50, readyPerFlowMax: 20 })
  const server = await startServer({ delivery })
  const flooder = await server.client()
  for (let n = 0; n < FLOOD; n++) {
    const reply = await flooder.submit('Subject: flood\r\n\r\nx\r\n', { from: 'flood@sender.example' })
    expect(reply).toMatch(/^250 /)
  }
  const single = await server.send({ from: 'single@sender.example', content: 'Subject: single\r\n\r\nx\r\n' })
  open.fire()
  await server.untilStates(single, 'delivered')
  await server.passUntil('the flood to be through', () => server.delivery.counters().delivered === FLOOD + 1, 25)
  expect(peer.contents.findIndex((content) => String(content).includes('Subject: single'))).toBeLessThan(NEXT_FEW)
  expect(peer.contents).toHaveLength(FLOOD + 1)
})
