/**
 * Hands in mail for many domains: `node domain-source.ts PORT SESSIONS MESSAGES SIZE DOMAINS PREFIX SUFFIX`.
 *
 * smtp-source knows one domain only. Sessions are kept open, nothing is pipelined. Message n goes to
 * `user@PREFIX(n mod DOMAINS)SUFFIX`. Prints one JSON object: faults and seconds.
 */
import { connect } from 'node:net'
import { seconds } from './numbers.ts'

const [portText, sessionsText, messagesText, sizeText, domainsText, prefix = 'd', suffix = '.test'] = process.argv.slice(2)
const [port = 0, sessions = 0, messages = 0, sizeOctets = 0, domains = 1] = [portText, sessionsText, messagesText, sizeText, domainsText].map(Number)
const line = `${'x'.repeat(78)}\r\n`
const head = 'From: <jira@app.example.test>\r\nTo: <user@example.test>\r\nSubject: many domains\r\n\r\n'
const content = Buffer.from(`${head}${line.repeat(Math.ceil((sizeOctets - head.length) / line.length))}.\r\n`)

let given = 0
let faults = 0

/** One session until no message is left. */
function runSession(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let step = -2
    let number = 0
    let finished = false
    let rest = ''
    const command = (): string | Buffer => {
      if (step === -1) return 'EHLO app.example.test\r\n'
      if (step === 1) return `RCPT TO:<user@${prefix}${number % domains}${suffix}>\r\n`
      if (step > 1) return step === 2 ? 'DATA\r\n' : content
      finished = given >= messages
      number = given++
      return finished ? 'QUIT\r\n' : 'MAIL FROM:<jira@app.example.test>\r\n'
    }
    socket.on('data', (chunk) => {
      rest += chunk.toString('latin1')
      const last = /(?:^|\n)(\d{3}) [^\n]*\n$/.exec(rest)?.[1]
      if (last === undefined) return
      rest = ''
      if (finished) return
      if (!last.startsWith(step === 2 ? '3' : '2')) {
        faults++
        socket.destroy()
        return
      }
      step = step === 3 ? 0 : step + 1
      socket.write(command())
    })
    socket.on('error', () => {
      faults++
    })
    socket.on('close', () => resolve())
  })
}

const from = seconds()
await Promise.all(Array.from({ length: sessions }, runSession))
console.log(JSON.stringify({ faults, seconds: seconds() - from }))
