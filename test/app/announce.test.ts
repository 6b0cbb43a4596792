import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import { announce } from '../../src/app/announce.ts'
import { loadConfigText } from '../../src/app/config.ts'
import { buildSettings } from '../../src/app/settings.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

function announced(yaml: string, outputIsTerminal: boolean) {
  const cwd = makeTempFolder()
  const loaded = loadConfigText(`hostname: app.example.com\n${yaml}`, join(cwd, 'postern.yaml'), { explicitPath: null, env: {}, cwd })
  let printed = ''
  const notes: string[] = []
  const print = (text: string): void => {
    printed += text
  }
  announce(
    { outputIsTerminal, command: 'postern', print },
    { note: (_subsystem, level, text) => notes.push(`${level}: ${text}`) },
    { loaded, settings: buildSettings(loaded), warnings: ['runs as root'] },
  )
  return { printed, notes }
}

describe('what is said at the start', () => {
  const NEVER = 'routes: [ { via: capture }, { to: a.example, via: discard } ]\n'

  it.each([
    ['', 'Nothing leaves this machine: every message is captured and can be read.'],
    [
      'local: {}\nroutes: [ { via: local }, { via: capture } ]',
      'Nothing leaves this machine: mail goes into the mailboxes of its users, or is captured and can be read.',
    ],
    ['routes: [ { via: hold } ]', 'Nothing leaves this machine: every message is held or thrown away, as the routes say.'],
    ['routes: [ { via: mx } ]', "Mail leaves through: the recipients' own servers\n"],
    [
      'routes: [ { to: a.example, via: r }, { via: capture } ]\nrelays: { r: { host: b.example } }',
      'Mail leaves through: relay r; some stays here, as the routes say: captured\n',
    ],
  ])('says of %j where mail goes', (yaml, says) => {
    expect(stripVTControlCharacters(announced(yaml, true).printed)).toContain(says)
  })

  it('has each warning once on a terminal, where the log stands below it', () => {
    const { printed, notes } = announced(NEVER, true)
    expect(printed).toMatch(/Warning: postern\.yaml:2:29: routes\[1\]: routes\[0\] matches all mail.*Warning: runs as root/s)
    expect(notes).toEqual(['info: ready'])
  })

  it('has them in the log, too, where that goes elsewhere', () => {
    const expected = [expect.stringMatching(/^warn: postern\.yaml:2:29: /), 'warn: runs as root', 'info: ready']
    expect(announced(NEVER, false).notes).toEqual(expected)
    expect(announced(`${NEVER}log: { file: postern.log }\n`, true).notes).toEqual(expected)
  })
})
