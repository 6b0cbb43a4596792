/**
 * `/etc/aliases` as sendmail and Postfix read it (aliases(5)): `name: target, target`.
 *
 * Targets that are commands (`|command`) or files (`/path`) are read and refused: they are never run or
 * written, and what they were meant for is told in the log. `:include:` is given out for the caller to read, for
 * this knows no files. Names compare without case.
 */
import { readTableLines, TableFault } from './table-lines.ts'
import { parseTarget, splitList, TARGETS_MAX, type Target } from './target.ts'

export type AliasTarget = Target | { readonly kind: 'include'; readonly path: string }
/** Names in lower case. */
export type AliasTable = ReadonlyMap<string, readonly Target[]>
export type RawAliases = ReadonlyMap<string, readonly AliasTarget[]>

/** Throws `TableFault`. */
export function parseAliases(text: string): RawAliases {
  const aliases = new Map<string, readonly AliasTarget[]>()
  for (const { number, text: line } of readTableLines(text)) {
    const [, quoted, plain, value = ''] = /^(?:"((?:\\.|[^"\\])*)"|([^\s:"]+))\s*:\s*(.*)$/su.exec(line) ?? []
    const name = quoted === undefined ? plain : unquote(quoted)
    if (name === undefined || name === '') throw new TableFault(number, 'NAME: TARGET is wanted')
    if (name.includes('@'))
      throw new TableFault(number, `${JSON.stringify(name)}: an alias is a name of this machine; addresses stand under rewrite.recipients`)
    const targets = parseAliasTargets(value, number)
    if (targets.length === 0) throw new TableFault(number, `${JSON.stringify(name)} leads nowhere`)
    aliases.set(name.toLowerCase(), targets)
  }
  return aliases
}

/** An included file: targets, several in a line or one in each; comments as in tables. Throws `TableFault`. */
export function parseIncluded(text: string): readonly AliasTarget[] {
  const targets = readTableLines(text).flatMap(({ number, text: line }) => parseAliasTargets(line, number))
  if (targets.length > TARGETS_MAX) throw new TableFault(null, `more than ${TARGETS_MAX} targets`)
  return targets
}

function parseAliasTargets(value: string, line: number): readonly AliasTarget[] {
  const texts = splitList(value)
  if (texts.length > TARGETS_MAX) throw new TableFault(line, `more than ${TARGETS_MAX} targets`)
  return texts.map((text) => parseAliasTarget(text, line))
}

function parseAliasTarget(written: string, line: number): AliasTarget {
  // `"|command args"`, `"/path with space"` and `"first last"` are quoted as a whole; `"a b"@domain` is not.
  const whole = /^"((?:\\.|[^"\\])*)"$/su.exec(written)?.[1]
  const text = whole === undefined ? written : unquote(whole)
  if (text.startsWith('|')) return { kind: 'off', what: 'a command, and commands are never run' }
  if (text.startsWith('/')) return { kind: 'off', what: 'a file, and mail is never written to files by aliases' }
  if (/^:include:/i.test(text)) return { kind: 'include', path: text.slice(':include:'.length).trim() }
  const target = parseTarget(text)
  if (target === null || target.kind === 'domain') throw new TableFault(line, `${JSON.stringify(written)} is no address`)
  return target
}

function unquote(text: string): string {
  return text.replace(/\\(.)/gsu, '$1')
}

/** Where an included file's targets go; throws `TableFault` if it cannot be had. */
export type ReadIncluded = (path: string) => string

export interface IncludeLimits {
  /** Null: not allowed by the configuration. */
  readonly read: ReadIncluded | null
  readonly depthMax: number
}

/** Puts what is included in its place. A file that includes itself, or cannot be read, is a fault of the whole table. */
export function resolveIncludes(raw: RawAliases, limits: IncludeLimits): AliasTable {
  return new Map([...raw].map(([name, targets]) => [name, resolveEntry(name, targets, limits)]))
}

function resolveEntry(name: string, entry: readonly AliasTarget[], { read, depthMax }: IncludeLimits): readonly Target[] {
  const found: Target[] = []
  const add = (targets: readonly AliasTarget[], open: readonly string[]): void => {
    for (const target of targets) {
      // Counted as it grows: files that include each other often would make more than any memory holds.
      if (found.length >= TARGETS_MAX) throw new TableFault(null, `${JSON.stringify(name)} leads to more than ${TARGETS_MAX} targets`)
      if (target.kind !== 'include') found.push(target)
      else if (read === null) found.push({ kind: 'off', what: `:include:${target.path}, and aliases.include does not allow it` })
      else if (open.includes(target.path)) throw new TableFault(null, `${target.path} includes itself`)
      else if (open.length >= depthMax) throw new TableFault(null, `${target.path} is included more than ${depthMax} deep`)
      else add(readNamed(read, target.path), [...open, target.path])
    }
  }
  add(entry, [])
  return found
}

function readNamed(read: ReadIncluded, path: string): readonly AliasTarget[] {
  try {
    return parseIncluded(read(path))
  } catch (fault) {
    if (fault instanceof TableFault) throw new TableFault(null, `${path}: ${fault.message}`)
    throw fault
  }
}
