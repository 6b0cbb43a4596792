import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type DoctorAtStartParts, examineAtStart } from '../../src/app/doctor-at-start.ts'
import { createRealClock } from '../../src/app/real-clock.ts'
import type { ServerSettings } from '../../src/app/settings.ts'
import { freePort, ROOT, startServer } from '../bars/support/server.ts'
import { until } from '../bars/support/verdict.ts'
import { answerTo, mx, NXDOMAIN, type SeenQuery, startDnsServer, TYPE, txt } from '../support/dns-server.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const PROGRAM = join(ROOT, 'bin/postern.mjs')

/** A domain that takes no mail, and whose DMARC record would like to drive the terminal. */
function answer(query: SeenQuery): readonly Buffer[] {
  const { name, type } = query
  const asked = name.toLowerCase()
  if (asked === 'mail.app.test' && type === TYPE.MX) return [answerTo(query, { answers: [mx(name, 0, '')] })]
  if (asked === '_dmarc.mail.app.test' && type === TYPE.TXT) return [answerTo(query, { answers: [txt(name, 'v=DMARC1; p=\u001b[31mred')] })]
  return [answerTo(query, { flags: 0x8180 | NXDOMAIN })]
}

interface LogLine {
  readonly level: string
  readonly msg: string
  readonly check?: string
  readonly remedy?: string
}

describe('a server that delivers to the recipients’ own servers', () => {
  it('tells faults of its set-up in the log soon after its start', async () => {
    const dns = await startDnsServer(answer)
    const folder = makeTempFolder()
    const server = await startServer({
      port: await freePort(),
      relayPort: 1,
      folder,
      env: { POSTERN_TEST_DOCTOR_AFTER_MS: '1' },
      config: { hostname: 'mail.app.test', dns: { servers: [`${dns.address}:${dns.port}`] }, routes: [{ via: 'mx' }] },
    })
    onTestFinished(async () => {
      server.kill('SIGTERM')
      await server.exited
    })
    const warnings = (): readonly LogLine[] =>
      readFileSync(server.logPath, 'utf8')
        .split('\n')
        .filter((line) => line.includes('doctor: '))
        .map((line) => JSON.parse(line) as LogLine)
    await until('the doctor has spoken', () => warnings().length >= 3 && server.log().includes('What to do'), 15_000)
    expect(warnings().map(({ level, check, msg }) => `${level} ${check} ${msg}`)).toEqual([
      'warn hostname doctor: server: mail.app.test does not resolve',
      'warn dmarc doctor: mail.app.test: the DMARC record at _dmarc.mail.app.test is broken: p=\u001b[31mred',
      'warn null-mx doctor: mail.app.test: the domain says that it takes no mail (null MX): receivers refuse senders of it (550 5.7.27)',
    ])
    expect(warnings()[0]?.remedy).toBe('Add an address record for it.')
    expect(server.log()).toContain('The doctor found 3 faults:\n  server: mail.app.test does not resolve\n')
    expect(server.log()).toContain('p=\\x1b[31mred')
    expect(server.log()).not.toContain('\u001b[31m')
  })
})

describe('the examination at the start', () => {
  function parts(changes: Partial<DoctorAtStartParts>): { readonly parts: DoctorAtStartParts; readonly notes: string[] } {
    const notes: string[] = []
    const settings = { delivery: { routes: [{ target: { kind: 'mx' } }], relays: new Map() } } as unknown as ServerSettings
    return {
      notes,
      parts: {
        settings,
        configFile: null,
        socketPath: '/nonexistent/postern.sock',
        clock: createRealClock(),
        journal: { note: (_subsystem, level, text, facts) => void notes.push(`${level} ${text} ${JSON.stringify(facts)}`) },
        command: 'postern',
        program: PROGRAM,
        afterMs: 1,
        print: () => undefined,
        ...changes,
      },
    }
  }

  it('says so when it could not be made', async () => {
    const configFile = join(makeTempFolder(), 'postern.yaml')
    writeFileSync(configFile, 'hostnam: mail.app.test\n')
    const { parts: made, notes } = parts({ configFile })
    examineAtStart(made)
    await until('it has ended', () => notes.length > 0, 15_000)
    expect(notes).toEqual([expect.stringMatching(/^warn the set-up could not be examined .*hostnam/)])
  })

  it('waits until the mail that waited for the restart has gone first', async () => {
    const clock = createFakeClock()
    const { parts: made, notes } = parts({ clock, afterMs: null, program: '/nonexistent' })
    const doctor = examineAtStart(made)
    await clock.advance(4_000)
    doctor.stop()
    await clock.advance(60_000)
    expect(notes).toEqual([])
  })
})
