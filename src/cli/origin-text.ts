/**
 * How a message came in, in words; who handed it in is told beside it.
 */
import type { Origin } from '../core/envelope.ts'

export function originText({ kind, protocol, clientAddress, heloName }: Origin): string {
  switch (kind) {
    case 'dsn':
      return 'made here, a report to the sender'
    case 'report':
      return 'made here, a TLS report'
    case 'cli':
    case 'api':
      return 'through the admin socket'
    default:
      return [protocol, clientAddress === null ? '' : `from ${clientAddress}`, heloName === null ? '' : `(${heloName})`].filter((part) => part !== '').join(' ')
  }
}
