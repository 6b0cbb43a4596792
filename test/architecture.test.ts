/**
 * The rules of ARCHITECTURE.md and CONTRIBUTING.md that a machine can check.
 *
 * Each test lists every place that breaks its rule. The rules and their exceptions are data:
 * `test/architecture/rules.ts`.
 */
import { describe, expect, it } from 'vitest'
import { TRANSITIONS } from '../src/core/recipient-state.ts'
import { SESSION } from '../src/smtp/client-machine.ts'
import { AFTER_CONTENT, DIALOGUE } from '../src/smtp/server-machine.ts'
import { checkGlossary, checkNamedFiles, checkQueueDocument, checkRfcMap, checkTodos } from './architecture/checks-documents.ts'
import { checkCycles, checkGlobals, checkImports } from './architecture/checks-imports.ts'
import { assignsFunction, checkAssignedFunctions } from './architecture/checks-memory.ts'
import { checkWords, wordsOf } from './architecture/checks-names.ts'
import { checkFileLines, checkFunctions, checkHeaders, checkInheritance, checkTopLevel } from './architecture/checks-shape.ts'
import { checkTable } from './architecture/checks-tables.ts'
import { EXCEPTIONS } from './architecture/rules.ts'
import { filesBelow, parseSources } from './architecture/tree.ts'
import { remaining, unused, type Violation } from './architecture/violation.ts'

const sources = parseSources()
const code = ['src', 'test', 'bench', 'scripts', 'bin'].flatMap((folder) => filesBelow(folder, ['.ts', '.mjs']))
const documents = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', ...filesBelow('docs', ['.md'])]
const TERMS = [
  'envelope',
  'reverse-path',
  'recipient',
  'submitter',
  'queue id',
  'history',
  'smarthost',
  'lane',
  'session',
  'attempt',
  'reply',
  'outcome',
  'deferral',
  'expiry',
  'DSN',
  'lease',
]

function expectNone(violations: readonly Violation[]): void {
  expect(remaining(violations, EXCEPTIONS).join('\n')).toBe('')
}

describe('architecture', () => {
  it('imports follow the table', () => expectNone(checkImports(sources)))
  it('imports never go round', () => expectNone(checkCycles(sources)))
  it('time, chance, network and terminal are asked for only where they may be', () => expectNone(checkGlobals(sources)))
  it('files are short enough', () => expectNone(checkFileLines(code)))
  it('functions are short enough and take few parameters', () => expectNone(checkFunctions(sources)))
  it('every source opens with a short header comment', () => expectNone(checkHeaders(sources.map((file) => file.path))))
  it('modules hold no state and do nothing when imported', () => expectNone(checkTopLevel(sources)))
  it('no class inherits but an error', () => expectNone(checkInheritance(sources)))
  it('functions on the way of a message have a name before they are assigned', () => expectNone(checkAssignedFunctions(sources)))
  it('names say something', () => expectNone(checkWords(sources)))
  it('the table of recipient states is closed and every state can be reached', () =>
    expectNone(checkTable('src/core/recipient-state.ts', 'TRANSITIONS', TRANSITIONS)))
  it('the table of the server dialogue is closed and every state can be reached', () => {
    const ways = Object.entries(DIALOGUE).map(([state, cells]) => {
      const next = Object.entries(cells).flatMap(([verb, cell]) =>
        cell.kind === 'run'
          ? [
              [`${verb}+`, cell.accepted],
              [`${verb}-`, cell.refused],
            ]
          : [],
      )
      return [state, Object.fromEntries(next)] as const
    })
    expectNone(checkTable('src/smtp/server-machine.ts', 'DIALOGUE', { ...Object.fromEntries(ways), content: { end: AFTER_CONTENT }, closing: {} }))
  })
  it('the table of the client session is closed and every state can be reached', () => expectNone(checkTable('src/smtp/client-machine.ts', 'SESSION', SESSION)))
  it('every exception is still needed', () => {
    const all = [
      checkImports(sources),
      checkCycles(sources),
      checkGlobals(sources),
      checkFileLines(code),
      checkFunctions(sources),
      checkTopLevel(sources),
      checkInheritance(sources),
      checkWords(sources),
    ]
    expect(unused(all.flat(), EXCEPTIONS).join('\n')).toBe('')
  })
})

describe('documents', () => {
  it('every RFC that the code names is in the map', () => expectNone(checkRfcMap(sources)))
  it('every file that a document names is there', () => expectNone(checkNamedFiles(documents)))
  it('every kind of history line and every state is explained', () => expectNone(checkQueueDocument()))
  it('the glossary has the words of the code', () => expectNone(checkGlossary(TERMS)))
  it('what is left to do names its issue', () => expectNone(checkTodos(sources)))
})

describe('the checks themselves', () => {
  it('split identifiers into words', () => {
    expect(wordsOf('parseTLSData')).toEqual(['parse', 'tls', 'data'])
    expect(wordsOf('#onDrain')).toEqual(['on', 'drain'])
  })
  it('see a state that nothing leads to, and a way that leads nowhere', () => {
    const found = checkTable('x.ts', 'T', { a: { go: 'b' }, b: { go: 'gone' }, lonely: {} })
    expect(found.map((one) => one.text)).toEqual(['T: no way leads to lonely', 'T: gone is not in the table'])
  })
  it('see a function that is assigned where it is written, and nothing else', () => {
    const written = [
      'ride.stop = () => 1',
      'this.#stop = (fault) => reject(fault)',
      'a[0].stop ??= async (x: string): Promise<void> => {',
      'it.stop = fault => 1',
    ]
    const others = [
      'const stop = () => 1',
      'ride.stop = stop',
      'this.#rest = parts.map((part) => part.rest)',
      'this.#cancel = clock.after(1, () => 1)',
      'x.y >= z',
    ]
    expect(written.filter((line) => !assignsFunction(line))).toEqual([])
    expect(others.filter(assignsFunction)).toEqual([])
  })
})
