/**
 * Mail is signed when it comes in. A relay that takes ASCII only gets it converted, and signed anew:
 * what arrives verifies, however it got there.
 */
import { describe, expect, it } from 'vitest'
import type { ServerSigner } from '../../src/app/signer.ts'
import { dkimResults, makeBrokenKey, makeDkimSettings, makeKey, makeSigner } from '../support/dkim.ts'
import { peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

const SEVEN_BIT = ['PIPELINING', 'SIZE 52428800', 'ENHANCEDSTATUSCODES']
const HEADER = 'From: app@sender.example\r\nTo: one@rcpt.example\r\nMIME-Version: 1.0\r\n'
const TEXT = 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nViele  Grüße \r\n\r\n'
const PLAIN = `${HEADER}${TEXT}`
const EIGHT_BIT = { parameters: ' BODY=8BITMIME', content: PLAIN }
const REFUSING = { answers: { RCPT: (line: string) => (line.includes('one@rcpt') ? '550 5.1.1 No such user' : '250 2.1.5 Ok') } }
const BOTH = [makeKey(), makeKey({ type: 'ed25519' })]

async function through(capabilities: readonly string[] | null, signer: ServerSigner = makeSigner({ keys: BOTH })) {
  const peer = await peerWith(serving(capabilities === null ? {} : { capabilities }))
  return { peer, server: await startServer({ delivery: settingsFor(relayAt('relay', peer.port)), signer }) }
}

it('arrives as it came at a relay that takes 8 bits', async () => {
  const { peer, server } = await through(null)
  await server.untilStates(await server.send(EIGHT_BIT), 'delivered')
  const sent = peer.contents[0] ?? Buffer.alloc(0)
  expect(sent.includes(Buffer.from('Viele  Grüße \r\n'))).toBe(true)
  expect(await dkimResults(sent)).toEqual(['r1 pass', 'e1 pass'])
})

describe('at a relay that takes 7 bits', () => {
  it('arrives converted, with a signature of what was sent and no other', async () => {
    const { peer, server } = await through(SEVEN_BIT)
    await server.untilStates(await server.send(EIGHT_BIT), 'delivered')
    const sent = peer.contents[0] ?? Buffer.alloc(0)
    expect(sent.every((octet) => octet < 128)).toBe(true)
    expect(await dkimResults(sent)).toEqual(['r1 pass', 'e1 pass'])
  })

  it('arrives so although it is too large for memory', async () => {
    const { peer, server } = await through(SEVEN_BIT)
    const content = `${PLAIN}${'Es grünt so grün.  \r\n'.repeat(20_000)}`
    await server.untilStates(await server.send({ ...EIGHT_BIT, content }), 'delivered')
    const sent = peer.contents[0] ?? Buffer.alloc(0)
    expect(sent.length).toBeGreaterThan(400_000)
    expect(await dkimResults(sent)).toEqual(['r1 pass', 'e1 pass'])
  })

  it('is not changed where it has no octet above 127', async () => {
    const { peer, server } = await through(SEVEN_BIT)
    await server.untilStates(await server.send({ ...EIGHT_BIT, content: PLAIN.replace('Grüße', 'Gruesse') }), 'delivered')
    expect(await dkimResults(peer.contents[0] ?? '')).toEqual(['r1 pass', 'e1 pass'])
    expect(String(peer.contents[0])).toContain('Viele  Gruesse \r\n')
  })

  it('stays with us while it cannot be signed anew, and then goes', async () => {
    const signer = makeSigner()
    const { peer, server } = await through(SEVEN_BIT, signer)
    await server.untilStates(await server.send(EIGHT_BIT), 'delivered')
    const begin = signer.begin.bind(signer)
    // The key is lost between the acceptance and the attempt.
    let begun = 0
    Object.assign(signer, {
      begin: () => {
        if (++begun === 2) signer.reload(makeDkimSettings({ keys: [makeBrokenKey()] }))
        return begin()
      },
    })
    const waiting = await server.send(EIGHT_BIT)
    await server.untilStates(waiting, 'queued')
    await server.until('the attempt to fail', async () => (await server.story(waiting)).recipients[0]?.lastStatus === '4.7.5')
    expect(peer.contents).toHaveLength(1)
    signer.reload(makeDkimSettings())
    await server.passUntilStates(waiting, 'delivered')
    expect(await dkimResults(peer.contents[1] ?? '')).toEqual(['r1 pass'])
  })

  it('goes unsigned if its domain has no keys any more', async () => {
    const signer = makeSigner()
    const { peer, server } = await through(SEVEN_BIT, signer)
    const begin = signer.begin.bind(signer)
    let begun = 0
    Object.assign(signer, { begin: () => (++begun === 1 ? begin() : null) })
    await server.untilStates(await server.send(EIGHT_BIT), 'delivered')
    expect(String(peer.contents[0])).not.toMatch(/DKIM-Signature/)
  })
})

it('a notice of ours is signed, too', async () => {
  const peer = await peerWith(serving(REFUSING))
  const delivery = settingsFor(relayAt('relay', peer.port))
  const server = await startServer({
    delivery: { ...delivery, dsn: { ...delivery.dsn, from: 'MAILER-DAEMON@host.sender.example' } },
    signer: makeSigner({ keys: BOTH }),
  })
  const mail = await server.send(EIGHT_BIT)
  await server.untilStates(mail, 'failed')
  await server.until('the notice', () => peer.contents.length === 1)
  expect(String(peer.contents[0])).toMatch(/^From: Mail Delivery System <MAILER-DAEMON@host\.sender\.example>\r$/m)
  expect(await dkimResults(peer.contents[0] ?? '')).toEqual(['r1 pass', 'e1 pass'])
})

it('a notice that cannot be signed is sent all the same', async () => {
  const signer = makeSigner({ keys: [makeBrokenKey()] })
  const peer = await peerWith(serving(REFUSING))
  const delivery = settingsFor(relayAt('relay', peer.port))
  const server = await startServer({ delivery: { ...delivery, dsn: { ...delivery.dsn, from: 'x@sender.example' } }, signer })
  await server.untilStates(await server.send({ content: PLAIN.replace('From: app@sender.example', 'From: app@other.example').replace('Grüße', 'x') }), 'failed')
  await server.until('the notice', () => peer.contents.length === 1)
  expect(String(peer.contents[0])).not.toContain('DKIM-Signature')
  expect(server.notes).toContain('a notice leaves unsigned')
})

it('what cannot be signed is refused for now, and nothing of it is kept', async () => {
  const signer = makeSigner({ keys: [makeBrokenKey()] })
  const { server } = await through(null, signer)
  expect(await server.offer({ content: PLAIN.replace('Grüße', 'x') })).toBe('451 4.7.5 The message cannot be signed now, try again later')
  expect((await server.store.admin.counts()).queued).toBe(0)
  expect(await server.offer({ content: PLAIN.replace('sender.example', 'other.example').replace('Grüße', 'x') })).toMatch(/^250 /)
})
