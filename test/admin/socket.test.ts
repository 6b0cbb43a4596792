import { lstatSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect, createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { LiveLine } from '../../src/admin/api-types.ts'
import { createAdminServer } from '../../src/admin/server.ts'
import { SOCKET_PATH_MAX_OCTETS } from '../../src/admin/socket.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createFakeControl, createFakeJournal } from '../support/fake-control.ts'
import { createMemoryStore } from '../support/memory-store.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { createSignal, waitUntil } from '../support/wait-for-signal.ts'

function makeServer(socketPath: string) {
  const clock = createFakeClock()
  const store = createMemoryStore({ now: () => clock.now() })
  const control = createFakeControl(store, () => clock.now())
  const server = createAdminServer({ control, queue: store.admin, clock, journal: createFakeJournal(), socketPath })
  onTestFinished(() => server.stop())
  return { server, control }
}

function ask(socketPath: string, path = '/v1/status'): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path, agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
      .on('error', reject)
      .end()
  })
}

describe('the admin socket', () => {
  it('answers, belongs to its owner alone, and is gone after the stop', async () => {
    const path = `${makeTempFolder()}/deep/er/p.sock`
    const { server } = makeServer(path)
    await server.start()
    expect(lstatSync(path).mode & 0o777).toBe(0o600)
    expect(await ask(path)).toBe(200)
    await server.stop()
    await server.stop()
    expect(() => lstatSync(path)).toThrow('ENOENT')
  })

  it('may be stopped without a start', async () => {
    await makeServer(`${makeTempFolder()}/p.sock`).server.stop()
  })

  it('replaces a dead socket', async () => {
    const path = `${makeTempFolder()}/p.sock`
    const dead = createServer()
    await new Promise<void>((resolve) => dead.listen(path, resolve))
    // Closing would remove the file; a killed server leaves it behind.
    const { renameSync } = await import('node:fs')
    renameSync(path, `${path}.kept`)
    await new Promise((resolve) => dead.close(resolve))
    renameSync(`${path}.kept`, path)
    const { server } = makeServer(path)
    await server.start()
    expect(await ask(path)).toBe(200)
  })

  it('never takes the socket from a server that answers', async () => {
    const path = `${makeTempFolder()}/p.sock`
    await makeServer(path).server.start()
    await expect(makeServer(path).server.start()).rejects.toThrow(`another server answers on ${path}`)
    expect(await ask(path)).toBe(200)
  })

  it('leaves a file alone that is no socket', async () => {
    const path = `${makeTempFolder()}/p.sock`
    writeFileSync(path, 'precious')
    await expect(makeServer(path).server.start()).rejects.toThrow('is no socket')
    expect(lstatSync(path).size).toBe(8)
  })

  it('says that its path is too long, and takes the longest one', async () => {
    const folder = makeTempFolder()
    const longest = `${folder}/${'x'.repeat(SOCKET_PATH_MAX_OCTETS - folder.length - 1)}`
    await expect(makeServer(`${longest}y`).server.start()).rejects.toThrow('has 108 octets; the system takes at most 107')
    await makeServer(longest).server.start()
    expect(await ask(longest)).toBe(200)
  })
})

describe('live dialogue', () => {
  function watch(socketPath: string, query = '') {
    const lines = createSignal<LiveLine>('a live line')
    const ended = createSignal<void>('the end of the stream')
    let rest = ''
    const asked = request({ socketPath, path: `/v1/live${query}`, agent: false }, (answer) => {
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        const parts = (rest + chunk).split('\n')
        rest = parts.pop() ?? ''
        for (const part of parts) lines.fire(JSON.parse(part) as LiveLine)
      })
      answer.on('error', () => undefined)
      answer.on('close', () => ended.fire())
    })
    asked.on('error', () => ended.fire())
    asked.end()
    return { lines, ended, leave: () => asked.destroy() }
  }

  it('comes line by line until the reader goes', async () => {
    const path = `${makeTempFolder()}/p.sock`
    const { server, control } = makeServer(path)
    await server.start()
    const { lines, leave } = watch(path, '?relay=google&to=a@b.example')
    expect(await lines.next()).toMatchObject({ kind: 'open' })
    expect(control.filters).toEqual([{ relay: 'google', from: null, to: 'a@b.example', queueId: null }])
    control.say({ text: 'one' })
    control.say({ text: 'two', direction: '<' })
    expect(await lines.next()).toMatchObject({ kind: 'line', text: 'one', direction: '>', peer: 'google' })
    expect(await lines.next()).toMatchObject({ kind: 'line', text: 'two', direction: '<' })
    leave()
    await waitUntil(() => control.watchers.size === 0, 'the watcher to be gone')
  })

  it('ends when the server stops', async () => {
    const path = `${makeTempFolder()}/p.sock`
    const { server, control } = makeServer(path)
    await server.start()
    const { lines, ended } = watch(path)
    await lines.next()
    await server.stop()
    await ended.next()
    expect(control.watchers.size).toBe(0)
  })

  it('leaves lines out for a reader that does not read, and says how many', async () => {
    const path = `${makeTempFolder()}/p.sock`
    const { server, control } = makeServer(path)
    await server.start()
    const socket = connect(path)
    onTestFinished(() => void socket.destroy())
    socket.pause()
    socket.write('GET /v1/live HTTP/1.1\r\nHost: x\r\n\r\n')
    await waitUntil(() => control.watchers.size === 1, 'the watcher')
    const said = 5000
    for (let i = 0; i < said; i++) control.say({ text: `${i} ${'x'.repeat(1000)}` })
    let text = ''
    socket.on('data', (chunk) => {
      text += String(chunk)
    })
    socket.resume()
    await waitUntil(() => text.includes('"kind":"lost"'), 'the count of lost lines')
    control.say({ text: 'after' })
    await waitUntil(() => text.includes('"after"'), 'the line after the lost ones')
    const lost = Number(/"lost".*?"lines":(\d+)/.exec(text)?.[1])
    const kept = text.split('"kind":"line"').length - 2
    expect(lost + kept).toBe(said)
    expect(kept).toBeLessThan(1500)
  })

  it('has room for a bounded number of readers', async () => {
    const path = `${makeTempFolder()}/p.sock`
    const { server } = makeServer(path)
    await server.start()
    const readers = Array.from({ length: 16 }, () => watch(path))
    for (const { lines } of readers) await lines.next()
    expect(await ask(path, '/v1/live')).toBe(429)
    readers[0]?.leave()
    await waitForRoom(path)
  })
})

/** The place of a reader is free again once its close was seen. */
async function waitForRoom(path: string): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const status = await new Promise<number>((resolve) => {
      const asked = request({ socketPath: path, path: '/v1/live', agent: false }, (answer) => {
        resolve(answer.statusCode ?? 0)
        asked.destroy()
      })
      asked.on('error', () => undefined)
      asked.end()
    })
    if (status === 200) return
  }
  throw new Error('no room for another reader')
}
