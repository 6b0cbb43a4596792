/**
 * Names of the system's users, from /etc/passwd as passwd(5) describes it, and which of them are no people.
 *
 * Only names are taken: whose mailbox is where is the mailbox transport's to know. Lines that are none
 * (`+::::::` of NIS, comments) are passed over, as libc does.
 */
import { TableFault } from './table-lines.ts'

const NAME = /^[A-Za-z0-9_][^\s:,/\p{Cc}]{0,63}$/u
/** The kernel's overflow user: it has no home on any system. */
const NOBODY = 65_534

export interface SystemUsers {
  /** As the system spells them, by their lower case. */
  readonly names: ReadonlyMap<string, string>
  /** Users of programs, which get no mail, in lower case. */
  readonly programs: ReadonlySet<string>
}
/** Who is no program: numbers from `uidMin`, and those `named`. */
export interface PeopleRule {
  readonly uidMin: number
  readonly named: readonly string[]
}

/** Whether a number is that of a program, not of a person; root's is, too. */
export function isOfProgram(uid: number, uidMin: number): boolean {
  return uid < uidMin || uid === NOBODY
}

/** Throws `TableFault` if there is not one: an empty table would refuse all mail. Root is neither person nor program. */
export function parsePasswd(text: string, { uidMin, named }: PeopleRule): SystemUsers {
  const names = new Map<string, string>()
  const programs = new Set<string>()
  for (const line of text.split('\n')) {
    const [name = '', , uid = ''] = line.split(':', 3)
    const key = name.toLowerCase()
    if (!line.includes(':') || !NAME.test(name) || names.has(key)) continue
    names.set(key, name)
    const number = Number(uid)
    if (/^[1-9]\d*$/.test(uid) && isOfProgram(number, uidMin) && !named.includes(name)) programs.add(key)
  }
  if (names.size === 0) throw new TableFault(null, 'holds no users')
  return { names, programs }
}
