import { mkdirSync, writeFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ErrorAnswer } from '../../src/admin/api-types.ts'
import { ERROR_CATALOGUE, ERROR_CODES } from '../../src/admin/errors.ts'
import { buildApi } from '../../src/admin/server.ts'
import type { EpochMs } from '../../src/core/brand.ts'
import { ListenError } from '../../src/intake/listener.ts'
import { StoreFault, type StoreFaultKind } from '../../src/ports/store-fault.ts'
import { createFakeControl, createFakeJournal, type FakeControl } from '../support/fake-control.ts'
import { heldPlace, makeAcceptance, NOON } from '../support/make-message.ts'
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts'
import { acceptAndEnd } from '../support/settle-as.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

let store: MemoryStore
let control: FakeControl
let journal: ReturnType<typeof createFakeJournal>
let api: FastifyInstance

beforeEach(() => {
  const now = (): EpochMs => NOON
  store = createMemoryStore({ now })
  control = createFakeControl(store, now)
  journal = createFakeJournal()
  api = buildApi({ control, queue: store.admin, journal, socketPath: '', clock: { now, monotonicMs: () => 0, after: () => () => undefined } })
})

async function get(url: string) {
  const answer = await api.inject({ url })
  return { status: answer.statusCode, body: answer.json() as never, raw: answer }
}
async function post(url: string, payload: unknown) {
  const answer = await api.inject({ url, method: 'POST', payload: payload as object })
  return { status: answer.statusCode, body: answer.json() as never }
}

describe('what the queue holds', () => {
  it('lists rows that match every filter, page by page', async () => {
    for (let i = 0; i < 5; i++)
      await store.queue.enqueue(makeAcceptance({ from: 'jira@a.example', to: [`u${i}@b.example`], acceptedAt: (NOON + i) as EpochMs }))
    await store.queue.enqueue(makeAcceptance({ from: 'other@a.example' }))
    const first = await get('/v1/queue?sender=jira@a.example&states=queued,held&limit=3')
    expect(first.body).toMatchObject({ rows: [{ recipient: 'u0@b.example' }, { recipient: 'u1@b.example' }, { recipient: 'u2@b.example' }] })
    const { next } = first.body as { next: string }
    expect((await get(`/v1/queue?sender=jira@a.example&limit=3&after=${next}`)).body).toMatchObject({
      rows: [{ recipient: 'u3@b.example' }, { recipient: 'u4@b.example' }],
      next: null,
    })
    expect((await get('/v1/queue/count?sender=jira@a.example')).body).toEqual({ count: 5 })
    expect((await get(`/v1/queue/count?acceptedAfter=${NOON + 2}&sender=jira@a.example`)).body).toEqual({ count: 2 })
  })

  it('tells the story of a message, without bytes that are no JSON', async () => {
    const id = await acceptAndEnd(store, { from: '', to: ['a@b.example', 'c@d.example'], notify: ['failure'] }, 'failed')
    const { body } = await get(`/v1/messages/${id}`)
    expect(body).toMatchObject({
      message: { queueId: id, sender: '<>', prefix: expect.stringMatching(/^Received:/) },
      recipients: [
        { recipient: 'a@b.example', state: 'failed', notify: ['failure'] },
        { recipient: 'c@d.example', state: 'failed' },
      ],
      history: [
        { kind: 'accepted' },
        { kind: 'failed', recipient: 0, detail: { reply: '550 5.1.1 No such \u001b[31muser' } },
        { kind: 'failed', recipient: 1 },
      ],
      contentStored: true,
    })
  })

  it('takes a queue id in lower case and answers 404 for anything else in its place', async () => {
    const id = await acceptAndEnd(store, {}, 'delivered')
    expect((await get(`/v1/messages/${id.toLowerCase()}`)).status).toBe(200)
    for (const bad of ['zzz', '..%2f..%2fetc%2fpasswd', '%00', '07M8QW4T3ZK', `${id}x`]) {
      expect((await get(`/v1/messages/${bad}`)).status, bad).toBe(404)
      expect((await get(`/v1/messages/${bad}/content`)).status, bad).toBe(404)
    }
  })

  it('gives the content with our lines in front, byte for byte', async () => {
    const content = Buffer.from([0x41, 0xff, 0x00, 0x0d, 0x0a])
    const id = await acceptAndEnd(store, { content, prefix: 'Received: x\r\n' }, 'delivered')
    const { raw } = await get(`/v1/messages/${id}/content`).catch(async () => ({ raw: await api.inject({ url: `/v1/messages/${id}/content` }) }))
    expect(raw.rawPayload).toEqual(Buffer.concat([Buffer.from('Received: x\r\n'), content]))
    expect(raw.headers).toMatchObject({ 'content-type': 'message/rfc822', 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
  })

  it('says that content is gone, and that damaged content is damaged', async () => {
    const id = await acceptAndEnd(store, {}, 'delivered')
    const [ref, stored] = [...store.state.contents][0] ?? []
    if (ref === undefined || stored === undefined) throw new Error('nothing stored')
    stored.chunks[0]?.fill(0)
    expect((await get(`/v1/messages/${id}/content`)).body).toMatchObject({ error: { code: 'content-damaged' } })
    store.state.contents.delete(ref)
    expect(await get(`/v1/messages/${id}/content`)).toMatchObject({ status: 410, body: { error: { code: 'content-gone' } } })
  })

  it('finds messages by address, newest first, and pages history from a cursor', async () => {
    const old = await acceptAndEnd(store, { from: 'x@y.example' }, 'delivered')
    const young = await acceptAndEnd(store, { to: ['X@Y.example'] }, 'delivered')
    expect((await get('/v1/find?address=x@y.example')).body).toEqual({ queueIds: [young, old] })
    const { next } = (await get('/v1/history?limit=2')).body as { next: string }
    await acceptAndEnd(store, {}, 'failed')
    expect((await get(`/v1/history?after=${next}`)).body).toMatchObject({
      events: [{ kind: 'accepted' }, { kind: 'failed', recipientAddress: 'ann@receiver.example' }],
    })
  })
})

describe('acts on the queue', () => {
  it('change what the filter names, and are noted in the log with who asked', async () => {
    await store.queue.enqueue(makeAcceptance({ from: 'a@a.example' }))
    await store.queue.enqueue(makeAcceptance({ from: 'b@b.example' }))
    expect(await post('/v1/queue/act', { act: 'hold', filter: { sender: 'a@a.example' }, by: 'cli:root' })).toEqual({
      status: 200,
      body: { changed: 1, pending: 0 },
    })
    expect(await store.admin.count({ states: ['held'] })).toBe(1)
    expect(journal.notes).toEqual([
      { subsystem: 'admin', level: 'info', text: 'an operator changed the queue', facts: { act: 'hold', by: 'cli:root', changed: 1, pending: 0 } },
    ])
    await post('/v1/queue/act', { act: 'hold', filter: { sender: 'nobody@a.example' }, by: 'cli:root' })
    expect(journal.notes).toHaveLength(1)
  })

  it('are refused without a filter unless all are meant', async () => {
    await store.queue.enqueue(makeAcceptance({}))
    expect(await post('/v1/queue/act', { act: 'cancel', filter: {} })).toMatchObject({ status: 400, body: { error: { code: 'filter-missing' } } })
    expect(await store.admin.count({ states: ['cancelled'] })).toBe(0)
    expect((await post('/v1/queue/act', { act: 'cancel', filter: {}, all: true })).body).toEqual({ changed: 1, pending: 0 })
  })

  it.each([
    ['no act', { filter: { sender: 'x' } }],
    ['an unknown act', { act: 'explode', filter: { sender: 'x' } }],
    ['no filter', { act: 'cancel' }],
    ['an unknown key of the filter', { act: 'cancel', filter: { sendr: 'x' } }],
    ['a list for a text', { act: 'cancel', filter: { sender: ['x'] } }],
    ['an object for a text', { act: 'cancel', filter: { sender: { $gt: '' } } }],
    ['a text for a number', { act: 'cancel', filter: { acceptedBefore: '5' } }],
    ['a text for a truth', { act: 'cancel', filter: { deferred: 'false' } }],
    ['an empty list of ids', { act: 'cancel', filter: { queueIds: [] } }],
    ['an id that is none', { act: 'cancel', filter: { queueIds: ['zzz'] } }],
    ['an unknown state', { act: 'cancel', filter: { states: ['gone'] } }],
    ['a control character', { act: 'cancel', filter: { sender: 'a\nb' } }],
    ['an empty text', { act: 'cancel', filter: { sender: '' } }],
    ['a text that is too long', { act: 'cancel', filter: { sender: 'x'.repeat(600) } }],
    ['a text for all', { act: 'cancel', filter: {}, all: 'true' }],
  ])('refuse %s and change nothing', async (_name, body) => {
    await store.queue.enqueue(makeAcceptance({}))
    const { status, body: answer } = await post('/v1/queue/act', body)
    expect(status).toBe(400)
    expect((answer as ErrorAnswer).error.code).toBe('bad-request')
    expect(await store.admin.count({ states: ['queued'] })).toBe(1)
  })

  it('refuse a body that would change prototypes, is no JSON, or is too large', async () => {
    const send = (payload: string, type = 'application/json') =>
      api.inject({ url: '/v1/queue/act', method: 'POST', payload, headers: { 'content-type': type } })
    for (const payload of ['{"act":"cancel","filter":{},"all":true,"__proto__":{"x":1}}', '{"act":"cancel"', '[]'])
      expect((await send(payload)).statusCode, payload).toBe(400)
    expect((await send('{"act":"cancel","filter":{},"all":true}', 'text/plain')).statusCode).toBe(400)
    expect((await send(`{"x":"${'y'.repeat(70_000)}"}`)).json()).toMatchObject({ error: { code: 'too-large' } })
  })
})

describe('queries', () => {
  it.each([
    'states=gone',
    'limit=0',
    'limit=1001',
    'limit=-1',
    'limit=1e3',
    'limit=1&limit=2',
    'acceptedBefore=now',
    'deferred=yes',
    'queueIds=zzz',
    'unknown=1',
    'sender=',
    'sender=%0a',
    `after=${'x'.repeat(300)}`,
  ])('refuse %s', async (query) => {
    expect(await get(`/v1/queue?${query}`)).toMatchObject({ status: 400, body: { error: { code: 'bad-request', hint: null } } })
  })
})

describe('the running server', () => {
  it('gives status, flush, reload, level and routes as they are', async () => {
    control.lanes = [{ lane: 'smtp:google/jira', state: 'open', width: 2, active: 1, ready: 0, until: null, reason: null }]
    expect((await get('/v1/status')).body).toMatchObject({ hostname: 'app.example.com', lanes: [{ lane: 'smtp:google/jira' }], queue: { queued: 0 } })
    expect((await post('/v1/flush', { lane: 'google' })).body).toEqual({ recipients: 0, lanes: [] })
    expect(control.flushed).toEqual(['google'])
    expect((await post('/v1/reload', {})).body).toMatchObject({ changed: ['relays.google.tls'], needsRestart: ['data'] })
    expect((await post('/v1/log-level', { subsystem: 'transport', level: 'debug' })).body).toEqual({ done: true })
    expect(control.levels).toEqual([['transport', 'debug']])
    expect((await post('/v1/log-level', { subsystem: 'transport', level: 'loud' })).status).toBe(400)
    const route = await get('/v1/route?from=%3C%3E&to=a@b.example&submitter=login:x&header=Precedence:%20bulk&header=X-Y:z')
    expect((route.body as { steps: { why: string }[] }).steps[1]?.why).toBe('from , submitter login:x, header [["precedence","bulk"],["x-y","z"]]')
    expect((await get('/v1/route?from=a@b.c&to=d@e.f&header=no-colon')).status).toBe(400)
  })

  it('hands in a message, and refuses addresses with control characters', async () => {
    const content = Buffer.from('Subject: x\r\n\r\nbinary \0 \xff', 'latin1')
    const { body } = await post('/v1/submit', { from: '<>', to: ['a@b.example'], content: content.toString('base64') })
    expect(control.submitted).toMatchObject([{ from: '', to: ['a@b.example'] }])
    expect(Buffer.from(control.submitted[0]?.content ?? [])).toEqual(content)
    expect((await store.admin.story((body as { queueId: never }).queueId))?.recipients).toHaveLength(1)
    for (const address of ['a\nb@c', 'a\rb@c', 'a\0b@c', 'a\tb@c', 'a\u007fb@c', 'a\u0085b@c', 'a\u2028b@c']) {
      expect((await post('/v1/submit', { from: address, to: ['a@b'], content: '' })).status, JSON.stringify(address)).toBe(400)
      expect((await post('/v1/submit', { from: 'a@b', to: [address], content: '' })).status, JSON.stringify(address)).toBe(400)
    }
    expect((await post('/v1/submit', { from: 'a@b', to: [], content: '' })).status).toBe(400)
    expect((await post('/v1/submit', { from: 'a@b', to: ['a@b'], content: 'no base64!' })).status).toBe(400)
    expect((await post('/v1/submit', { from: 'a@b', to: ['a@b'], content: 'A'.repeat(6_000_000) })).status).toBe(413)
    expect(control.submitted).toHaveLength(1)
  })

  it('makes a backup only where nothing is overwritten', async () => {
    const folder = makeTempFolder()
    await store.queue.enqueue(makeAcceptance({ place: heldPlace('test') }))
    expect((await post('/v1/backup', { path: `${folder}/b.db` })).body).toMatchObject({ path: `${folder}/b.db`, messages: 1 })
    writeFileSync(`${folder}/there`, 'precious')
    mkdirSync(`${folder}/sub`)
    expect((await post('/v1/backup', { path: `${folder}/there` })).body).toMatchObject({ error: { code: 'file-exists' } })
    expect((await post('/v1/backup', { path: `${folder}/sub` })).body).toMatchObject({ error: { code: 'file-exists' } })
    expect((await post('/v1/backup', { path: `${folder}/none/b.db` })).body).toMatchObject({ error: { code: 'file-refused' } })
    expect((await post('/v1/backup', { path: 'relative.db' })).body).toMatchObject({ error: { code: 'bad-request' } })
  })
})

describe('errors', () => {
  const kinds: readonly (readonly [StoreFaultKind, number, string])[] = [
    ['full', 507, 'store-full'],
    ['io', 503, 'store-failed'],
    ['busy', 503, 'store-busy'],
    ['closed', 503, 'stopping'],
  ]
  it.each(kinds)('a store that is %s answers %i', async (kind, status, code) => {
    control.fault = new StoreFault(kind, 'secret path /var/lib')
    const answer = await get('/v1/status')
    expect(answer).toMatchObject({ status, body: { error: { code } } })
    expect(answer.raw.body).not.toContain('secret')
  })

  it('of a broken configuration are told in full', async () => {
    control.fault = Object.assign(new Error('postern.yaml:12: relays.google.tls: "verfy" is not allowed'), { name: 'ConfigError' })
    expect(await post('/v1/reload', {})).toMatchObject({ status: 422, body: { error: { code: 'config-invalid', message: expect.stringContaining('verfy') } } })
  })

  it('of a listener that cannot be opened are told, too', async () => {
    control.fault = new ListenError('cannot listen on smtp://127.0.0.1:25: something else listens there already', null)
    const answer = await post('/v1/reload', {})
    expect(answer).toMatchObject({ status: 422, body: { error: { code: 'config-invalid', message: expect.stringContaining('something else listens') } } })
    expect(answer.body).toMatchObject({ error: { hint: expect.stringContaining('Nothing was changed') } })
  })

  it('of a request speak of what was asked, not of how', async () => {
    expect((await get('/v1/queue?sender=')).body).toMatchObject({ error: { message: 'sender must NOT have fewer than 1 characters' } })
    expect((await post('/v1/flush', {})).body).toMatchObject({ error: { message: "the request must have required property 'lane'" } })
  })

  it('of a refused mail are told as a client would be', async () => {
    control.fault = Object.assign(new Error('501 5.1.3 Recipient is not an address'), { name: 'SubmissionRefused' })
    const answer = await post('/v1/submit', { from: 'a@b', to: ['x'], content: '' })
    expect(answer).toMatchObject({ status: 422, body: { error: { code: 'mail-refused', message: '501 5.1.3 Recipient is not an address' } } })
  })

  it('that nobody foresaw are told to the log alone', async () => {
    control.fault = new TypeError('secret in a stack')
    const answer = await get('/v1/status')
    expect(answer).toMatchObject({ status: 500, body: { error: { code: 'internal' } } })
    expect(answer.raw.body).not.toContain('secret')
    expect(journal.notes).toMatchObject([{ level: 'error', facts: { route: '/v1/status', fault: expect.stringContaining('secret in a stack') } }])
  })

  it('have one shape, also for requests that no route knows', async () => {
    for (const url of ['/', '/v1', '/v2/status', '/v1/queue/act'])
      expect(await get(url)).toMatchObject({ status: 404, body: { error: { code: 'no-such-route', message: expect.any(String), hint: expect.any(String) } } })
  })

  it('have that shape, too, where the framework itself refuses', async () => {
    for (const url of [`/v1/messages/${'a'.repeat(3000)}`, '/v1/messages/%zz']) {
      expect(await get(url), url.slice(0, 40)).toMatchObject({ status: 400, body: { error: { code: 'bad-request', message: expect.any(String), hint: null } } })
    }
  })

  it('have a status that says whose fault it is', () => {
    for (const code of ERROR_CODES) expect(ERROR_CATALOGUE[code].status).toBeGreaterThanOrEqual(400)
  })
})
