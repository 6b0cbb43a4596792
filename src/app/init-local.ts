/**
 * What `postern init` writes about mail for this machine: who its users are, and who gets root's mail.
 *
 * Root has no mailbox of its own (docs/local-delivery.md): cron's mail goes to a person, or is kept where
 * it can be read. Asks nothing.
 */
import { readFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { parseMailbox } from '../core/address.ts'
import { parseAliases } from '../rewrite/aliases-file.ts'
import { isOfProgram } from '../rewrite/system-users.ts'
import { TableFault } from '../rewrite/table-lines.ts'
import { quote } from './config-errors.ts'
import { UID_MIN_DEFAULT } from './config-schema-mailbox.ts'
import type { SystemUser } from './privileges.ts'

export type RootMail =
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'user'; readonly name: string }
  /** The alias file names somebody. */
  | { readonly kind: 'aliases' }
  /** Nobody is known: it is captured. */
  | { readonly kind: 'kept' }
export interface InitLocal {
  readonly root: RootMail
  /** Null: none is used. */
  readonly aliasesFile: string | null
  /** Into /var/mail, where a system's own mail has always been; needs to be started as root. */
  readonly mbox: boolean
  /** The name of the machine is the mail domain of its people: their mailboxes are elsewhere. */
  readonly hostnameIsMailDomain: boolean
}

/** The answer in its kind, or what is wrong with it. `staysHere`: no mail leaves this machine. */
export function readRootMail(
  text: string,
  rule: { readonly staysHere: boolean; readonly findUser: (name: string) => SystemUser | null },
): RootMail | { readonly fault: string } {
  if (text === '') return { kind: 'kept' }
  if (text.includes('@')) {
    if (parseMailbox(text, { smtputf8: true }) === null) return { fault: `${quote(text)} is no address` }
    return rule.staysHere ? { fault: `nothing leaves this machine: name a user of it, not ${quote(text)}` } : { kind: 'address', address: text }
  }
  const user = rule.findUser(text)
  if (user === null) return { fault: `there is no user ${quote(text)} on this machine; a user, or an address` }
  if (isOfProgram(user.uid, UID_MIN_DEFAULT)) return { fault: `${quote(text)} is a user of the system, which gets no mail: name a person` }
  return { kind: 'user', name: user.name }
}

/** Null: there is no such file, or it cannot be used. */
export function readAliasFile(path: string): { readonly namesRoot: boolean } | null {
  try {
    return { namesRoot: parseAliases(readFileSync(path, 'utf8')).has('root') }
  } catch (fault) {
    if (fault instanceof TableFault || (fault as NodeJS.ErrnoException).code !== undefined) return null
    throw fault
  }
}

export function domainOfAddress(text: string): string | null {
  return text.includes('@') ? text.slice(text.lastIndexOf('@') + 1).toLowerCase() : null
}

/** Blocks of the file: `local`, `aliases`, and where its own name must not be local, the rule for root. */
export function localBlocks(hostname: string, { root, aliasesFile, mbox, hostnameIsMailDomain }: InitLocal): readonly (readonly string[])[] {
  const to = root.kind === 'address' ? root.address : root.kind === 'user' ? root.name : null
  const local = {
    ...(hostnameIsMailDomain ? { domains: ['localhost'], appendDomain: hostname } : {}),
    ...(to === null ? {} : { root: to }),
    ...(mbox ? { mailbox: { format: 'mbox' } } : {}),
  }
  const whose = hostnameIsMailDomain
    ? [`# Mail for users of this machine is that for localhost only: the mailboxes of ${hostname} are elsewhere.`]
    : [`# Mail for users of this machine: for localhost and ${hostname}. Mail for others there is refused.`]
  return [
    [
      ...whose,
      ...(to === null ? [] : ["# root: who gets root's mail, such as cron's, and postmaster's."]),
      mbox ? '# mbox: it goes into /var/mail/USER; maildir: into ~/Maildir.' : '# It goes into ~/Maildir; with mailbox: { format: mbox } into /var/mail/USER.',
      stringify({ local }, { lineWidth: 0 }).trimEnd(),
    ],
    aliasesFile === null ? [] : ['# Who gets the mail of other names. Commands in it are never run.', stringify({ aliases: aliasesFile }).trimEnd()],
    hostnameIsMailDomain && root.kind !== 'kept' ? rootRule(root) : [],
  ]
}

/** Aliases and `local.root` count in local domains only. */
function rootRule(root: Exclude<RootMail, { kind: 'kept' }>): readonly string[] {
  const to = root.kind === 'address' ? root.address : root.kind === 'user' ? `${root.name}@localhost` : 'root@localhost'
  return [
    '# Names without domain get the name above; root is still the root of this machine.',
    stringify({ rewrite: { recipients: [{ map: { root: to } }] } }).trimEnd(),
  ]
}

/** The route of root's mail where nobody is known who gets it; empty: somebody is. */
export function keptRootRoute(hostname: string, { root, hostnameIsMailDomain }: InitLocal): readonly string[] {
  if (root.kind !== 'kept') return []
  const better = hostnameIsMailDomain ? 'rewrite: { recipients: [{ map: { root: you@example.com } }] }' : 'postern config set local.root you@example.com'
  return [
    "  # Nobody was named for root's mail, such as cron's: it is kept here, to be read with postern captured list.",
    `  # Better name somebody: ${better}`,
    `  - to: [root@${hostname}, root@localhost]`,
    '    via: capture',
  ]
}
