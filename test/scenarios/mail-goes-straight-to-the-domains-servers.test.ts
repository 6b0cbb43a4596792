/**
 * Direct delivery: the servers of the recipient's domain are found by its MX records and asked in order.
 */
import { expect, it } from 'vitest'
import { peersAt, startMxStory } from '../support/mx-stories.ts'
import { MINUTE, serving } from '../support/story-settings.ts'

it('asks the preferred server first and counts everything under the site', async () => {
  const { port, at } = await peersAt({ '127.0.0.2': [serving()], '127.0.0.3': [serving()] })
  const { server } = await startMxStory({
    port,
    zones: {
      'rcpt.example': { mx: ['20 mx2.rcpt.example', '10 mx1.rcpt.example'] },
      'mx1.rcpt.example': { a: ['127.0.0.2'] },
      'mx2.rcpt.example': { a: ['127.0.0.3'] },
    },
  })
  const first = await server.send()
  await server.untilStates(first, 'delivered')
  expect(server.attempts).toMatchObject([{ lane: 'smtp:mx/mx1.rcpt.example', relay: { host: 'mx1.rcpt.example', address: '127.0.0.2' }, attempt: 1 }])
  const second = await server.send()
  await server.untilStates(second, 'delivered')
  expect(at('127.0.0.2').contents).toHaveLength(2)
  expect(at('127.0.0.2').connections).toHaveLength(1)
  expect(at('127.0.0.3').connections).toHaveLength(0)
})

it('goes on to the next server when the preferred one is down', async () => {
  const { port, at } = await peersAt({ '127.0.0.3': [serving()] })
  const { server } = await startMxStory({
    port,
    zones: {
      'rcpt.example': { mx: ['10 mx1.rcpt.example', '20 mx2.rcpt.example'] },
      'mx1.rcpt.example': { a: ['127.0.0.2'] },
      'mx2.rcpt.example': { a: ['127.0.0.3'] },
    },
  })
  const queueId = await server.send()
  await server.untilStates(queueId, 'delivered')
  expect(at('127.0.0.3').contents).toHaveLength(1)
})

it('shares one lane among the domains of one receiver, and one session', async () => {
  const { port, at } = await peersAt({ '127.0.0.2': [serving()] })
  const { server } = await startMxStory({
    port,
    zones: {
      'one.example': { mx: ['10 mx.hoster.example'] },
      'two.example': { mx: ['10 mx.hoster.example'] },
      'vanity.example': { mx: ['10 mx.vanity.example'] },
      'mx.hoster.example': { a: ['127.0.0.2'] },
      'mx.vanity.example': { a: ['127.0.0.2'] },
    },
  })
  for (const domain of ['one.example', 'two.example', 'vanity.example']) {
    await server.untilStates(await server.send({ to: [`somebody@${domain}`] }), 'delivered')
  }
  expect(new Set(server.attempts.map(({ lane }) => lane))).toEqual(new Set(['smtp:mx/mx.hoster.example']))
  expect(at('127.0.0.2').contents).toHaveLength(3)
  // The vanity name is another host for TLS: its session is its own.
  expect(at('127.0.0.2').connections).toHaveLength(2)
})

it('fails at once where the domain says that it takes no mail, and tells the sender', async () => {
  const { port } = await peersAt({ '127.0.0.2': [serving()] })
  const { server, dns } = await startMxStory({ port, zones: { 'rcpt.example': { mx: ['0 .'], a: ['127.0.0.2'] } } })
  const queueId = await server.send()
  await server.untilStates(queueId, 'failed')
  expect(server.attempts[0]).toMatchObject({ lane: 'lookup', outcome: 'failed', status: '5.1.10', relay: null })
  expect(dns.asked).toEqual(expect.not.arrayContaining(['A rcpt.example']))
  expect((await server.history(queueId)).map(({ kind }) => kind)).toEqual(['accepted', 'failed', 'dsn-queued'])
  expect((await server.history(queueId))[1]?.detail).toMatchObject({ phase: 'mx-lookup', lane: 'lookup' })
})

it('waits when the DNS is dead, asks once for all, and delivers when it is back', async () => {
  const { port, at } = await peersAt({ '127.0.0.2': [serving()] })
  const zone = { mx: ['10 mx.rcpt.example'] }
  const { server, dns } = await startMxStory({ port, zones: { 'rcpt.example': { mx: 'SERVFAIL' }, 'mx.rcpt.example': { a: ['127.0.0.2'] } } })
  const ids = [await server.send(), await server.send(), await server.send()]
  for (const queueId of ids) await server.untilStates(queueId, 'queued')
  await server.until('all to be tried', () => server.attempts.length === 3)
  expect(server.attempts.map(({ outcome, status }) => `${outcome} ${status}`)).toEqual(Array(3).fill('deferred 4.4.3'))
  expect(dns.asked).toEqual(['MX rcpt.example'])
  expect(server.delivery.lanes().filter((lane) => lane.state !== 'open')).toEqual([])
  dns.zones.set('rcpt.example', zone)
  for (const queueId of ids) await server.passUntilStates(queueId, 'delivered')
  expect(at('127.0.0.2').contents).toHaveLength(3)
  expect(dns.asked.filter((question) => question.startsWith('MX'))).toHaveLength(2)
})

it('looks up anew what was good once, before it is dialled again', async () => {
  const { port, at } = await peersAt({ '127.0.0.2': [serving()], '127.0.0.3': [serving()] })
  const { server, dns } = await startMxStory({
    port,
    zones: {
      'rcpt.example': { mx: ['10 mx1.rcpt.example'], ttlMs: 1 },
      'mx1.rcpt.example': { a: ['127.0.0.2'] },
      'mx2.rcpt.example': { a: ['127.0.0.3'] },
    },
  })
  await server.untilStates(await server.send(), 'delivered')
  dns.zones.set('rcpt.example', { mx: ['10 mx2.rcpt.example'] })
  await server.passFor(MINUTE)
  await server.untilStates(await server.send(), 'delivered')
  expect(at('127.0.0.3').contents).toHaveLength(1)
  expect(server.attempts.map(({ lane }) => lane)).toEqual(['smtp:mx/mx1.rcpt.example', 'smtp:mx/mx2.rcpt.example'])
})
