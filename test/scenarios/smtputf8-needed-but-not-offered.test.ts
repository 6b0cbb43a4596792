/**
 * The recipient's name is not ASCII and the relay knows no SMTPUTF8: nothing is sent that the relay
 * could not read, and the sender is told. A domain alone has another spelling and goes through.
 */
import { expect, it } from 'vitest'
import { peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

const CAPABILITIES = ['PIPELINING', 'SIZE 52428800', '8BITMIME', 'ENHANCEDSTATUSCODES']

it('fails without asking the relay, and the sender hears of it', async () => {
  const peer = await peerWith(serving({ capabilities: CAPABILITIES }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const mail = await server.send({ to: ['jürgen@rcpt.example'], parameters: ' SMTPUTF8' })
  await server.untilStates(mail, 'failed')
  expect((await server.story(mail)).recipients[0]?.lastStatus).toBe('5.6.7')
  await server.until('the notice', () => peer.contents.length === 1)
  expect(peer.lines.filter((line) => line.startsWith('RCPT'))).toEqual(['RCPT TO:<app@sender.example>'])
  expect(String(peer.contents[0])).toMatch(/^Status: 5\.6\.7\r$/m)
})

it('tells the sender of a header that the relay could not read, without sending it', async () => {
  const peer = await peerWith(serving({ capabilities: ['PIPELINING'] }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const mail = await server.send({ parameters: ' SMTPUTF8', content: 'From: app@sender.example\r\nSubject: Grüße\r\n\r\nHello.\r\n' })
  await server.untilStates(mail, 'failed')
  await server.until('the notice', () => peer.contents.length === 1)
  expect(peer.contents[0]?.every((octet) => octet < 128)).toBe(true)
  expect(String(peer.contents[0])).toMatch(/^Status: 5\.6\.7\r$/m)
})

it('writes the domain alone in ASCII and delivers', async () => {
  const peer = await peerWith(serving({ capabilities: CAPABILITIES }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const mail = await server.send({ to: ['one@bücher.example'], parameters: ' SMTPUTF8' })
  await server.untilStates(mail, 'delivered')
  expect(peer.lines).toContain('RCPT TO:<one@xn--bcher-kva.example>')
  expect(peer.lines.filter((line) => line.includes('SMTPUTF8'))).toEqual([])
})
