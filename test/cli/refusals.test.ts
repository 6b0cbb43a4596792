/**
 * What the file system or the shell line is wrong about is told in words, with what to do; only a bug is called one.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Ran, runCli } from '../support/cli-run.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const run = (cwd: string, ...argv: string[]): Promise<Ran> => runCli(argv, { cwd, clock: createFakeClock() })

describe('a place where nothing can be written', () => {
  it('is named, by every command that writes', async () => {
    const cwd = makeTempFolder()
    writeFileSync(join(cwd, 'taken'), '')
    const below = join(cwd, 'taken', 'postern.yaml')
    const said = `postern: ${join(cwd, 'taken')} cannot be used: a file of that name is there already\n`
    const init = ['init', '--type', 'local', '--hostname', 'app.example.com', '--root', '', '--output', below]
    expect(await run(cwd, ...init)).toMatchObject({ exitCode: 1, stderr: said })
    const asJson = JSON.parse((await run(cwd, '--json', ...init)).stderr)
    expect(asJson).toMatchObject({ error: { code: 'file-refused' } })
    writeFileSync(join(cwd, 'postern.yaml'), 'hostname: app.example.com\n')
    writeFileSync(join(cwd, 'dkim'), '')
    const { stderr, exitCode } = await run(cwd, 'dkim', 'create', 'example.com')
    expect({ stderr, exitCode }).toEqual({ stderr: expect.stringContaining(`${join(cwd, 'dkim')} cannot be used: `), exitCode: 1 })
    expect(stderr).not.toContain('bug')
    expect(readdirSync(cwd)).toEqual(['dkim', 'postern.yaml', 'taken'])
  })

  it('does not show the name of a temporary file', async () => {
    const cwd = makeTempFolder()
    const folder = makeTempFolder()
    const { stderr } = await run(cwd, 'init', '--type', 'local', '--hostname', 'app.example.com', '--root', '', '--output', folder, '--force')
    expect(stderr).toBe(`postern: ${folder} cannot be used: it is a folder, not a file\n`)
    expect(readdirSync(dirname(folder)).filter((name) => name.startsWith(`.${basename(folder)}`))).toEqual([])
  })
})

describe('a command line that is not understood', () => {
  it.each([
    [['stauts'], "unknown command 'stauts'. Did you mean status?", 'postern'],
    [['queue', 'lst'], "unknown command 'lst'. Did you mean list?", 'postern queue'],
    [['status', '--jsn'], "unknown option '--jsn'. Did you mean --json?", 'postern status'],
    [['queue', 'show'], '<id> is missing', 'postern queue show'],
    [['queue', 'show', 'nope'], "<id> cannot be 'nope'. A queue id has eleven letters and digits, as `postern queue list` shows them.", 'postern queue show'],
    [['log', '--limit', 'many'], "--limit cannot be 'many'. It is a whole number from 1, or `all`.", 'postern log'],
    [['log', 'level', 'loud'], "<level> cannot be 'loud'. Allowed choices are debug, info, warn, error.", 'postern log level'],
    [['test', '--from', 'a@b.example'], '--to <address> is missing', 'postern test'],
    [['test', '--from'], '--from needs a value: --from <address>', 'postern test'],
    [['status', 'now'], "too many arguments for 'status'. Expected 0 arguments but got 1: now.", 'postern status'],
    [['queue', 'show', '\u001b[2J'], "<id> cannot be '\\x1b[2J'. A queue id", 'postern queue show'],
  ])('%j is told like every other error, with where to read more', async (argv, sentence, command) => {
    const { stdout, stderr, exitCode } = await run('/nonexistent', ...argv)
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
    expect(stderr.split('\n')[0]).toContain(`postern: ${sentence}`)
    expect(stderr).toContain(`\n  Explained by: ${command} --help\n`)
    const asJson = JSON.parse((await run('/nonexistent', ...argv, '--json')).stderr)
    expect(asJson).toMatchObject({ error: { code: 'usage', message: expect.stringContaining(sentence), hint: `Explained by: ${command} --help` } })
  })
})
