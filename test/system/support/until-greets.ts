/**
 * Waits for the first 220 at an address of this machine.
 */
import net from 'node:net'

const LIMIT_MS = 20_000

export async function untilGreets(address: string, port: number): Promise<void> {
  const end = performance.now() + LIMIT_MS
  while (performance.now() < end) {
    if (await greets(address, port)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`nobody greets at ${address}:${port}`)
}

function greets(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, address)
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1_000, () => end(false))
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
    socket.once('data', (chunk) => end(chunk.toString().startsWith('220')))
  })
}
