/**
 * Dovecot that takes mail by LMTP, over TCP and a Unix socket, into Maildirs of users that only it knows.
 */
import { spawn } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { untilListening } from '../../bars/support/server.ts'
import { until } from '../../bars/support/verdict.ts'

export interface DovecotLmtp {
  readonly port: number
  readonly socket: string
  /** Mails of a user, as bytes. */
  mails(user: string): readonly Buffer[]
  log(): string
  stop(): Promise<void>
}

const VMAIL_UID = 5000

/** `folder` must let others pass. Every user may keep 200 KB. */
export async function startDovecotLmtp(folder: string, port: number, users: readonly string[]): Promise<DovecotLmtp> {
  const home = join(folder, 'dovecot')
  for (const path of [home, join(home, 'mail')]) mkdirSync(path, { recursive: true, mode: 0o755 })
  chownSync(join(home, 'mail'), VMAIL_UID, VMAIL_UID)
  chmodSync(home, 0o755)
  writeFileSync(join(home, 'users'), users.map((user) => `${user}:::::::\n`).join(''))
  writeFileSync(join(home, 'log'), '')
  const socket = join(home, 'run/lmtp')
  writeFileSync(
    join(home, 'dovecot.conf'),
    `protocols = lmtp
base_dir = ${home}/run
state_dir = ${home}/state
log_path = ${home}/log
ssl = no
mail_location = maildir:${home}/mail/%n
mail_uid = ${VMAIL_UID}
mail_gid = ${VMAIL_UID}
first_valid_uid = ${VMAIL_UID}
default_internal_user = dovecot
auth_username_format = %Ln
mail_plugins = $mail_plugins quota
quota_full_tempfail = yes
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=200k
}
userdb {
  driver = passwd-file
  args = username_format=%n ${home}/users
}
passdb {
  driver = passwd-file
  args = username_format=%n ${home}/users
}
service lmtp {
  unix_listener lmtp {
    mode = 0666
  }
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${port}
  }
}
protocol lmtp {
  postmaster_address = postmaster@store.test
  hostname = store.test
}
`,
  )
  const child = spawn('/usr/sbin/dovecot', ['-F', '-c', join(home, 'dovecot.conf')], { stdio: 'ignore' })
  const log = () => readFileSync(join(home, 'log'), 'utf8')
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await exited
  }
  try {
    await Promise.all([untilListening(port, 20_000), until('the socket is there', () => existsSync(socket), 20_000)])
  } catch (fault) {
    await stop()
    throw new Error(`dovecot did not start: ${log()}`, { cause: fault })
  }
  chmodSync(join(home, 'run'), 0o755)
  const box = (user: string): string => join(home, 'mail', user, 'new')
  return {
    port,
    socket,
    mails: (user) => (existsSync(box(user)) ? readdirSync(box(user)).map((name) => readFileSync(join(box(user), name))) : []),
    log,
    stop,
  }
}
