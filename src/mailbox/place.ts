/**
 * Where a user's mailbox is: a template of the configuration, filled in from the user database alone.
 *
 * No octet of an address ever gets here (M01). `%h` is the home folder and stands only in front, `%u`
 * the user's name; everything else is as it was written by whoever wrote the configuration. Pure.
 */
export interface MailboxPlace {
  /** The system's: it exists, links in it are the administrator's. */
  readonly base: string
  /** Below it, the user's own: never through a link, made if missing. The last one is the mailbox. */
  readonly own: readonly [string, ...string[]]
}
export interface PlaceUser {
  /** As the user database spells it. */
  readonly name: string
  /** Absolute. */
  readonly home: string
}

export const USER_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/

/** What is wrong with a template, as a sentence; null: nothing. */
export function templateFault(template: string): string | null {
  const parts = partsOf(template)
  if (/\p{Cc}/u.test(template)) return 'holds a control character'
  if (!template.startsWith('/') && parts[0] !== '%h' && parts[0] !== '~') return 'must begin with ~/, %h/ or /'
  if (parts.some((part) => part === '.' || part === '..')) return 'must not hold . or ..'
  if (parts.slice(1).some((part) => part.includes('%h') || part === '~')) return 'may have the home folder only in front'
  if (/%(?![uh])/.test(template)) return 'may hold only %u (the user) and %h (the home folder)'
  if (parts[0] === '%h' || parts[0] === '~') return parts.length < 2 ? 'must name something in the home folder' : null
  return parts.some((part) => part.includes('%u')) ? null : 'must hold %u or begin with the home folder, or all users would share it'
}

/** Throws if the template or the user is none that could have been let through. */
export function placeOf(template: string, user: PlaceUser): MailboxPlace {
  const fault = templateFault(template)
  if (fault !== null) throw new Error(`the path ${template} ${fault}`)
  if (!USER_NAME.test(user.name) || !user.home.startsWith('/') || user.home.includes('\0')) throw new Error('no user of the user database')
  const parts = partsOf(template)
  const inHome = parts[0] === '%h' || parts[0] === '~'
  const first = inHome ? 1 : parts.findIndex((part) => part.includes('%u'))
  const [one, ...more] = parts.slice(first).map((part) => part.replaceAll('%u', user.name))
  if (one === undefined) throw new Error('a template without an end')
  return { base: inHome ? user.home : `/${parts.slice(0, first).join('/')}`, own: [one, ...more] }
}

/** The folder that all mailboxes stand in, if there is one: `/var/mail`; null: each is in its user's home. */
export function spoolOf(template: string): string | null {
  const parts = partsOf(template)
  return template.startsWith('/') && parts.at(-1)?.includes('%u') === true && !parts.slice(0, -1).some((part) => part.includes('%u'))
    ? `/${parts.slice(0, -1).join('/')}`
    : null
}

function partsOf(template: string): readonly string[] {
  return template.split('/').filter((part) => part !== '')
}
