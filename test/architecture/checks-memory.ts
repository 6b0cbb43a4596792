/**
 * What V8 does to memory under load, where reading the code does not show it.
 */
import type { ParsedFile } from './tree.ts'
import type { Violation } from './violation.ts'

/** Folders that every message passes through. */
const HOT_FOLDERS: ReadonlySet<string> = new Set(['core', 'smtp', 'message', 'intake', 'delivery', 'transports', 'store', 'net', 'tls'])
const ASSIGNED_FUNCTION = /[\w)\]]\.#?\w+ (\?\?)?= (async )?(function\b|(\([^()]*\)|\w+)(: [\w<>[\]| ]+)? =>)/

/** V8 makes a function old at birth that is written behind the `=` of a property; all it knows then waits for a full collection. */
export function checkAssignedFunctions(files: readonly ParsedFile[]): readonly Violation[] {
  return files
    .filter((file) => HOT_FOLDERS.has(file.folder))
    .flatMap((file) =>
      file.text.split('\n').flatMap((line, index) => {
        const text = 'a function is assigned to a property where it is written: give it a name first'
        return assignsFunction(line) ? [{ rule: 'assigned-function', path: file.path, line: index + 1, what: line.trim(), text }] : []
      }),
    )
}

export function assignsFunction(line: string): boolean {
  return ASSIGNED_FUNCTION.test(line)
}
