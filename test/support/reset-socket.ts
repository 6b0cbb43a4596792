/**
 * Ends a connection by RST, as a peer that dies.
 *
 * A socket that is about to send its FIN cannot be reset any more: Node.js then leaves it open, without a
 * `close` (EINVAL of uv_tcp_close_reset). Such a one is only destroyed.
 */
import type { Socket } from 'node:net'

export function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
