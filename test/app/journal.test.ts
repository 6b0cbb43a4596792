import { mkdirSync, readFileSync, renameSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createJournal } from '../../src/app/journal.ts'
import type { LaneKey, QueueId } from '../../src/core/brand.ts'
import type { AttemptRecord } from '../../src/ports/journal.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { waitUntil } from '../support/wait-for-signal.ts'

const ATTEMPT: AttemptRecord = {
  queueId: '07M8QW4T3ZK' as QueueId,
  from: 'jira@example.com',
  to: 'ann@x.test',
  originalTo: null,
  lane: 'smtp:google/jira' as LaneKey,
  relay: { host: 'relay.test', address: '192.0.2.7' },
  attempt: 2,
  outcome: 'deferred',
  status: '4.7.0',
  text: '421 4.7.0 Try again later',
  delayMs: 912_000,
  delays: [0, 905_350, 1_200, 5_450],
  timings: { setupMs: 1_200, transferMs: 5_450, sessionUse: 9 },
  tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', resumed: false, trust: 'verified', trustFault: null },
  duplicatePossible: true,
}

function written(format: 'json' | 'pretty', write: (journal: ReturnType<typeof createJournal>) => void): readonly string[] {
  const file = `${makeTempFolder()}/server.log`
  const journal = createJournal({ level: 'info', format, file }, createFakeClock())
  write(journal)
  journal.flush()
  return readFileSync(file, 'utf8').trimEnd().split('\n')
}

describe('the log', () => {
  it('has one line for each recipient of an attempt, with all that is known of it', () => {
    const [line = ''] = written('json', (journal) => journal.attempt(ATTEMPT))
    const { time, ...facts } = JSON.parse(line) as Record<string, unknown>
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(facts).toEqual({
      level: 'info',
      subsystem: 'delivery',
      id: '07M8QW4T3ZK',
      from: 'jira@example.com',
      to: 'ann@x.test',
      lane: 'smtp:google/jira',
      relay: 'relay.test[192.0.2.7]',
      attempt: 2,
      conn_use: 9,
      delay: 912_000,
      delays: '0/905350/1200/5450',
      tls: 'verified',
      tlsProtocol: 'TLSv1.3',
      tlsCipher: 'TLS_AES_256_GCM_SHA384',
      dsn: '4.7.0',
      status: 'deferred',
      reply: '421 4.7.0 Try again later',
      duplicatePossible: true,
      msg: 'deferred',
    })
  })

  it('has the same for people, in fixed order', () => {
    const [line = '', bounce = ''] = written('pretty', (journal) => {
      journal.attempt(ATTEMPT)
      journal.attempt({ ...ATTEMPT, from: '<>', originalTo: 'rfc822;Ann@x.test', tls: null, relay: null, duplicatePossible: false })
    })
    expect(line.replace(/^\S+ /, '')).toBe(
      'info  delivery  07M8QW4T3ZK from=<jira@example.com> to=<ann@x.test> smtp:google/jira deferred dsn=4.7.0 attempt=2 delay=912s' +
        ' delays=0.00/905/1.2/5.5 conn_use=9 tls=verified:TLSv1.3 relay.test[192.0.2.7] duplicate=possible "421 4.7.0 Try again later"',
    )
    expect(bounce).toContain('from=<> to=<ann@x.test> orig_to=<rfc822;Ann@x.test> ')
  })

  it('writes of one subsystem what its level asks for, from the moment it is set', () => {
    const lines = written('pretty', (journal) => {
      journal.note('transport', 'debug', 'unheard')
      journal.setLevel('transport', 'debug')
      journal.note('transport', 'debug', 'heard')
      journal.note('store', 'debug', 'another subsystem')
      journal.setLevel('all', 'error')
      journal.note('transport', 'info', 'no longer')
      journal.attempt(ATTEMPT)
    })
    expect(lines).toEqual([expect.stringContaining('heard')])
    expect(lines[0]).not.toContain('unheard')
  })

  it('begins a new file when the old one was moved away', async () => {
    const folder = makeTempFolder()
    const clock = createFakeClock()
    const journal = createJournal({ level: 'info', format: 'pretty', file: `${folder}/server.log` }, clock)
    journal.note('server', 'info', 'before')
    journal.flush()
    renameSync(`${folder}/server.log`, `${folder}/server.log.1`)
    journal.reopen()
    journal.note('server', 'info', 'after')
    await clock.advance(1_000)
    await waitUntil(() => readFileSync(`${folder}/server.log`, 'utf8').endsWith('after\n'), 'the line in the new file')
    expect(readFileSync(`${folder}/server.log.1`, 'utf8')).toMatch(/before\n$/)
  })

  it('goes on in the old file where no new one can be made, and says so', () => {
    const folder = makeTempFolder()
    mkdirSync(`${folder}/log`)
    const journal = createJournal({ level: 'info', format: 'pretty', file: `${folder}/log/server.log` }, createFakeClock())
    renameSync(`${folder}/log`, `${folder}/moved`)
    journal.reopen()
    journal.note('server', 'info', 'after')
    journal.flush()
    expect(readFileSync(`${folder}/moved/server.log`, 'utf8')).toMatch(/warn {2}server {4}the log goes on in the file that is open: .*ENOENT[^\n]*\n.*after\n$/)
  })

  it('counts attempts whether they are written or not', () => {
    const journal = createJournal({ level: 'error', format: 'json', file: `${makeTempFolder()}/server.log` }, createFakeClock())
    journal.attempt(ATTEMPT)
    journal.attempt({ ...ATTEMPT, outcome: 'held' })
    expect(journal.counters).toEqual({ accepted: 0, delivered: 0, deferred: 1, failed: 0, expired: 0, captured: 0 })
  })
})
