import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { dialoguePeer } from '../../src/transports/dialogue.ts'
import { close, expectLine, type ScriptedPeer, type Step, send, serve, startPeer } from '../support/scripted-peer.ts'
import { createBench, makeBatch, makeCredential, makeRelay } from '../support/smtp-bench.ts'
import { waitUntil } from '../support/wait-for-signal.ts'

async function peerOf(...scripts: readonly (readonly Step[])[]): Promise<ScriptedPeer> {
  const peer = await startPeer(scripts)
  onTestFinished(() => peer.close())
  return peer
}
const serving = () => peerOf([send('220 peer.test ESMTP'), serve()])

/** A port on which nobody listens. */
async function deadPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

describe('remarks in the live dialogue', () => {
  it('tell which host is tried and why the next one is', async () => {
    const peer = await serving()
    const port = await deadPort()
    const { deliver, dialogue } = createBench({ tap: true })
    await deliver(makeBatch(makeRelay(peer, { hosts: [{ port }, {}] })))
    const remarks = dialogue.filter(({ direction }) => direction === '*').map(({ text }) => text)
    expect(remarks).toEqual([
      `connecting to 127.0.0.1 [127.0.0.1] port ${port}`,
      `no session: the server refused the connection (ECONNREFUSED 127.0.0.1:${port})`,
      `connecting to 127.0.0.1 [127.0.0.1] port ${peer.port}`,
    ])
  })

  it('tell that a host has no address', async () => {
    const { deliver, dialogue } = createBench({ tap: true, names: {} })
    await deliver(makeBatch(makeRelay(1, { hosts: [{ host: 'gone.test' }] })))
    expect(dialogue).toMatchObject([{ direction: '*', session: 'relay#-', text: expect.stringContaining('no session: there is no such host') }])
  })

  it('name the login that the session is for', async () => {
    const peer = await peerOf([send('220 peer.test ESMTP'), expectLine('EHLO'), send('250-peer.test\r\n250 AUTH PLAIN'), close])
    const { deliver, dialogue } = createBench({ tap: true })
    await deliver(makeBatch(makeRelay(peer), { credential: makeCredential() }))
    expect(new Set(dialogue.map((line) => line.peer))).toEqual(new Set(['relay/jira']))
    expect(dialogue.filter(({ direction }) => direction === '*').at(-1)?.text).toContain('no session: login jira: PLAIN would show the password')
  })

  it('tell that a session ended without QUIT', async () => {
    const peer = await peerOf([send('220 peer.test ESMTP'), expectLine('EHLO'), send('250 peer.test'), expectLine('MAIL'), close])
    const { deliver, dialogue } = createBench({ tap: true })
    await deliver(makeBatch(makeRelay(peer)))
    await waitUntil(() => dialogue.at(-1)?.text === 'the connection ended without QUIT')
  })
})

describe('the peer of a line', () => {
  const host = { host: 'mx1.example.com', port: 25, implicitTls: false }
  it.each([
    ['google', null, 'google'],
    ['google', [], 'google'],
    ['mx', [{ address: '192.0.2.1', family: 4 }], 'mx/mx1.example.com'],
  ] as const)('of %s with the addresses %j is %s', (name, addresses, peer) => {
    const relay = { name } as Parameters<typeof dialoguePeer>[0]['relay']
    expect(dialoguePeer({ relay, credential: null, host, addresses })).toBe(peer)
  })
})

describe('a line of the live dialogue', () => {
  it('belongs to the message it is about, and QUIT to none', async () => {
    const peer = await serving()
    const { deliver, dialogue, clock } = createBench({ tap: true })
    const batch = makeBatch(makeRelay(peer))
    await deliver(batch)
    await clock.advance(6_000)
    await waitUntil(() => dialogue.some(({ text }) => text.startsWith('221')))
    const { queueId } = batch.message.envelope
    const idOf = (start: string) => dialogue.find(({ text }) => text.startsWith(start))?.queueId
    const fromOf = (start: string) => dialogue.find(({ text }) => text.startsWith(start))?.from
    expect(['EHLO', 'MAIL', 'DATA', 'QUIT'].map(fromOf)).toEqual([undefined, 'app@sender.example', 'app@sender.example', undefined])
    expect(['EHLO', 'MAIL', 'RCPT', 'DATA', '.', 'QUIT', '221'].map(idOf)).toEqual([null, queueId, queueId, queueId, queueId, null, null])
  })
})
