/**
 * The completion scripts in the shells themselves: zsh and fish, which only some machines have.
 * Bash is everywhere: `test/cli/shell.test.ts`.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runCli } from '../support/cli-run.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function scriptFile(shell: string): Promise<string> {
  const file = join(makeTempFolder(), 'completion')
  writeFileSync(file, (await runCli(['completion', shell], { clock: createFakeClock() })).stdout)
  return file
}

describe('completion', () => {
  it('is valid in zsh, and can be loaded there', async () => {
    const file = await scriptFile('zsh')
    expect(spawnSync('zsh', ['-n', file]).stderr.toString()).toBe('')
    const loaded = execFileSync('zsh', ['-f', '-c', 'autoload -Uz compinit && compinit -u -D && source "$1" && print -r -- $_comps[postern]', 'zsh', file])
    expect(loaded.toString().trim()).toMatch(/postern/)
  })

  it('completes commands and options in fish', async () => {
    const file = await scriptFile('fish')
    expect(spawnSync('fish', ['-n', file]).stderr.toString()).toBe('')
    const complete = (line: string): string[] =>
      execFileSync('fish', ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', file, line], { encoding: 'utf8' })
        .trim()
        .split('\n')
        .map((one) => one.split('\t')[0] ?? '')
    expect(complete('postern qu')).toEqual(['queue'])
    expect(complete('postern queue de')).toEqual(['delete'])
    expect(complete('postern queue list --rec')).toEqual(['--recipient'])
    expect(complete('postern config ')).toContain('check')
  })
})
