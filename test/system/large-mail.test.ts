/**
 * Memory while five mails of 50 MB come in and go out at once: content is streamed, never held.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePort, type PosternProcess, removeFolder, startServer } from '../bars/support/server.ts'
import { until } from '../bars/support/verdict.ts'
import { startWireSink, type WireSink } from './support/wire-sink.ts'

const MAILS = 5
const OCTETS = 49_900_000
const GROWTH_MAX_KB = 64 * 1024

let sink: WireSink
let postern: PosternProcess
let port: number

beforeAll(async () => {
  sink = await startWireSink()
  port = await freePort()
  postern = await startServer({ port, relayPort: sink.port })
})
afterAll(async () => {
  postern?.kill('SIGTERM')
  await postern?.exited
  await sink?.close()
  if (postern !== undefined) removeFolder(postern.folder)
})

it('stays within 64 MB more memory while five mails of 50 MB come in and go out at once', async () => {
  // What any large mail costs once, code, buffers and the store's bounded caches, is not what is measured.
  for (let n = 0; n < 3; n++) await sendLarge(port, 8_000_000)
  await until('the first mails are through', () => sink.mails.length === 3, 20_000)
  const before = resetPeak(postern.pid)
  const from = performance.now()
  const sent = await Promise.all(Array.from({ length: MAILS }, () => sendLarge(port, OCTETS)))
  const inMs = performance.now() - from
  await until('five large mails at the relay', () => sink.mails.length === 3 + MAILS, 60_000)
  const outMs = performance.now() - from
  const growthKb = statusKb(postern.pid, 'VmHWM') - before
  console.log(
    `large mail: ${MAILS} x ${OCTETS / 1e6} MB in within ${(inMs / 1000).toFixed(1)} s, out within ${(outMs / 1000).toFixed(1)} s, memory ${(before / 1024).toFixed(0)} MB and ${(growthKb / 1024).toFixed(0)} MB more at its peak`,
  )
  const arrived = sink.mails.slice(3)
  expect(arrived.every((mail) => mail.octets > OCTETS)).toBe(true)
  expect(new Set(sent).size).toBe(1)
  expect(growthKb).toBeLessThanOrEqual(GROWTH_MAX_KB)
})

/** Makes the peak begin anew; kilobytes in use now. */
function resetPeak(pid: number): number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
  return statusKb(pid, 'VmRSS')
}

function statusKb(pid: number, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

/** Resolves with the hash of the body once it is taken. */
async function sendLarge(to: number, octets: number): Promise<string> {
  const socket = net.connect(to, '127.0.0.1')
  socket.on('error', () => {})
  const line = Buffer.from(`${'large mail '.repeat(6)}\r\n`)
  const block = Buffer.concat(Array.from({ length: 900 }, () => line))
  const hash = createHash('sha256')
  const reply = async (code: string): Promise<void> => {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    if (!chunk.toString().startsWith(code)) throw new Error(chunk.toString())
  }
  await reply('220')
  for (const command of ['EHLO client.test', 'MAIL FROM:<app@app.test>', 'RCPT TO:<user@rcpt.test>']) {
    socket.write(`${command}\r\n`)
    await reply('250')
  }
  socket.write('DATA\r\n')
  await reply('354')
  socket.write('From: app@app.test\r\nSubject: large\r\n\r\n')
  for (let sent = 0; sent < octets; sent += block.length) {
    hash.update(block)
    if (!socket.write(block)) await once(socket, 'drain')
  }
  socket.write('.\r\n')
  await reply('250')
  socket.end('QUIT\r\n')
  return hash.digest('hex')
}
