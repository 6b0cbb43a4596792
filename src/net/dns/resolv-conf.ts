/**
 * The servers that `/etc/resolv.conf` names. Search domains and options are not ours (N15).
 */
import { isIP } from 'node:net'
import type { DnsServer } from './exchange.ts'

const SERVERS_MAX = 8
/** resolv.conf(5): without a name server the one on this machine. */
const LOCAL: DnsServer = { address: '127.0.0.1', port: 53 }

/** `text`: null if there is no such file. */
export function serversOfResolvConf(text: string | null): readonly [DnsServer, ...DnsServer[]] {
  const servers = (text ?? '').split('\n').flatMap((line) => {
    const [, address = ''] = /^nameserver[ \t]+(\S+)/.exec(line.trim()) ?? []
    return isIP(address) === 0 ? [] : [{ address, port: 53 }]
  })
  const [first = LOCAL, ...more] = servers.slice(0, SERVERS_MAX)
  return [first, ...more]
}
