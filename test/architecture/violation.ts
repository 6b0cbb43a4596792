/** What a check finds, and which of it the list of exceptions allows. */
import { compileGlob } from '../../src/core/pattern.ts'
import type { Exception } from './rules.ts'

export interface Violation {
  readonly rule: Exception['rule'] | 'documents' | 'state-tables' | 'assigned-function'
  readonly path: string
  readonly line: number
  /** What an exception would have to name. */
  readonly what: string
  readonly text: string
}

function covers(exception: Exception, violation: Violation): boolean {
  const { where, what } = exception
  const here = where === '*' || where === violation.path || (where.endsWith('/') && violation.path.startsWith(where))
  return here && exception.rule === violation.rule && compileGlob(what)(violation.what)
}

/** One line each: `src/a.ts:3 what is wrong`; those with an exception are left out. */
export function remaining(violations: readonly Violation[], exceptions: readonly Exception[]): readonly string[] {
  return violations
    .filter((violation) => !exceptions.some((exception) => covers(exception, violation)))
    .map((violation) => `${violation.path}:${violation.line} ${violation.text}`)
}

export function unused(violations: readonly Violation[], exceptions: readonly Exception[]): readonly string[] {
  return exceptions
    .filter((exception) => !violations.some((violation) => covers(exception, violation)))
    .map(({ rule, where, what }) => `the exception ${rule} ${where} ${what} is not needed any more`)
}
