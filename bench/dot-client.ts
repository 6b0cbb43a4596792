/**
 * Measures how long the reply to the final dot takes: `node dot-client.ts PORT SESSIONS MESSAGES SIZE [RATE]`.
 *
 * Each session sends one message after the other without pipelining: without pause, or RATE messages a second in all. Prints the
 * waiting times as percentiles in milliseconds, one JSON object.
 */
import { connect } from 'node:net'
import { percentile, seconds } from './numbers.ts'

const [port = 0, sessions = 0, messages = 0, sizeOctets = 0, rate = 0] = process.argv.slice(2).map(Number)
/** Milliseconds from one message of a session to its next; 0: no pause. */
const periodMs = rate === 0 ? 0 : (sessions / rate) * 1000
const line = `${'x'.repeat(78)}\r\n`
const head = 'From: <jira@app.example.test>\r\nTo: <user@example.test>\r\nSubject: waiting\r\n\r\n'
const content = Buffer.from(`${head}${line.repeat(Math.ceil((sizeOctets - head.length) / line.length))}.\r\n`)
const STEPS: readonly (string | Buffer)[] = ['MAIL FROM:<jira@app.example.test>\r\n', 'RCPT TO:<user@example.test>\r\n', 'DATA\r\n', content]

const waitsMs: number[] = []
let left = messages
let faults = 0

/** One session until no message is left. */
function runSession(index: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let step = -2
    let sentAt = 0
    let rest = ''
    let finished = false
    // Sessions begin one after the other, so that their messages do not come in step.
    let dueAt = seconds() * 1000 + (index / sessions) * periodMs
    const next = (reply: string): void => {
      if (finished) return
      const expected = step === 2 ? '3' : '2'
      if (!reply.startsWith(expected)) {
        faults++
        finished = true
        socket.end()
        return
      }
      if (step === 3) waitsMs.push((seconds() - sentAt) * 1000)
      step = step === 3 ? 0 : step + 1
      if (step === 0 && left-- <= 0) {
        finished = true
        socket.end('QUIT\r\n')
        return
      }
      if (step === 0 && periodMs > 0) {
        setTimeout(send, Math.max(0, dueAt - seconds() * 1000))
        dueAt += periodMs
      } else send()
    }
    const send = (): void => {
      sentAt = seconds()
      socket.write(step === -1 ? 'EHLO app.example.test\r\n' : (STEPS[step] ?? ''))
    }
    socket.on('data', (chunk) => {
      rest += chunk.toString('latin1')
      const last = /(?:^|\n)(\d{3} [^\n]*)\n$/.exec(rest)?.[1]
      if (last === undefined) return
      rest = ''
      next(last)
    })
    socket.on('error', () => {
      faults++
    })
    socket.on('close', () => resolve())
  })
}

const from = seconds()
await Promise.all(Array.from({ length: sessions }, (_, index) => runSession(index)))
const p = (percent: number): number => percentile(waitsMs, percent)
console.log(
  JSON.stringify({ faults, messages: waitsMs.length, perSecond: waitsMs.length / (seconds() - from), p50Ms: p(50), p90Ms: p(90), p99Ms: p(99), maxMs: p(100) }),
)
