/**
 * Hands one message to a listener, plainly; resolves with the queue id.
 */
import net from 'node:net'

export interface Mail {
  readonly from: string
  readonly to: readonly string[]
  /** Dots are stuffed here; ends in CRLF. */
  readonly content: string
  /** Default: 127.0.0.1. */
  readonly host?: string
}

/** Rejects with the reply that was not expected. */
export async function sendMail(port: number, mail: Mail): Promise<string> {
  const socket = net.connect(port, mail.host ?? '127.0.0.1')
  socket.on('error', () => {})
  let text = ''
  let wake = (): void => {}
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
    wake()
  })
  socket.on('close', () => wake())
  const reply = async (code: string): Promise<string> => {
    for (;;) {
      const match = /^(\d{3}) (.*)\r\n/m.exec(text)
      if (match !== null) {
        text = text.slice((match.index ?? 0) + match[0].length)
        if (match[1] !== code) throw new Error(match[0])
        return match[2] ?? ''
      }
      if (socket.destroyed) throw new Error('connection lost')
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  const ask = async (line: string, code: string): Promise<string> => {
    socket.write(`${line}\r\n`)
    return await reply(code)
  }
  try {
    await reply('220')
    await ask('EHLO client.test', '250')
    await ask(`MAIL FROM:<${mail.from}>`, '250')
    for (const to of mail.to) await ask(`RCPT TO:<${to}>`, '250')
    await ask('DATA', '354')
    const answer = await ask(`${mail.content.replace(/^\./gm, '..').replace(/\r\n$/, '')}\r\n.`, '250')
    await ask('QUIT', '221')
    return /queued as (\S+)/.exec(answer)?.[1] ?? ''
  } finally {
    socket.destroy()
  }
}
