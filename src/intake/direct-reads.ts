/**
 * Reads accepted sockets into one buffer that all of them share.
 *
 * A buffer of its own for each read is memory outside the heap of V8, which answers its growth with full
 * collections: at 1 MB a message they cost more than everything else. Node has `onread` for that, but not
 * for accepted sockets, so their connection moves into a socket that has it. Where a release of Node.js
 * keeps the connection elsewhere, the socket is read as any other.
 */
import { Socket, type SocketConstructorOpts } from 'node:net'

/** Octets of one read at most. */
export const READ_OCTETS = 256 * 1024

/** Octets are valid only during the call. */
export type TakeOctets = (octets: Uint8Array) => void

/** `accepted` must be paused since it was accepted, with no listeners, and is not to be used afterwards. */
export function readDirectly(accepted: Socket, buffer: Buffer, take: TakeOctets): Socket {
  const holder = accepted as unknown as { _handle?: SocketConstructorOpts['handle'] | null }
  const handle = holder._handle
  if (handle === undefined || handle === null || accepted.readableFlowing !== false || accepted.readableLength > 0) {
    takeChunks(accepted, take)
    accepted.resume()
    return accepted
  }
  holder._handle = null
  const callback = (count: number): boolean => {
    take(buffer.subarray(0, count))
    return true
  }
  return new Socket({ handle, allowHalfOpen: true, onread: { buffer, callback } })
}

/** For sockets that make a new buffer for each read: its memory is given back at once. */
export function takeChunks(socket: Socket, take: TakeOctets): void {
  socket.on('data', (chunk: Buffer) => {
    take(chunk)
    if (chunk.byteLength === chunk.buffer.byteLength && chunk.buffer instanceof ArrayBuffer) chunk.buffer.transfer(0)
  })
}
