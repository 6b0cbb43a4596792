/**
 * A real receiving server: Debian's Postfix on one loopback address, taking everything for one domain into a Maildir.
 *
 * Its own configuration, queue and log in a folder of the test's. Needs root, because Postfix does.
 */
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { untilGreets } from './until-greets.ts'

export interface PostfixMx {
  readonly log: () => string
  /** Files in the mailbox, as bytes. */
  readonly mails: () => readonly Buffer[]
  readonly stop: () => Promise<void>
}
export interface PostfixMxOptions {
  readonly folder: string
  readonly address: string
  readonly port: number
  /** Its name, and the domain it takes mail for. */
  readonly name: string
  readonly domain: string
  /** More lines for main.cf. */
  readonly extra?: readonly string[]
}

const VMAIL_UID = 5001

export async function startPostfixMx(options: PostfixMxOptions): Promise<PostfixMx> {
  const { folder, address, port } = options
  const etc = join(folder, 'etc')
  for (const path of [etc, join(folder, 'spool'), join(folder, 'lib'), join(folder, 'mail')]) mkdirSync(path, { recursive: true, mode: 0o755 })
  chmodSync(folder, 0o755)
  chmodSync(dirname(folder), 0o711)
  chownSync(join(folder, 'mail'), VMAIL_UID, VMAIL_UID)
  chownSync(join(folder, 'lib'), Number(execFileSync('/usr/bin/id', ['-u', 'postfix'])), 0)
  writeFileSync(join(etc, 'main.cf'), mainCf(options))
  writeFileSync(join(etc, 'master.cf'), masterCf(address, port))
  if (existsSync('/etc/postfix/dynamicmaps.cf')) cpSync('/etc/postfix/dynamicmaps.cf', join(etc, 'dynamicmaps.cf'))
  const postfix = spawn('/usr/sbin/postfix', ['-c', etc, 'start-fg'], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => postfix.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    if (postfix.exitCode === null) execFileSync('/usr/sbin/postfix', ['-c', etc, 'stop'], { stdio: 'ignore' })
    await ended
  }
  try {
    await untilGreets(address, port)
  } catch (fault) {
    await stop()
    throw fault
  }
  const mailbox = join(folder, 'mail/box/new')
  return {
    log: () => (existsSync(join(folder, 'maillog')) ? readFileSync(join(folder, 'maillog'), 'utf8') : ''),
    mails: () => (existsSync(mailbox) ? readdirSync(mailbox).map((name) => readFileSync(join(mailbox, name))) : []),
    stop,
  }
}

function mainCf({ folder, name, domain, extra = [] }: PostfixMxOptions): string {
  return `${[
    'compatibility_level = 3.6',
    `myhostname = ${name}`,
    'mydestination =',
    'alias_maps =',
    'mynetworks =',
    // The address is bound in master.cf; it is no interface's own.
    'inet_interfaces = loopback-only',
    'inet_protocols = ipv4',
    `queue_directory = ${folder}/spool`,
    `data_directory = ${folder}/lib`,
    `maillog_file = ${folder}/maillog`,
    'maillog_file_prefixes = /',
    'smtpd_relay_restrictions = reject_unauth_destination',
    `virtual_mailbox_domains = ${domain}`,
    'virtual_mailbox_maps = static:box/',
    `virtual_mailbox_base = ${folder}/mail`,
    `virtual_uid_maps = static:${VMAIL_UID}`,
    `virtual_gid_maps = static:${VMAIL_UID}`,
    ...extra,
  ].join('\n')}\n`
}

/** Only what receives and delivers locally. */
function masterCf(address: string, port: number): string {
  return `${address}:${port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`
}
