import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadConfigText } from '../../src/app/config.ts'
import { localFacts } from '../../src/app/doctor-local.ts'
import { buildSettings } from '../../src/app/settings.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

function factsOf(text: string, aliases = '') {
  const folder = makeTempFolder()
  writeFileSync(join(folder, 'aliases'), aliases)
  const request = { explicitPath: null, env: {}, cwd: folder, checkFiles: false }
  return localFacts(buildSettings(loadConfigText(`hostname: app.example.com\n${text}`, join(folder, 'postern.yaml'), request)), createFakeClock())
}
const MX = 'routes: [{ via: mx }]\n'

type Case = readonly [name: string, config: string, root: object, aliases?: string]
const cases: readonly Case[] = [
  [
    'goes to the address that is named',
    `${MX}local: { root: [ops@example.net, ops2@example.net] }`,
    { kind: 'goes', to: ['ops@example.net', 'ops2@example.net'] },
  ],
  ['goes to the mailbox that is named', `${MX}local: { users: [bob], root: bob }`, { kind: 'goes', to: ['the mailbox of bob'] }],
  ['goes where the alias file says', `${MX}local: {}\naliases: aliases`, { kind: 'goes', to: ['ops@example.net'] }, 'root: ops@example.net, |/bin/true'],
  [
    'is kept where a route says it',
    'routes: [{ to: root@app.example.com, via: capture }, { via: mx }]\nlocal: {}',
    { kind: 'goes', to: ['captured mail, to be read here'] },
  ],
  ['waits where nobody is named', `${MX}local: {}`, { kind: 'lost', why: 'it is not delivered to root, and waits until it expires' }],
  ['is refused where root is no user', `${MX}local: { users: [bob] }`, { kind: 'lost', why: 'refused: 550 5.1.1 User unknown' }],
  [
    'is held for a table that cannot be read',
    `${MX}local: {}\naliases: aliases`,
    { kind: 'lost', why: expect.stringContaining('held, a table is missing') },
    'root',
  ],
  ['is refused where no domain is local', MX, { kind: 'no-domain' }],
]

for (const [name, config, root, aliases] of cases) {
  it(`root's mail ${name}`, () => {
    expect(factsOf(config, aliases).root).toEqual(root)
  })
}

it('knows the local domains', () => {
  expect(factsOf(`${MX}local: { root: ops@example.net }`).domains).toEqual(['localhost', 'app.example.com'])
  expect(factsOf(MX).domains).toEqual([])
})
