/**
 * Which address of ours the machine would use towards the Internet. Nothing is sent: connecting a
 * datagram socket only asks the routing table.
 */
import { createSocket } from 'node:dgram'

/** Documentation addresses (RFC 5737, RFC 3849): routed like any other, never anybody's. */
const FAR: Readonly<Record<4 | 6, string>> = { 4: '192.0.2.1', 6: '2001:db8::1' }

/** Null: there is no way out by that family. */
export function egressAddress(family: 4 | 6): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
    const end = (address: string | null): void => {
      socket.close()
      resolve(address)
    }
    socket.once('error', () => end(null))
    socket.connect(9, FAR[family], () => end(addressOf(socket)))
  })
}

function addressOf(socket: ReturnType<typeof createSocket>): string | null {
  const { address } = socket.address()
  return address === '0.0.0.0' || address === '::' ? null : address
}
