/**
 * What the application handed in is what the relay gets, whatever its length and however its lines
 * begin, from memory and read back by the next process.
 */
import { expect, it } from 'vitest'
import { MINUTE, peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

const HEADER = 'From: app@app.test\r\nTo: user@rcpt.test\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@app.test>\r\n\r\n'
const PLAIN = `${'x'.repeat(60)}\r\n`
/** As it stands on the wire: dots are doubled. */
const DOTTED = `..${'y'.repeat(60)}\r\n...\r\n..\r\n`

function contentsOf(octets: number): readonly string[] {
  const lines = Math.ceil(octets / PLAIN.length)
  return [
    `${HEADER}${PLAIN.repeat(lines)}`,
    `${HEADER}${DOTTED}${PLAIN.repeat(lines)}`,
    `${HEADER}${PLAIN.repeat(lines)}${DOTTED}`,
    `${HEADER}${DOTTED.repeat(lines)}`,
  ]
}

/** As the peer reads it: one dot in front of a line is the wire's. */
function unstuffed(content: string): string {
  return content.replace(/^\./gm, '')
}

it.each([1, 15_000, 60_000, 300_000, 600_000])('content of %i octets, straight on', async (octets) => {
  const peer = await peerWith(serving())
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  for (const content of contentsOf(octets)) {
    await server.untilStates(await server.send({ content }), 'delivered')
    const arrived = String(peer.contents.at(-1))
    expect(arrived.slice(arrived.indexOf(HEADER)) === unstuffed(content)).toBe(true)
  }
})

it.each([1, 15_000, 60_000, 300_000])('content of %i octets, read back after a restart', async (octets) => {
  const refusing = await peerWith(serving({ answers: { MAIL: () => '451 4.3.0 Later' } }))
  const first = await startServer({ delivery: settingsFor(relayAt('relay', refusing.port)) })
  const contents = contentsOf(octets)
  for (const content of contents) await first.untilStates(await first.send({ content }), 'queued')
  const folder = first.copyFolder()
  await first.stop()
  const peer = await peerWith(serving())
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)), folder })
  await server.passUntil('all to be delivered', async () => peer.contents.length === contents.length)
  const arrived = peer.contents.map((bytes) => String(bytes)).map((text) => text.slice(text.indexOf(HEADER)))
  expect(arrived.toSorted().join('') === contents.map(unstuffed).toSorted().join('')).toBe(true)
  expect(server.clock.now() - first.clock.now()).toBeLessThan(60 * MINUTE)
})
