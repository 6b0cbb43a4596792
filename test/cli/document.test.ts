import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { beforeAll, describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/admin/errors.ts'
import { type CliContext, EXIT } from '../../src/cli/context.ts'
import { buildProgram } from '../../src/cli/program.ts'

const text = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
let program: Command

beforeAll(async () => {
  program = await buildProgram({ columns: 80, colour: false } as CliContext, ['help'])
})

/** Commands that do something, by their whole names: `postern queue list`. */
function commandsOf(command: Command, path = command.name()): readonly { readonly path: string; readonly command: Command }[] {
  const below = command.commands.flatMap((one) => commandsOf(one, `${path} ${one.name()}`))
  const acts = '_actionHandler' in command && command._actionHandler !== null && command.parent !== null
  return acts ? [{ path, command }, ...below] : below
}

describe('docs/cli.md', () => {
  it('explains every command with an example, and no command that is not there', () => {
    const paths = commandsOf(program).map(({ path }) => path)
    const headings = [...text.matchAll(/^### (postern .+)$/gm)].map(([, heading]) => heading)
    expect(headings.toSorted()).toEqual(paths.toSorted())
    for (const path of paths) {
      const section = text.split(`### ${path}\n`)[1]?.split(/^##/m)[0] ?? ''
      expect(section, path).toMatch(new RegExp(`\`\`\`\\n(?:.* && )?(?:postern.*\\n)*${path}|&& ${path}`))
    }
  })

  it('shows examples that can be understood', () => {
    const examples = [...text.matchAll(/```\n([\s\S]*?)```/g)].flatMap(([, lines = '']) => lines.trim().split('\n'))
    for (const example of examples.flatMap((line) => line.split('&&'))) {
      const words = (example.trim().match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ''))
      const known = commandsOf(program).filter(({ path }) => words.join(' ').startsWith(path))
      const best = known.toSorted((a, b) => b.path.length - a.path.length)[0]
      expect(best, example).toBeDefined()
      for (const option of words.filter((word) => word.startsWith('--'))) {
        const longs = [...(best?.command.options ?? []), ...program.options].map(({ long }) => long)
        expect(longs, example).toContain(option)
      }
    }
  })

  it('explains every exit code and every error code', () => {
    for (const code of Object.values(EXIT)) expect(text).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'))
    for (const code of ERROR_CODES) expect(text).toContain(`| \`${code}\` |`)
  })
})

describe('the help of every command', () => {
  it('has a description, and says what every option is for', () => {
    for (const { path, command } of commandsOf(program)) {
      expect(command.description(), path).not.toBe('')
      for (const { long, description } of command.options) expect(description, `${path} ${long}`).not.toBe('')
    }
  })
})
