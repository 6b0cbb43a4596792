/**
 * Unbound's half of `zones.ts`: a validating resolver that knows our zones and nothing else.
 *
 * Whatever is outside of them does not exist, so that no test waits for a network that is not there.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Zone } from './zones.ts'

export interface UnboundFiles {
  readonly folder: string
  readonly zones: readonly Zone[]
  /** DS records. */
  readonly anchors: readonly string[]
  readonly address: string
  readonly port: number
  readonly authorityPort: number
}

/** Reverse zones that unbound would answer for out of its own knowledge. */
const BUILT_IN = [
  '127.in-addr.arpa',
  '2.0.192.in-addr.arpa',
  '100.51.198.in-addr.arpa',
  '113.0.203.in-addr.arpa',
  `${'0.'.repeat(31).replace(/^/, '1.')}ip6.arpa`,
  '8.b.d.0.1.0.0.2.ip6.arpa',
]

export function writeUnbound({ folder, zones, anchors, address, port, authorityPort }: UnboundFiles): void {
  const local = zones.map(({ name, state }) => `    local-zone: "${name}." ${state === 'silent' ? 'deny' : state === 'refused' ? 'refuse' : 'transparent'}`)
  const asked = zones.filter(({ state }) => state !== 'silent' && state !== 'refused')
  const stubs = asked.map(({ name }) => `stub-zone:\n    name: "${name}."\n    stub-addr: 127.0.0.1@${authorityPort}\n`)
  writeFileSync(
    join(folder, 'unbound.conf'),
    `server:
    interface: ${address}
    port: ${port}
    access-control: 127.0.0.0/8 allow
    access-control: ::1 allow
    username: ""
    chroot: ""
    directory: "${folder}"
    logfile: "${join(folder, 'unbound.log')}"
    use-syslog: no
    verbosity: 1
    val-log-level: 2
    num-threads: 1
    module-config: "validator iterator"
    do-not-query-localhost: no
    qname-minimisation: no
    aggressive-nsec: no
    harden-below-nxdomain: no
    target-fetch-policy: "0 0 0 0 0"
    val-bogus-ttl: 1
    infra-host-ttl: 1
    infra-keep-probing: yes
    unblock-lan-zones: yes
    local-zone: "." static
${BUILT_IN.map((zone) => `    local-zone: "${zone}." nodefault`).join('\n')}
${[...local, ...anchors.map((anchor) => `    trust-anchor: "${anchor}"`)].join('\n')}
remote-control:
    control-enable: yes
    control-use-cert: no
    control-interface: ${join(folder, 'unbound.sock')}
${stubs.join('')}`,
  )
}

/** The zone's new records count at once. */
export function forgetInUnbound(folder: string, zone: string): void {
  for (const command of [['flush_zone', `${zone}.`], ['flush_bogus'], ['flush_negative'], ['flush_infra', 'all']]) {
    execFileSync('/usr/sbin/unbound-control', ['-c', join(folder, 'unbound.conf'), ...command], { stdio: 'pipe' })
  }
}
