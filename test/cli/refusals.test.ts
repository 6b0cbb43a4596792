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
