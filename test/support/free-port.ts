/**
 * A port on loopback for a program that is told its port before it listens.
 *
 * Not one that the kernel would give out: those it gives to outgoing connections, too, and between our look and the
 * program's start one of thousands may have got it.
 */
import { createServer } from 'node:net'

/** Below Linux's usual range of ports for outgoing connections (32768 to 60999). */
const PORTS = { from: 10_000, to: 32_000 }
const TRIES_MAX = 1_000

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from))
    if (await isFree(port)) return port
  }
  throw new Error(`no free port between ${PORTS.from} and ${PORTS.to}`)
}

/** On all addresses: the program may be told another one of loopback. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)))
  })
}
