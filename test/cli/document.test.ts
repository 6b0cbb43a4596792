import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { beforeAll, describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/admin/errors.ts'
import { type CliContext, EXIT } from '../../src/cli/context.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { runCli } from '../support/cli-run.ts'
import { createFakeClock } from '../support/fake-clock.ts'

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
  it('shows examples of it', async () => {
    for (const { path } of commandsOf(program)) {
      const { stdout, exitCode } = await runCli([...path.split(' ').slice(1), '--help'], { clock: createFakeClock() })
      expect(exitCode, path).toBe(0)
      expect(stdout, path).toMatch(new RegExp(`\nExamples:\n  ${path}`))
    }
  })

  it('is as it must be typed where npx runs it', async () => {
    const { stdout } = await runCli(['queue', 'show', '--help'], { clock: createFakeClock(), env: { npm_command: 'exec' } })
    expect(stdout).toContain('Usage: npx postern queue show ')
    expect(stdout).toContain('\n  npx postern queue show 07M8QW4T3ZK\n')
    expect(stdout.match(/(?<!npx )postern queue/g)).toBeNull()
  })

  it('names every command of the program in a group, and no options of a neighbour', async () => {
    const { stdout } = await runCli(['--help'], { clock: createFakeClock() })
    expect([...stdout.matchAll(/^(\S.*):$/gm)].map(([, heading]) => heading)).toEqual(['Options', 'The server', 'Mail', 'Set-up', 'Else', 'Examples'])
    expect((await runCli(['log', 'level', '--help'], { clock: createFakeClock() })).stdout).not.toContain('--follow')
  })

  it('has a description, and says what every option is for', () => {
    for (const { path, command } of commandsOf(program)) {
      expect(command.description(), path).not.toBe('')
      for (const { long, description } of command.options) expect(description, `${path} ${long}`).not.toBe('')
    }
  })
})
