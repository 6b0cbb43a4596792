/**
 * The admin API of a server under test, as `curl --unix-socket` would ask it.
 */
import http from 'node:http'
import { join } from 'node:path'
import type { PosternProcess } from './server.ts'
import { until } from './verdict.ts'

export interface AdminAnswer {
  readonly status: number
  readonly body: string
}

export function ask(server: PosternProcess, method: 'GET' | 'POST', path: string, body?: unknown): Promise<AdminAnswer> {
  const text = body === undefined ? null : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const headers = text === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    const request = http.request({ socketPath: join(server.folder, 'postern.sock'), method, path, headers }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }))
    })
    request.on('error', reject).end(text ?? undefined)
  })
}

/** Content is latin1 text: one character per octet. */
export function submit(server: PosternProcess, from: string, to: readonly string[], content: string): Promise<AdminAnswer> {
  return ask(server, 'POST', '/v1/submit', { from, to, content: Buffer.from(content, 'latin1').toString('base64') })
}

export interface StatusFacts {
  readonly queue: { readonly queued: number; readonly leased: number; readonly held: number }
  readonly sinceStart: { readonly accepted: number; readonly delivered: number; readonly failed: number; readonly captured: number }
}
export async function readStatus(server: PosternProcess): Promise<StatusFacts> {
  return JSON.parse((await ask(server, 'GET', '/v1/status')).body) as StatusFacts
}

export async function isDrained(server: PosternProcess): Promise<boolean> {
  const { queue } = await readStatus(server)
  return queue.queued + queue.leased === 0
}

/** Rejects if it takes longer. */
export function untilDrained(server: PosternProcess, limitMs: number): Promise<unknown> {
  return until('the queue is empty', () => isDrained(server), limitMs)
}

/** Recipients of stored messages whose sender, or recipient, holds this text, whatever became of them. */
export async function countStored(server: PosternProcess, field: 'sender' | 'recipient', text: string): Promise<number> {
  const { body } = await ask(server, 'GET', `/v1/queue/count?${field}=${encodeURIComponent(text)}`)
  return (JSON.parse(body) as { count: number }).count
}
