/**
 * `config set` and `config unset` without the terminal: what the new text would be, and whether it
 * may be written.
 *
 * Refused is what brings in an error that was not there before, so that a file with several faults
 * can be repaired key by key.
 */
import { parse } from 'yaml'
import { examine, type LoadRequest } from './config.ts'
import { setInText, unsetInText } from './config-edit.ts'
import { type ConfigProblem, formatProblem, quote } from './config-errors.ts'
import { keysAt, schemaAt } from './config-json-schema.ts'
import { type KeyPath, parseKeyPath } from './config-path.ts'
import { parseConfigText } from './config-yaml.ts'
import { nearest } from './nearest.ts'

export type ConfigChange =
  | { readonly kind: 'changed'; readonly text: string; readonly warnings: readonly ConfigProblem[] }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly problems: readonly ConfigProblem[] }
  | { readonly kind: 'no-such-key'; readonly message: string }

/** `value` as typed: a text where the schema wants one, else YAML (`[a, b]`, `{ file: x }`, `true`). */
export function changeConfig(text: string, file: string, act: { readonly key: string; readonly value: string | null }, request: LoadRequest): ConfigChange {
  const path = parseKeyPath(act.key)
  if (path === null || path.length === 0) return { kind: 'no-such-key', message: `${quote(act.key)} is no key` }
  // What cannot be read cannot be changed without losing something.
  if (parseConfigText(text).faults.length > 0) return { kind: 'refused', problems: examine(text, file, request).problems }
  const unknown = unknownStep(path)
  if (unknown !== null && act.value !== null) return { kind: 'no-such-key', message: unknown }
  let next: string | null
  try {
    next = act.value === null ? unsetInText(text, path) : setInText(text, path, typedValue(path, act.value))
  } catch (fault) {
    if (!(fault instanceof RangeError)) throw fault
    return { kind: 'no-such-key', message: fault.message }
  }
  if (next === null) return { kind: 'no-such-key', message: `${act.key} is not set in this file` }
  return judgeChange(text, next, file, request)
}

/** Whether one text may take the place of the other. */
export function judgeChange(text: string, next: string, file: string, request: LoadRequest): Exclude<ConfigChange, { readonly kind: 'no-such-key' }> {
  if (next === text) return { kind: 'unchanged' }
  const { problems } = examine(next, file, { ...request, checkFiles: false })
  const before = new Set(examine(text, file, { ...request, checkFiles: false }).problems.map(identity))
  const errors = problems.filter((problem) => problem.severity === 'error' && !before.has(identity(problem)))
  if (errors.length > 0) return { kind: 'refused', problems: errors }
  return { kind: 'changed', text: next, warnings: problems.filter((problem) => !before.has(identity(problem))) }
}

/** Apart from its place, which moves with every line. */
function identity(problem: ConfigProblem): string {
  return formatProblem({ ...problem, file: null, line: null, column: null })
}

function unknownStep(path: KeyPath): string | null {
  const depth = path.findIndex((_, at) => schemaAt(path.slice(0, at + 1)) === null)
  if (depth === -1) return null
  const known = keysAt(path.slice(0, depth))
  const near = nearest(String(path[depth]), known)
  const where = depth === 0 ? '' : ` under ${path.slice(0, depth).join('.')}`
  return `there is no key ${quote(String(path[depth]))}${where}${known.length === 0 || near !== null ? '' : `; one of ${known.join(', ')}`}.${near === null ? '' : ` Did you mean ${quote(near)}?`}`
}

function typedValue(path: KeyPath, typed: string): unknown {
  const node = schemaAt(path)
  const takesOnlyText = node?.type === 'string' && node.items === undefined && node.properties === undefined
  if (takesOnlyText) return typed
  try {
    return parse(typed, { prettyErrors: false })
  } catch {
    // `[smtp.example.com]:587` and `*@example.com` are no YAML: they are meant as they stand.
    return typed
  }
}
