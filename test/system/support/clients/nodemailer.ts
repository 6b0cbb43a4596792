/**
 * nodemailer: one transport for each way to connect and log in, all mails raw.
 */
import { readFileSync } from 'node:fs'
import { createTransport } from 'nodemailer'
import type { ClientAnswer, GridCase, GridClient, GridTarget } from './cases.ts'
import { inParallel } from './run-program.ts'

export const nodemailer: GridClient = {
  name: 'nodemailer',
  notAble: {},
  async send(cases, target) {
    const transports = new Map<string, ReturnType<typeof openTransport>>()
    const transportFor = (one: GridCase): ReturnType<typeof openTransport> => {
      const key = `${one.tls}/${one.login}`
      const known = transports.get(key) ?? openTransport(one, target)
      transports.set(key, known)
      return known
    }
    try {
      return await inParallel(cases, 3, (one) => sendOne(transportFor(one), one))
    } finally {
      for (const transport of transports.values()) transport.close()
    }
  },
}

function openTransport(one: GridCase, target: GridTarget) {
  return createTransport({
    pool: true,
    maxConnections: 2,
    host: '127.0.0.1',
    port: target.ports[one.tls],
    name: 'client.test',
    secure: one.tls === 'implicit',
    requireTLS: one.tls === 'starttls',
    ignoreTLS: one.tls === 'plain',
    tls: { ca: readFileSync(target.caPath, 'utf8') },
    ...(one.login ? { auth: { user: target.username, pass: target.password } } : {}),
  })
}

async function sendOne(transport: ReturnType<typeof openTransport>, one: GridCase): Promise<ClientAnswer> {
  try {
    await transport.sendMail({ envelope: { from: one.from, to: [...one.to] }, raw: one.content })
    return { id: one.id, ok: true, text: '' }
  } catch (fault) {
    return { id: one.id, ok: false, text: String(fault) }
  }
}
