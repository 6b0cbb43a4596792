/**
 * An operator cancels mail that is on the wire: nobody can recall it, so the relay's answer decides.
 */
import { expect, it } from 'vitest'
import { MINUTE, peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { createSignal } from '../support/wait-for-signal.ts'
import { startServer, type WholeServer } from '../support/whole-server.ts'

async function cancelOnTheWire(reply: string): Promise<{ readonly server: WholeServer; readonly mail: Awaited<ReturnType<WholeServer['send']>> }> {
  const answer = createSignal<void>('the answer')
  const peer = await peerWith(serving({ beforeDot: () => answer.next(), answers: { DOT: reply } }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const mail = await server.send()
  await server.until('the content to be sent', () => peer.contents.length === 1)
  const done = await server.store.admin.act('cancel', { queueIds: [mail] }, 'operator', server.clock.now())
  expect(done).toEqual({ changed: 0, pending: 1 })
  expect(await server.states(mail)).toEqual(['leased'])
  answer.fire()
  await server.until('the answer to be recorded', async () => (await server.states(mail)).join() !== 'leased')
  await server.passFor(10 * MINUTE)
  expect(peer.contents).toHaveLength(1)
  return { server, mail }
}

it('is cancelled when the relay does not take it now', async () => {
  const { server, mail } = await cancelOnTheWire('451 4.3.0 Try again later')
  expect(await server.states(mail)).toEqual(['cancelled'])
  expect((await server.history(mail)).find(({ kind }) => kind === 'cancelled')?.detail.by).toBe('operator')
})

it('is delivered when the relay has taken it', async () => {
  const { server, mail } = await cancelOnTheWire('250 2.0.0 Ok: queued')
  expect(await server.states(mail)).toEqual(['delivered'])
})
