/**
 * Knot's half of `zones.ts`: configuration, zone files, keys, and new records at run time.
 *
 * One key a zone, made before the start, so that its trust anchor is known; no rollover. Files are
 * rewritten as a whole, knot finds the difference and signs it.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Zone } from './zones.ts'

export interface KnotFiles {
  readonly folder: string
  readonly zones: readonly Zone[]
  readonly ttlSeconds: number
  readonly address: string
  readonly port: number
}

export function writeKnot({ folder, zones, ttlSeconds, address, port }: KnotFiles): void {
  mkdirSync(join(folder, 'zones'), { recursive: true })
  for (const zone of zones) writeZone(folder, zone, ttlSeconds)
  const stanzas = zones.map(({ name, state }) =>
    [`  - domain: "${name}."`, ...(isSigned(state) ? ['    dnssec-signing: on', '    dnssec-policy: fixed'] : [])].join('\n'),
  )
  writeFileSync(
    join(folder, 'knot.conf'),
    `server:
    rundir: "${folder}"
    listen: ${address}@${port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    version: ""
control:
    listen: knot.sock
log:
  - target: ${join(folder, 'knot.log')}
    any: info
database:
    storage: "${folder}"
    journal-db-max-size: 16M
    kasp-db-max-size: 16M
    timer-db-max-size: 4M
policy:
  - id: fixed
    manual: on
    single-type-signing: on
    algorithm: ecdsap256sha256
template:
  - id: default
    storage: "${join(folder, 'zones')}"
    file: "%s.zone"
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
    semantic-checks: off
    serial-policy: increment
zone:
${stanzas.join('\n')}
`,
  )
  for (const { name, state } of zones) {
    if (isSigned(state)) keymgr(folder, `${name}.`, 'generate', 'algorithm=ECDSAP256SHA256', 'ksk=yes', 'zsk=yes')
  }
}

/** What a resolver needs to validate the zone: a DS; for a wrongly signed one that of no key there is. */
export function anchorOf(folder: string, zone: Zone): string {
  if (!isSigned(zone.state)) return `${zone.name}. IN DS 1 13 2 ${'5a'.repeat(32)}`
  const [line = ''] = keymgr(folder, `${zone.name}.`, 'ds')
    .split('\n')
    .filter((one) => / DS \d+ \d+ 2 /.test(one))
  const [, tag, digest = ''] = /DS (\d+) 13 2 ([0-9a-fA-F]{64})/.exec(line) ?? []
  if (tag === undefined) throw new Error(`no DS of ${zone.name}: ${line}`)
  const turned = zone.state === 'wrongly-signed' ? [...digest].reverse().join('') : digest
  return `${zone.name}. IN DS ${tag} 13 2 ${turned}`
}

function isSigned(state: Zone['state']): boolean {
  return state === 'signed' || state === 'wrongly-signed'
}

/** Waits until knot has them. */
export function updateKnot(folder: string, zone: Zone, ttlSeconds: number): void {
  writeZone(folder, zone, ttlSeconds)
  execFileSync('/usr/sbin/knotc', ['-c', join(folder, 'knot.conf'), '-b', 'zone-reload', `${zone.name}.`], { stdio: 'pipe' })
}

function writeZone(folder: string, { name, records }: Zone, ttlSeconds: number): void {
  const lines = [
    `$ORIGIN ${name}.`,
    `$TTL ${ttlSeconds}`,
    `@ SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 ${ttlSeconds}`,
    '@ NS ns.invalid.',
    ...records,
  ]
  writeFileSync(join(folder, 'zones', `${name}.zone`), `${lines.join('\n')}\n`)
}

function keymgr(folder: string, ...argv: readonly string[]): string {
  return execFileSync('/usr/sbin/keymgr', ['-c', join(folder, 'knot.conf'), ...argv], { encoding: 'utf8', stdio: 'pipe' })
}
