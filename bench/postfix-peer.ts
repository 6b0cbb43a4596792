/**
 * Debian's Postfix as an outgoing relay: Debian's defaults, and what an administrator of an application server
 * sets: a relay host, loopback only, room for large messages.
 */
import { execFile } from 'node:child_process'
import { chmodSync, chownSync, closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { waitForGreeting } from './load.ts'
import { seconds } from './numbers.ts'
import type { Peer, RunningPeer, StartOptions } from './peer.ts'
import { ProcessGroup } from './process-group.ts'

const run = promisify(execFile)

export const postfix: Peer = {
  name: 'postfix',
  async start(options): Promise<RunningPeer> {
    const etc = writeConfiguration(options)
    const group = new ProcessGroup('postfix')
    const out = openSync(join(options.folder, 'postfix', 'output'), 'a')
    const child = group.spawn('/usr/sbin/postfix', ['-c', etc, 'start-fg'], { stdio: ['ignore', out, out] })
    closeSync(out)
    await waitForGreeting(options.port, 30_000, { child, output: join(options.folder, 'postfix', 'output') })
    return {
      group,
      flush: async () => void (await run('/usr/sbin/postqueue', ['-c', etc, '-f'])),
      async statusMs() {
        const from = seconds()
        await run('/usr/sbin/postqueue', ['-c', etc, '-p'], { maxBuffer: 2 ** 30 })
        return (seconds() - from) * 1000
      },
      stop: () => group.stop('SIGTERM'),
    }
  },
}

function writeConfiguration({ folder, port, sinkPort, keepQueue, direct }: StartOptions): string {
  const home = join(folder, 'postfix')
  const etc = join(home, 'etc')
  if (!keepQueue) rmSync(home, { recursive: true, force: true })
  for (const name of ['etc', 'spool', 'lib']) mkdirSync(join(home, name), { recursive: true })
  chmodSync(folder, 0o755)
  // Postfix insists that the data folder is its own; `postfix` is the user that Debian's package makes.
  const user = /^postfix:[^:]*:(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[1]
  if (user !== undefined) chownSync(join(home, 'lib'), Number(user), 0)
  if (existsSync('/etc/postfix/dynamicmaps.cf')) copyFileSync('/etc/postfix/dynamicmaps.cf', join(etc, 'dynamicmaps.cf'))
  writeFileSync(join(etc, 'main.cf'), mainCf(home, direct === true ? '' : `[127.0.0.1]:${sinkPort}`))
  writeFileSync(join(etc, 'master.cf'), masterCf(port))
  return etc
}

function mainCf(home: string, relayHost: string): string {
  return `compatibility_level = 3.6
# Debian's main.cf
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no
append_dot_mydomain = no
readme_directory = no
smtp_tls_CApath = /etc/ssl/certs
smtp_tls_security_level = may
smtp_tls_session_cache_database = btree:\${data_directory}/smtp_scache
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
mailbox_size_limit = 0
# an application server that relays
myhostname = app.example.test
mydestination =
alias_maps =
mynetworks = 127.0.0.0/8
relayhost = ${relayHost}
inet_interfaces = loopback-only
inet_protocols = ipv4
message_size_limit = 52428800
# where this run keeps its things
queue_directory = ${home}/spool
data_directory = ${home}/lib
maillog_file = ${home}/maillog
maillog_file_prefixes = /
`
}

/** Debian's services without those that run programs, outside the chroot, listening on our port. */
function masterCf(port: number): string {
  const source = ['/etc/postfix/master.cf', '/usr/share/postfix/master.cf.dist', '/etc/postfix/master.cf.proto'].find(existsSync)
  if (source === undefined) throw new Error('Postfix has no master.cf; install it with scripts/install-system-packages.sh')
  const services = readFileSync(source, 'utf8')
    .replace(/\n[ \t]+/g, ' ')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(/\s+/))
    .filter(([, , , , , , , command]) => command !== 'pipe')
  return services
    .map(([name, type, isPrivate, unprivileged, , ...rest]) =>
      [name === 'smtp' && type === 'inet' ? `127.0.0.1:${port}` : name, type, isPrivate, unprivileged, 'n', ...rest].join(' '),
    )
    .map((line) => `${line}\n`)
    .join('')
}
