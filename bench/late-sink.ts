/**
 * A counting SMTP sink that answers as from a distance: `node late-sink.ts PORT LATE_MS`.
 *
 * Everything that arrives in one piece is answered LATE_MS later, the greeting too: one round trip, however many
 * commands were in the piece. Writes `mesg=N peak=M` to standard output, as smtp-sink does.
 */
import { writeSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'

const [port, lateMs] = process.argv.slice(2).map(Number)
const END = Buffer.from('\r\n.\r\n')
let messages = 0
let open = 0
let peak = 0
let changed = false

setInterval(() => {
  if (changed) writeSync(1, `mesg=${messages} peak=${peak}\r`)
  changed = false
}, 10)

/** Takes one connection's bytes and gives the replies; content is recognized across chunks and thrown away. */
function createDialogue(): (chunk: Buffer) => { readonly replies: string; readonly taken: number; readonly quit: boolean } {
  let rest: Buffer = Buffer.alloc(0)
  let inContent = false
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let replies = ''
    let taken = 0
    for (;;) {
      if (inContent) {
        const end = rest.indexOf(END)
        if (end === -1) {
          rest = rest.subarray(Math.max(0, rest.length - END.length + 1))
          return { replies, taken, quit: false }
        }
        rest = rest.subarray(end + END.length)
        inContent = false
        taken++
        replies += '250 2.0.0 Ok\r\n'
        continue
      }
      const end = rest.indexOf('\r\n')
      if (end === -1) return { replies, taken, quit: false }
      const verb = rest.toString('latin1', 0, Math.min(end, 4)).toUpperCase()
      // The line end before the content stays: an empty message is `CRLF . CRLF` with it.
      rest = rest.subarray(verb === 'DATA' ? end : end + 2)
      if (verb === 'QUIT') return { replies: `${replies}221 2.0.0 Bye\r\n`, taken, quit: true }
      inContent = verb === 'DATA'
      replies += inContent ? '354 Go on\r\n' : verb === 'EHLO' ? '250-sink.example.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n' : '250 2.0.0 Ok\r\n'
    }
  }
}

function later(socket: Socket, text: string, then: () => void): void {
  setTimeout(() => {
    if (!socket.destroyed) socket.write(text)
    then()
  }, lateMs)
}

createServer({ noDelay: true }, (socket) => {
  open++
  peak = Math.max(peak, open)
  changed = true
  const answer = createDialogue()
  socket.on('error', () => socket.destroy())
  socket.on('close', () => {
    open--
  })
  later(socket, '220 sink.example.test ESMTP\r\n', () => undefined)
  socket.on('data', (chunk) => {
    const { replies, taken, quit } = answer(chunk)
    if (replies === '') return
    later(socket, replies, () => {
      messages += taken
      changed = true
      if (quit) socket.end()
    })
  })
}).listen(port, '127.0.0.1', 1000)
