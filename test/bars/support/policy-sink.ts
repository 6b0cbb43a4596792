/**
 * A receiving server that notes under which conditions each message came: TLS, login, source address.
 *
 * Offers STARTTLS and AUTH PLAIN. Closes idle sessions at random, refuses some contents in the middle, and
 * counts sessions and messages a session exactly.
 */
import net from 'node:net'
import tls from 'node:tls'

export interface SeenSession {
  readonly source: string
  readonly tls: boolean
  readonly login: string | null
  /** Whole transactions, refused ones included. */
  readonly messages: number
}
export interface SeenMessage {
  readonly id: string
  readonly to: string
  readonly session: SeenSession
}
export interface PolicySinkOptions {
  readonly host: string
  readonly port: number
  readonly cert: string
  readonly key: string
  /** In [0, 1). */
  readonly random: () => number
  /** Sessions without work are closed after up to this. */
  readonly idleMsMax: number
  /** The reply to the final dot takes up to this; may be changed on the way. */
  dotMsMax: number
  /** Share of contents that are refused for now. */
  readonly refusedShare: number
}
export interface PolicySink {
  readonly messages: SeenMessage[]
  /** Ended ones, too. */
  readonly sessions: readonly SeenSession[]
  readonly counts: { idleCloses: number; refused: number; outOfOrder: number }
  /** Most sessions open at once by what `nameOf` makes of a session that has said RCPT; null counts nowhere. */
  mostOpen(): ReadonlyMap<string, number>
  close(): Promise<void>
}

interface Live {
  source: string
  tls: boolean
  login: string | null
  messages: number
  group: string | null
  open: boolean
}

/** `groupOf` names who a session belongs to by its first recipient. */
export async function startPolicySink(options: PolicySinkOptions, groupOf: (to: string) => string): Promise<PolicySink> {
  const sessions: Live[] = []
  const sockets = new Set<net.Socket>()
  const messages: SeenMessage[] = []
  const counts = { idleCloses: 0, refused: 0, outOfOrder: 0 }
  const most = new Map<string, number>()
  const context = tls.createSecureContext({ cert: options.cert, key: options.key })
  const note = (live: Live, to: string): void => {
    live.group ??= groupOf(to)
    const open = sessions.filter((one) => one.open && one.group === live.group).length
    most.set(live.group, Math.max(most.get(live.group) ?? 0, open))
  }
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    const live: Live = { source: socket.remoteAddress ?? '', tls: false, login: null, messages: 0, group: null, open: true }
    sessions.push(live)
    socket.on('close', () => {
      live.open = false
      sockets.delete(socket)
    })
    serve({ raw: socket, live, context, options, messages, counts, note })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port, options.host, 1_000, resolve))
  return {
    messages,
    sessions,
    counts,
    mostOpen: () => most,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Scene {
  readonly raw: net.Socket
  readonly live: Live
  readonly context: tls.SecureContext
  readonly options: PolicySinkOptions
  readonly messages: SeenMessage[]
  readonly counts: PolicySink['counts']
  readonly note: (live: Live, to: string) => void
}

function serve(scene: Scene): void {
  const { raw, live, options, messages, counts } = scene
  let socket: net.Socket = raw
  let text = ''
  let to = ''
  let state: 'idle' | 'mail' | 'content' | 'answering' = 'idle'
  let idle: NodeJS.Timeout | null = null
  const say = (line: string): void => void (socket.destroyed || socket.write(`${line}\r\n`))
  const watchIdle = (): void => {
    if (idle !== null) clearTimeout(idle)
    idle = setTimeout(
      () => {
        // A session that is still being set up is not idle.
        if (state !== 'idle' || live.messages === 0) return
        counts.idleCloses++
        say('421 4.4.2 idle too long')
        socket.end()
      },
      20 + options.random() * options.idleMsMax,
    )
  }
  const finish = (content: string): void => {
    live.messages++
    state = 'answering'
    setTimeout(() => {
      state = 'idle'
      if (options.random() < options.refusedShare) {
        counts.refused++
        say('451 4.3.0 not now')
      } else {
        messages.push({ id: /^X-Test-Id: (\S+)/m.exec(content)?.[1] ?? '', to, session: { ...live } })
        say('250 2.0.0 stored')
      }
      take(Buffer.alloc(0))
    }, options.random() * options.dotMsMax)
  }
  const command = (line: string): void => {
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'EHLO') say(live.tls ? '250-peer.test\r\n250-PIPELINING\r\n250 AUTH PLAIN' : '250-peer.test\r\n250-PIPELINING\r\n250 STARTTLS')
    else if (verb === 'STAR') {
      say('220 go')
      secure()
    } else if (verb === 'AUTH') {
      live.login =
        Buffer.from(line.split(' ')[2] ?? '', 'base64')
          .toString()
          .split('\0')[1] ?? ''
      say('235 2.7.0 ok')
    } else if (verb === 'MAIL') {
      if (state !== 'idle') counts.outOfOrder++
      state = 'mail'
      say('250 2.1.0 ok')
    } else if (verb === 'RCPT') {
      to = /<(.*?)>/.exec(line)?.[1] ?? ''
      scene.note(live, to)
      say('250 2.1.5 ok')
    } else if (verb === 'DATA') {
      state = 'content'
      say('354 go')
    } else if (verb === 'QUIT') {
      say('221 2.0.0 bye')
      socket.end()
    } else {
      if (verb === 'RSET') state = 'idle'
      say('250 2.0.0 ok')
    }
  }
  const take = (chunk: Buffer): void => {
    watchIdle()
    text += chunk.toString('latin1')
    for (;;) {
      const end = state === 'content' ? '\r\n.\r\n' : '\r\n'
      const at = text.indexOf(end)
      if (at === -1 || state === 'answering' || socket.destroyed) return
      const piece = text.slice(0, at)
      text = text.slice(at + end.length)
      if (state === 'content') finish(piece)
      else command(piece)
    }
  }
  const attach = (to: net.Socket): void => {
    socket = to
    to.on('error', () => {}).on('data', take)
  }
  const secure = (): void => {
    raw.removeAllListeners('data')
    text = ''
    live.tls = true
    attach(new tls.TLSSocket(raw, { isServer: true, secureContext: scene.context }))
  }
  raw.on('close', () => idle !== null && clearTimeout(idle))
  attach(raw)
  say('220 peer.test ESMTP')
  watchIdle()
}
