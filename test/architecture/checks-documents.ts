/** Checks that documents and code agree: RFCs, files named in tables, history events, the glossary. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { EVENT_KINDS } from '../../src/core/event.ts'
import { STATE_KINDS } from '../../src/core/recipient-state.ts'
import { countLines, type ParsedFile, ROOT, readText } from './tree.ts'
import type { Violation } from './violation.ts'

const RFC_MAP = 'docs/rfc-map.md'

/** Each RFC that a source names has its line in the map. */
export function checkRfcMap(files: readonly ParsedFile[]): readonly Violation[] {
  const known = new Set([...readText(RFC_MAP).matchAll(/^\|\s*(?:RFC )?(\d{3,5})\b/gm)].map((match) => match[1]))
  return files.flatMap((file) =>
    [...file.text.matchAll(/\bRFC[ -]?(\d{3,5})\b/g)]
      .filter((match) => !known.has(match[1]))
      .map(
        (match) =>
          ({
            rule: 'documents',
            path: file.path,
            line: countLines(file.text.slice(0, match.index + 1)),
            what: match[0],
            text: `${match[0]} is not in ${RFC_MAP}`,
          }) as const,
      ),
  )
}

/** A file that a document names in backticks is there. */
export function checkNamedFiles(documents: readonly string[]): readonly Violation[] {
  return documents.flatMap((path) =>
    [...readText(path).matchAll(/`((?:src|test|bench|docs|scripts|bin)\/[\w./-]+\.(?:ts|mjs|md|sh|smtp))`/g)]
      .filter((match) => !existsSync(join(ROOT, match[1] ?? '')))
      .map(
        (match) =>
          ({
            rule: 'documents',
            path,
            line: countLines(readText(path).slice(0, match.index + 1)),
            what: match[1] ?? '',
            text: `${match[1]} does not exist`,
          }) as const,
      ),
  )
}

/** docs/queue.md says of each kind of history line what it means, and of each state. */
export function checkQueueDocument(): readonly Violation[] {
  return [...EVENT_KINDS, ...STATE_KINDS]
    .filter((kind) => !new RegExp(`^\\|[^|]*\`${kind}\``, 'm').test(readText('docs/queue.md')))
    .map((kind) => ({ rule: 'documents', path: 'docs/queue.md', line: 1, what: kind, text: `says nothing of \`${kind}\` in a table` }))
}

export function checkGlossary(terms: readonly string[]): readonly Violation[] {
  const text = readText('docs/glossary.md')
  return terms
    .filter((term) => !text.includes(`**${term}**`))
    .map((term) => ({ rule: 'documents', path: 'docs/glossary.md', line: 1, what: term, text: `has no line for **${term}**` }))
}

/** A note of something left to do names its issue. */
export function checkTodos(files: readonly ParsedFile[]): readonly Violation[] {
  return files.flatMap((file) =>
    [...file.text.matchAll(/\b(?:TODO|FIXME|XXX)\b(?! ?\(#\d+\))/g)].map(
      (match) =>
        ({
          rule: 'documents',
          path: file.path,
          line: countLines(file.text.slice(0, match.index + 1)),
          what: match[0],
          text: `${match[0]} without an issue number`,
        }) as const,
    ),
  )
}
