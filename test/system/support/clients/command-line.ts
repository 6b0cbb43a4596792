/**
 * Clients that are one command a mail: swaks, msmtp, curl.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClientAnswer, GridCase, GridClient, GridTarget } from './cases.ts'
import { inParallel, type ProgramEnd, runProgram } from './run-program.ts'

const AT_ONCE = 3

const NO_SMTPUTF8 = { answer: /\b553[ -]5\.6\.7\b/ }

export const swaks: GridClient = {
  name: 'swaks',
  notAble: { smtputf8: { why: 'swaks 20201014 cannot put SMTPUTF8 behind MAIL', ...NO_SMTPUTF8 } },
  send: (cases, target) => inParallel(cases, AT_ONCE, async (one) => answer(one, await runProgram(swaksCommand(one, target)))),
}

/** The file is given as it goes over the wire (`-ndf`): swaks would take a dot line at the end for the end mark. */
function swaksCommand(one: GridCase, target: GridTarget): [string, ...string[]] {
  const wirePath = join(target.folder, `${one.id}.wire`)
  writeFileSync(wirePath, Buffer.from(`${one.content.toString('latin1').replace(/^\./gm, '..')}.`, 'latin1'))
  return [
    'swaks',
    ...['--server', '127.0.0.1', '--port', String(target.ports[one.tls]), '--ehlo', 'client.test'],
    ...['--from', one.from, '--to', one.to.join(',')],
    ...(one.tls === 'starttls' ? ['--tls'] : one.tls === 'implicit' ? ['--tls-on-connect'] : []),
    ...(one.tls === 'plain' ? [] : ['--tls-verify', '--tls-ca-path', target.caPath]),
    ...(one.login ? ['--auth', 'LOGIN', '--auth-user', target.username, '--auth-password', target.password] : []),
    ...['--no-data-fixup', '--data', `@${wirePath}`],
  ]
}

export const curl: GridClient = {
  name: 'curl',
  notAble: {},
  send: (cases, target) => inParallel(cases, AT_ONCE, async (one) => answer(one, await runProgram(curlCommand(one, target)))),
}

function curlCommand(one: GridCase, target: GridTarget): [string, ...string[]] {
  return [
    'curl',
    ...['--silent', '--show-error', '--verbose', '--max-time', '50'],
    ...['--url', `${one.tls === 'implicit' ? 'smtps' : 'smtp'}://127.0.0.1:${target.ports[one.tls]}/client.test`],
    ...(one.tls === 'plain' ? [] : ['--ssl-reqd', '--cacert', target.caPath]),
    ...(one.login ? ['--user', `${target.username}:${target.password}`] : []),
    ...['--mail-from', one.from, ...one.to.flatMap((to) => ['--mail-rcpt', to]), '--upload-file', one.crlfPath],
  ]
}

export const msmtp: GridClient = {
  name: 'msmtp',
  notAble: { smtputf8: { why: 'msmtp 1.8 knows no SMTPUTF8, whatever the server offers', ...NO_SMTPUTF8 } },
  async send(cases, target) {
    const configPath = join(target.folder, 'msmtprc')
    writeFileSync(configPath, msmtpConfig(target), { mode: 0o600 })
    return inParallel(cases, AT_ONCE, async (one) => {
      const account = `${one.tls}-${one.login ? 'login' : 'none'}`
      const input = readFileSync(one.lfPath)
      return answer(one, await runProgram(['msmtp', '-C', configPath, '-a', account, '-f', one.from, '--', ...one.to], { input }))
    })
  },
}

function msmtpConfig(target: GridTarget): string {
  const accounts = (['plain', 'starttls', 'implicit'] as const).flatMap((tls) =>
    [false, true].map((login) =>
      [
        `account ${tls}-${login ? 'login' : 'none'}`,
        'host 127.0.0.1',
        `port ${target.ports[tls]}`,
        'domain client.test',
        'set_from_header off',
        'set_date_header off',
        'set_msgid_header off',
        ...(tls === 'plain' ? ['tls off'] : ['tls on', `tls_starttls ${tls === 'starttls' ? 'on' : 'off'}`, `tls_trust_file ${target.caPath}`]),
        ...(login ? ['auth plain', `user ${target.username}`, `password ${target.password}`] : ['auth off']),
      ].join('\n'),
    ),
  )
  return `${accounts.join('\n\n')}\n`
}

function answer(one: GridCase, end: ProgramEnd): ClientAnswer {
  const text = `${end.output}\n${end.errors}`
  const refusal = /\b[45]\d\d[ -][45]\.\d+\.\d+ [^\r\n]*/.exec(text)?.[0]
  return { id: one.id, ok: end.code === 0, text: end.code === 0 ? '' : (refusal ?? `exit ${end.code}: ${text.slice(-400)}`) }
}
