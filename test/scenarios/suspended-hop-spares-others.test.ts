/**
 * One relay is down: it is left alone for a while, mail for it waits, and mail for another relay
 * goes out as if nothing had happened. When the first is well again, its mail follows.
 */
import { expect, it } from 'vitest'
import { close, send } from '../support/scripted-peer.ts'
import { makeRule, peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

it('asks the suspended relay nothing, and delivers to the other at once', async () => {
  const down = await peerWith([send('421 4.3.2 Not now'), close], serving())
  const well = await peerWith(serving())
  const one = settingsFor(relayAt('well', well.port))
  const delivery = settingsFor(relayAt('down', down.port), {
    routes: [makeRule({ kind: 'relay', relay: 'down', credential: null }, { to: '*@down.example' }), ...one.routes],
    relays: new Map([...one.relays, ...settingsFor(relayAt('down', down.port)).relays]),
  })
  const server = await startServer({ delivery })
  const laneOf = (name: string) => server.delivery.lanes().find(({ lane }) => lane === `smtp:${name}/-`)
  const first = await server.send({ to: ['one@down.example'] })
  await server.until('the lane to be suspended', () => laneOf('down')?.state === 'suspended')
  const second = await server.send({ to: ['two@down.example'] })
  const other = await server.send({ to: ['one@well.example'] })
  await server.untilStates(other, 'delivered')
  await server.untilStates(first, 'queued')
  expect(await server.states(second)).toEqual(['queued'])
  expect(down.connections).toHaveLength(1)
  await server.passUntilStates(first, 'delivered')
  await server.passUntilStates(second, 'delivered')
  expect(laneOf('down')?.state).toBe('open')
  expect(down.contents).toHaveLength(2)
  expect((await server.story(second)).recipients[0]?.attempts).toBe(1)
})
