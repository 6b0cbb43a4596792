import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { locateSocket } from '../../src/cli/socket-path.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

function write(path: string, text = ''): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

describe('the socket of the server that is meant', () => {
  it('is the one that was named, before all others', async () => {
    const cwd = makeTempFolder()
    const env = { POSTERN_SOCKET: '/from/env.sock', POSTERN_CONFIG: '/none.yaml' }
    expect(await locateSocket({ cwd, env }, { socket: 'here.sock' })).toBe(`${cwd}/here.sock`)
    expect(await locateSocket({ cwd, env }, {})).toBe('/from/env.sock')
  })

  it.each([
    ['plain', 'hostname: a\nadmin: run/p.sock   # here\n', 'run/p.sock'],
    ['in single quotes', "admin: 'run/p q.sock'\n", 'run/p q.sock'],
    ['in double quotes', 'admin: "run/p.sock"\n', 'run/p.sock'],
    ['with an escape', 'admin: "run\\u002fp.sock"\n', 'run/p.sock'],
    ['in a flow mapping', '{ "admin": run/p.sock }\n', 'run/p.sock'],
    ['folded', 'admin: >-\n  run/p.sock\n', 'run/p.sock'],
    ['an anchor', 'admin: &s run/p.sock\n', 'run/p.sock'],
    ['absent, with a data folder', 'data: store\n', 'store/postern.sock'],
    ['absent', 'hostname: admin.example\n', 'var/postern.sock'],
    ['only below another key', 'relays:\n  admin: x\n', 'var/postern.sock'],
  ])('is that of the configuration: %s', async (_name, text, expected) => {
    const cwd = makeTempFolder()
    write(`${cwd}/etc/p.yaml`, text)
    expect(await locateSocket({ cwd, env: {} }, { config: 'etc/p.yaml' })).toBe(`${cwd}/etc/${expected}`)
  })

  it('is looked for in the usual places if the configuration there has none that exists', async () => {
    const cwd = makeTempFolder()
    write(`${cwd}/postern.yaml`, 'admin: gone.sock\n')
    expect(await locateSocket({ cwd, env: {} }, {})).toBe(`${cwd}/gone.sock`)
    write(`${cwd}/var/postern.sock`)
    expect(await locateSocket({ cwd, env: {} }, {})).toBe(`${cwd}/var/postern.sock`)
    write(`${cwd}/gone.sock`)
    expect(await locateSocket({ cwd, env: {} }, {})).toBe(`${cwd}/gone.sock`)
  })

  it('cannot be found through a configuration that is not there', async () => {
    await expect(locateSocket({ cwd: '/', env: {} }, { config: '/none/p.yaml' })).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('does not exist'),
    })
  })
})
