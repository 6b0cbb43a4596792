/**
 * What the documents tell people to type, write and follow: command lines, snippets of configuration, links.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadConfigText } from '../../src/app/config.ts'
import { ConfigError, formatProblem } from '../../src/app/config-errors.ts'
import type { CliContext } from '../../src/cli/context.ts'
import { buildProgram } from '../../src/cli/program.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DOCUMENTS = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

interface Piece {
  readonly path: string
  readonly line: number
  readonly text: string
}

/** Fenced blocks, with the word behind the fence. */
function blocksOf(path: string): readonly (Piece & { readonly language: string })[] {
  const text = read(path)
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(({ index, 1: language = '', 2: inner = '' }) => ({
    path,
    line: text.slice(0, index).split('\n').length + 1,
    language,
    text: inner,
  }))
}

/** Lines of blocks and pieces in backticks that call `postern`; remarks behind them are cut off. */
function callsIn(path: string): readonly Piece[] {
  const lines = blocksOf(path).flatMap(({ line, language, text }) =>
    language === 'yaml' ? [] : text.split('\n').map((one, at): Piece => ({ path, line: line + at, text: one.replace(/ {2,}.*$| # .*$/, '') })),
  )
  const inline = read(path)
    .split('\n')
    .flatMap((one, at) => [...one.matchAll(/`([^`]+)`/g)].map(({ 1: text = '' }): Piece => ({ path, line: at + 1, text })))
  return [...lines, ...inline].flatMap((piece) =>
    piece.text
      .split(/ && | \| /)
      .map((text) => text.trim().replace(/^npx /, ''))
      .filter((text) => /^postern [a-z-]/.test(text))
      .map((text) => ({ ...piece, text })),
  )
}

let program: Command
beforeAll(async () => {
  program = await buildProgram({ columns: 80, colour: false, env: {} } as unknown as CliContext, ['help'])
})

/** What is wrong with the call; null: nothing. */
function faultOf(text: string): string | null {
  const words = (text.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).slice(1)
  let command = program
  let at = 0
  for (; at < words.length; at++) {
    if (words[at]?.startsWith('--') === true) break
    const below = command.commands.find((one) => one.name() === words[at])
    if (below === undefined) break
    command = below
  }
  const rest = words.slice(at)
  if (command === program && rest.length > 0 && !rest[0]?.startsWith('--')) return `no command ${rest[0]}`
  if (command.commands.length > 0 && command.registeredArguments.length === 0 && rest[0]?.startsWith('--') === false && rest[0] !== '...')
    return `no command ${rest[0]} below ${command.name()}`
  const known = [...command.options, ...program.options]
  for (const option of rest.filter((word) => /^--[a-z]/.test(word))) {
    const found = known.find(({ long }) => long === option)
    if (found === undefined && option !== '--help') return `no option ${option}`
    const value = rest[rest.indexOf(option) + 1] ?? ''
    if (found?.required === true && (value === '' || value.startsWith('--'))) return `${option} without a value`
  }
  return null
}

describe.each(DOCUMENTS)('%s', (path) => {
  it('names commands and options that there are', () => {
    const wrong = callsIn(path).flatMap(({ line, text }) => {
      const fault = faultOf(text)
      return fault === null ? [] : [`${path}:${line}: ${text}: ${fault}`]
    })
    expect(wrong).toEqual([])
  })

  it('shows configurations that are right', () => {
    const wrong = blocksOf(path)
      .filter(({ language }) => language === 'yaml')
      .flatMap(({ line, text }) => {
        try {
          const { warnings } = loadConfigText(text, join(ROOT, 'postern.yaml'), { explicitPath: null, env: {}, cwd: ROOT, checkFiles: false })
          return warnings.filter(({ code }) => !ABOUT_THE_MACHINE.has(code)).map((problem) => `${path}:${line}: ${formatProblem(problem)}`)
        } catch (fault) {
          if (!(fault instanceof ConfigError)) throw fault
          return fault.problems.map((problem) => `${path}:${line}: ${formatProblem(problem)}`)
        }
      })
    expect(wrong).toEqual([])
  })

  it('has links that lead somewhere', () => {
    const text = read(path)
    const wrong = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(({ 1: target = '' }) => target)
      .filter((target) => !/^(?:https?|mailto):/.test(target))
      .filter((target) => {
        const [file = '', anchor] = target.split('#')
        const full = file === '' ? path : join(dirname(path), file)
        return !existsSync(join(ROOT, full)) || (anchor !== undefined && !anchorsOf(full).includes(anchor))
      })
    expect(wrong).toEqual([])
  })
})

/** A snippet has no host name of its own; the machine of the test may have any. */
const ABOUT_THE_MACHINE: ReadonlySet<string> = new Set(['hostname-not-full'])

/** As GitHub makes them of headings. */
function anchorsOf(path: string): readonly string[] {
  return [...read(path).matchAll(/^#+ (.+)$/gm)].map(({ 1: heading = '' }) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

it('the checks find calls, snippets and links at all', () => {
  expect(callsIn('README.md').map(({ text }) => text)).toContain('postern dkim create example.com')
  expect(DOCUMENTS.flatMap(blocksOf).filter(({ language }) => language === 'yaml').length).toBeGreaterThan(5)
  expect(faultOf('postern queue lst')).toBe('no command lst below queue')
  expect(faultOf('postern dkim show --all')).toBe('no option --all')
  expect(faultOf('postern test --to')).toBe('--to without a value')
})
