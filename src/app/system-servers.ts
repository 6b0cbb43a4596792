/**
 * The name servers that `/etc/resolv.conf` names now. Looks at the file's time at most once a second.
 */
import { readFileSync } from 'node:fs'
import type { Clock } from '../core/clock.ts'
import { serversOfResolvConf } from '../net/dns/resolv-conf.ts'
import { fileStamp } from './file-stamp.ts'

const LOOK_EVERY_MS = 1_000
/** A longer file holds no list of servers. */
const FILE_OCTETS_MAX = 64 * 1024

/** Gives the same list as long as the file is the same. */
export function createSystemServers(clock: Clock, path = '/etc/resolv.conf'): () => ReturnType<typeof serversOfResolvConf> {
  let lookAgainAt = Number.NEGATIVE_INFINITY
  let seen = ''
  let servers = serversOfResolvConf(null)
  return () => {
    const now = clock.monotonicMs()
    if (now < lookAgainAt) return servers
    lookAgainAt = now + LOOK_EVERY_MS
    const stamp = fileStamp(path)
    if (stamp === seen) return servers
    seen = stamp
    servers = serversOfResolvConf(readText(path))
    return servers
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').slice(0, FILE_OCTETS_MAX)
  } catch {
    // As resolv.conf(5) has it: a file that cannot be read names nobody.
    return null
  }
}
