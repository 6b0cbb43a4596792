/**
 * A real relay: Debian's Postfix that demands STARTTLS and a SASL login which owns the sender,
 * checked by Dovecot, delivering into a Maildir.
 *
 * Its own configuration, queue and log in a folder of the test's; ends with the test. Needs root,
 * because Postfix does.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { appendFileSync, chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { untilListening } from '../../bars/support/server.ts'
import type { TestCa } from './certificates.ts'

export interface RelayUser {
  readonly username: string
  readonly password: string
  /** Reverse-paths that this login owns. */
  readonly senders: readonly string[]
}
export interface PostfixRelay {
  readonly port: number
  readonly name: string
  readonly log: () => string
  /** Folder with the delivered mails, one a file; made by the first delivery. */
  readonly mailbox: string
  /** Mails that it has accepted and not yet delivered: a 250 of Postfix is not yet a file in the mailbox. */
  readonly queued: () => number
  /** Files in the mailbox, as bytes. */
  readonly mails: () => readonly Buffer[]
  readonly stop: () => Promise<void>
}
export interface RelayOptions {
  readonly folder: string
  readonly port: number
  readonly ca: TestCa
  readonly users: readonly RelayUser[]
  /** More lines for main.cf. */
  readonly extra?: readonly string[]
}

const NAME = 'relay.test'
const VMAIL_UID = 5000

export async function startPostfixRelay(options: RelayOptions): Promise<PostfixRelay> {
  const { folder, port } = options
  const etc = join(folder, 'etc')
  const spool = join(folder, 'spool')
  for (const path of [etc, spool, join(folder, 'lib'), join(folder, 'mail'), join(folder, 'dovecot')]) mkdirSync(path, { recursive: true, mode: 0o755 })
  chmodSync(folder, 0o755)
  // Postfix and the mailbox's user pass through the test's folder, which is its owner's alone.
  chmodSync(dirname(folder), 0o711)
  chownSync(join(folder, 'mail'), VMAIL_UID, VMAIL_UID)
  chownSync(join(folder, 'lib'), idOf('postfix'), 0)
  const certificate = options.ca.issue('relay', [NAME, '127.0.0.1'])
  writeFileSync(join(etc, 'main.cf'), mainCf(options, certificate))
  writeFileSync(join(etc, 'logins'), `${options.users.flatMap((user) => user.senders.map((sender) => `${sender} ${user.username}`)).join('\n')}\n`)
  if (existsSync('/etc/postfix/dynamicmaps.cf')) cpSync('/etc/postfix/dynamicmaps.cf', join(etc, 'dynamicmaps.cf'))
  writeFileSync(join(etc, 'master.cf'), masterCf(port))
  const dovecot = startDovecot(folder, options.users)
  await untilExists(join(spool, 'private/auth'), spool)
  const postfix = spawn('/usr/sbin/postfix', ['-c', etc, 'start-fg'], { stdio: ['ignore', 'ignore', 'ignore'] })
  const stop = async (): Promise<void> => {
    await ended(postfix, () => execFileSync('/usr/sbin/postfix', ['-c', etc, 'stop'], { stdio: 'ignore' }))
    await ended(dovecot, () => dovecot.kill('SIGTERM'))
  }
  try {
    await untilListening(port, 20_000)
  } catch (fault) {
    await stop()
    throw fault
  }
  const mailbox = join(folder, 'mail/box/new')
  return {
    port,
    name: NAME,
    mailbox,
    // In the order in which a mail passes through them, so that none is missed on its way from one to the next.
    queued: () => ['incoming', 'active', 'deferred'].reduce((sum, queue) => sum + countFiles(join(spool, queue)), 0),
    log: () => (existsSync(join(folder, 'maillog')) ? readFileSync(join(folder, 'maillog'), 'utf8') : ''),
    mails: () =>
      existsSync(mailbox)
        ? readdirSync(mailbox)
            .sort()
            .map((name) => readFileSync(join(mailbox, name)))
        : [],
    stop,
  }
}

function mainCf(options: RelayOptions, certificate: { certPath: string; keyPath: string }): string {
  const { folder } = options
  return [
    'compatibility_level = 3.6',
    `myhostname = ${NAME}`,
    'mydestination =',
    'alias_maps =',
    'mynetworks =',
    'inet_interfaces = loopback-only',
    'inet_protocols = ipv4',
    'smtputf8_enable = yes',
    'message_size_limit = 52428800',
    `queue_directory = ${folder}/spool`,
    `data_directory = ${folder}/lib`,
    `maillog_file = ${folder}/maillog`,
    'maillog_file_prefixes = /',
    `smtpd_tls_cert_file = ${certificate.certPath}`,
    `smtpd_tls_key_file = ${certificate.keyPath}`,
    'smtpd_tls_security_level = encrypt',
    'smtpd_tls_loglevel = 1',
    'smtpd_sasl_auth_enable = yes',
    'smtpd_sasl_type = dovecot',
    'smtpd_sasl_path = private/auth',
    'smtpd_sasl_security_options = noanonymous',
    `smtpd_sender_login_maps = texthash:${folder}/etc/logins`,
    'smtpd_relay_restrictions = reject_sender_login_mismatch permit_sasl_authenticated reject',
    'virtual_mailbox_domains = static:all',
    'virtual_mailbox_maps = static:box/',
    `virtual_mailbox_base = ${folder}/mail`,
    `virtual_uid_maps = static:${VMAIL_UID}`,
    `virtual_gid_maps = static:${VMAIL_UID}`,
    'virtual_mailbox_limit = 0',
    ...(options.extra ?? []),
    '',
  ].join('\n')
}

/** Debian's services without chroot, SMTP on a loopback port. */
function masterCf(port: number): string {
  const kept: string[] = []
  let keeping = false
  for (const line of readFileSync('/usr/share/postfix/master.cf.dist', 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    if (/^\s/.test(line)) {
      if (keeping) kept.push(line)
      continue
    }
    const fields = line.split(/\s+/)
    keeping = fields[7] !== 'pipe'
    if (!keeping) continue
    if (fields[0] === 'smtp' && fields[1] === 'inet') fields[0] = `127.0.0.1:${port}`
    fields[4] = 'n'
    kept.push(fields.join(' '))
  }
  return `${kept.join('\n')}\n`
}

function startDovecot(folder: string, users: readonly RelayUser[]): ChildProcess {
  const conf = join(folder, 'dovecot/dovecot.conf')
  writeFileSync(join(folder, 'dovecot/users'), users.map((user) => `${user.username}:{PLAIN}${user.password}\n`).join(''), { mode: 0o644 })
  mkdirSync(join(folder, 'spool/private'), { recursive: true, mode: 0o700 })
  chownSync(join(folder, 'spool/private'), idOf('postfix'), 0)
  writeFileSync(
    conf,
    `protocols =
base_dir = ${folder}/dovecot/run
state_dir = ${folder}/dovecot/state
log_path = ${folder}/dovecot/log
auth_mechanisms = plain login cram-md5
disable_plaintext_auth = no
ssl = no
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
passdb {
  driver = passwd-file
  args = username_format=%u ${folder}/dovecot/users
}
service auth {
  unix_listener ${folder}/spool/private/auth {
    mode = 0666
  }
}
service stats {
  chroot =
}
`,
  )
  appendFileSync(join(folder, 'dovecot/log'), '')
  return spawn('/usr/sbin/dovecot', ['-F', '-c', conf], { stdio: 'ignore' })
}

function countFiles(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length
}

async function untilExists(path: string, what: string): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (existsSync(path)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${path} did not appear in ${what}`)
}

async function ended(child: ChildProcess, stop: () => void): Promise<void> {
  if (child.exitCode !== null) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  stop()
  await exit
}

function idOf(user: string): number {
  return Number(execFileSync('id', ['-u', user], { encoding: 'utf8' }))
}
