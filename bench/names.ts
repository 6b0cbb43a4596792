/**
 * The resolver that both agents ask: Debian's unbound on port 53 of the namespace, with 1,000 domains on 50 sites, and
 * domains whose servers are dead.
 *
 * `/etc/resolv.conf` of the namespace names it (`namespace.ts`).
 */

import { Resolver } from 'node:dns/promises'
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sleep } from './numbers.ts'
import { ProcessGroup } from './process-group.ts'

export const DOMAINS = 1_000
export const SITES = 50
export const DEAD_DOMAINS = 250
export const MX_PORT = 25

/** `d17.sites.test`, with its server among fifty; `x17.dead.test`, with a server that never answers. */
export const domainOf = (n: number): string => `d${n % DOMAINS}.sites.test`
export const deadDomainOf = (n: number): string => `x${n % DEAD_DOMAINS}.dead.test`

export interface Names {
  stop(): Promise<void>
}

export async function startNames(folder: string): Promise<Names> {
  const home = join(folder, 'names')
  mkdirSync(home, { recursive: true })
  const config = join(home, 'unbound.conf')
  writeFileSync(config, configuration())
  const group = new ProcessGroup('names')
  const out = openSync(join(home, 'output'), 'a')
  group.spawn('/usr/sbin/unbound', ['-d', '-p', '-c', config], { stdio: ['ignore', out, out] })
  closeSync(out)
  const resolver = new Resolver({ timeout: 500, tries: 1 })
  resolver.setServers(['127.0.0.1'])
  for (let tries = 0; tries < 100; tries++) {
    const answer = await resolver.resolveMx(domainOf(0)).catch(() => null)
    if (answer !== null) return { stop: () => group.stop('SIGTERM') }
    await sleep(100)
  }
  throw new Error(`unbound does not answer; see ${home}`)
}

function configuration(): string {
  const lines = [
    'server:',
    '  interface: 127.0.0.1',
    '  access-control: 127.0.0.0/8 allow',
    '  username: ""',
    '  chroot: ""',
    '  use-syslog: no',
    '  do-daemonize: no',
    '  do-ip6: no',
    '  module-config: "iterator"',
    '  num-threads: 1',
    '  local-zone: "." static',
  ]
  const add = (record: string): number => lines.push(`  local-data: "${record}"`)
  for (let n = 0; n < DOMAINS; n++) add(`${domainOf(n)}. 300 MX 10 mx${n % SITES}.sites.test.`)
  for (let site = 0; site < SITES; site++) add(`mx${site}.sites.test. 300 A 127.0.1.${site + 1}`)
  for (let n = 0; n < DEAD_DOMAINS; n++) {
    add(`${deadDomainOf(n)}. 300 MX 10 mx${n}.dead.test.`)
    add(`mx${n}.dead.test. 300 A 198.51.100.${n + 1}`)
  }
  // Who checks the sender's domain finds it.
  add('app.example.test. 300 A 127.0.0.1')
  return `${lines.join('\n')}\n`
}
