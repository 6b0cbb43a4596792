/**
 * The server's end of the agent: started while the server is still root, asked for workers ever after.
 *
 * A shell holds the agent and starts another one if it dies; it does so on the same channel, so that
 * the server, which is no root any more, notices nothing but an answer that does not come.
 */
import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import process from 'node:process'
import { enhanced } from '../core/reply.ts'
import { type AgentAnswer, type AgentRequest, parseAgentAnswer } from './agent-wire.ts'
import type { MailboxSettings } from './order.ts'
import { entryFile, HEAP } from './start-worker.ts'
import { SYSTEM_PATH } from './system-users.ts'
import type { OpenAnswer, WorkerOpener } from './worker-link.ts'

/** It ends with 0 only when the server has gone. */
const KEEP_ALIVE = `trap '' INT TERM HUP; until "$0" "$@"; do sleep 1; done`
const GONE = enhanced(4, 3, 0)

/** Only root's agent can become others; call it before root is given up. `ended`: it has gone for good, unasked. */
export function startAgent(settings: MailboxSettings, ended: () => void): WorkerOpener {
  const child = spawn('/bin/sh', ['-c', KEEP_ALIVE, process.execPath, ...HEAP, entryFile('agent'), JSON.stringify(settings)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: SYSTEM_PATH,
    cwd: '/',
    serialization: 'json',
  })
  const waiting = new Map<number, (answer: OpenAnswer) => void>()
  let serial = 0
  let closed = false
  const settle = (id: number, answer: OpenAnswer): void => {
    waiting.get(id)?.(answer)
    waiting.delete(id)
  }
  const lost = (): void => {
    for (const id of [...waiting.keys()]) settle(id, { kind: 'refused', status: GONE, reason: AGENT_GONE })
  }
  const send = (request: AgentRequest): void => {
    if (child.connected) child.send(request, (error) => (error === null ? undefined : lost()))
    else lost()
  }
  child.on('error', lost)
  child.on('disconnect', () => {
    lost()
    if (!closed) ended()
  })
  child.on('message', (message, handle) => take(parseAgentAnswer(message), (handle ?? null) as Socket | null))
  const take = (answer: AgentAnswer | null, socket: Socket | null): void => {
    if (answer === null) return
    const { id } = answer
    if (answer.kind === 'opened' && socket !== null && waiting.has(id)) settle(id, { kind: 'open', socket, kill: () => send({ kind: 'kill', id }) })
    else if (answer.kind === 'unknown' || answer.kind === 'refused') settle(id, answer)
    // Nobody waits for it any more.
    else socket?.destroy()
  }
  // A server that cannot start must be able to end; the agent ends with it.
  child.unref()
  child.channel?.unref()
  return {
    open: (user) => {
      const id = ++serial
      return {
        answer: new Promise((resolve) => {
          waiting.set(id, resolve)
          send({ kind: 'open', id, user })
        }),
        giveUp: () => {
          waiting.delete(id)
          send({ kind: 'kill', id })
        },
      }
    },
    close() {
      closed = true
      if (child.connected) child.disconnect()
    },
  }
}

export const AGENT_GONE = 'the agent that starts writers of mailboxes has ended: start Postern again'
