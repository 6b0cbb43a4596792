/**
 * Names of the system's users, from /etc/passwd as passwd(5) describes it.
 *
 * Only names are taken: whose mailbox is where is the mailbox transport's to know. Lines that are none
 * (`+::::::` of NIS, comments) are passed over, as libc does.
 */
import { TableFault } from './table-lines.ts'

const NAME = /^[A-Za-z0-9_][^\s:,/\p{Cc}]{0,63}$/u

/** Names by their lower case. Throws `TableFault` if there is not one: an empty table would refuse all mail. */
export function parsePasswd(text: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>()
  for (const line of text.split('\n')) {
    const name = line.slice(0, Math.max(0, line.indexOf(':')))
    if (NAME.test(name) && !users.has(name.toLowerCase())) users.set(name.toLowerCase(), name)
  }
  if (users.size === 0) throw new TableFault(null, 'holds no users')
  return users
}
