/**
 * The relay takes ASCII only: text is encoded so that it means the same, and what must not be
 * touched is not sent at all (RFC 6152 §3).
 */
import { expect, it } from 'vitest'
import { peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

const CAPABILITIES = ['PIPELINING', 'SIZE 52428800', 'ENHANCEDSTATUSCODES']
const HEADER = 'From: app@sender.example\r\nMIME-Version: 1.0\r\n'
const TEXT = 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nViele Grüße\r\n'
const PLAIN = `${HEADER}${TEXT}`
const SIGNED = `${HEADER}Content-Type: multipart/signed; boundary=b; protocol="application/pgp-signature"; micalg=pgp-sha256\r\n\r\n--b\r\n${TEXT}\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n`

it('encodes what may be encoded', async () => {
  const peer = await peerWith(serving({ capabilities: CAPABILITIES }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const mail = await server.send({ parameters: ' BODY=8BITMIME', content: PLAIN })
  await server.untilStates(mail, 'delivered')
  const sent = peer.contents[0] ?? Buffer.alloc(0)
  expect(sent.every((octet) => octet < 128)).toBe(true)
  expect(String(sent)).toMatch(/^Content-Transfer-Encoding: quoted-printable\r$/m)
  expect(String(sent)).toMatch(/\r\n\r\nViele Gr=C3=BC=C3=9Fe\r\n$/)
  expect(peer.lines.filter((line) => line.includes('BODY='))).toEqual([])
})

it('does not break a signature: the sender is told instead', async () => {
  const peer = await peerWith(serving({ capabilities: CAPABILITIES }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const mail = await server.send({ parameters: ' BODY=8BITMIME', content: SIGNED })
  await server.untilStates(mail, 'failed')
  expect((await server.story(mail)).recipients[0]?.lastStatus).toBe('5.6.3')
  await server.until('the notice', () => peer.contents.length === 1)
  expect(peer.contents[0]?.every((octet) => octet < 128)).toBe(true)
  expect(peer.lines.filter((line) => line.startsWith('RCPT'))).toEqual(['RCPT TO:<app@sender.example>'])
})
