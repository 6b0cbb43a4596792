/**
 * Whose mail it is, for fairness: the login, else the reverse-path without its tag.
 *
 * A sender that puts a new tag into each reverse-path (VERP: `bounce+4711@`, `bounce=a=b@`)
 * is one submitter, else each of its messages would count as an application of its own.
 */
import type { ReversePath } from './envelope.ts'

export function submitterOf(login: string | null, reversePath: ReversePath): string {
  if (login !== null) return `login:${login}`
  if (reversePath.kind === 'null') return '<>'
  const { localPart, domain } = reversePath.mailbox
  const untagged = localPart.replace(/^([^+=]+)[+=].*$/, '$1').toLowerCase()
  return `${untagged}@${typeof domain === 'string' ? domain : `[${domain.addressLiteral}]`}`
}
