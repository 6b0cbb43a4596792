import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { stepBack } from '../../src/app/clock-step.ts'
import { compose, openOrPause } from '../../src/app/compose.ts'
import { loadConfig } from '../../src/app/config.ts'
import { createDialogueHub } from '../../src/app/dialogue-hub.ts'
import type { ServerJournal } from '../../src/app/journal.ts'
import { createRealClock } from '../../src/app/real-clock.ts'
import { buildSettings } from '../../src/app/settings.ts'
import type { EpochMs } from '../../src/core/brand.ts'
import { createIntake } from '../../src/intake/intake.ts'
import type { AttemptRecord } from '../../src/ports/journal.ts'
import { openStore } from '../../src/store/open-store.ts'
import { makeAcceptance, makeQueueId, NOON } from '../support/make-message.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { createSignal } from '../support/wait-for-signal.ts'

describe('a wall clock that was set back while the server was stopped', () => {
  it('is known by the newest message, from a minute on', () => {
    const newest = makeQueueId(NOON)
    const at = (ms: number) => stepBack(newest, (NOON + ms) as EpochMs)
    expect([stepBack(null, NOON), at(1_000), at(-59_000), at(-60_000), at(-86_400_000)]).toEqual([0, 0, 0, 60_000, 86_400_000])
  })

  it('does not make mail wait for the time of before', async () => {
    const folder = makeTempFolder()
    const configPath = join(folder, 'postern.yaml')
    writeFileSync(configPath, `listen: [smtp://127.0.0.1:0]\ndata: ${join(folder, 'data')}\n`)
    const settings = buildSettings(loadConfig({ explicitPath: configPath, env: {}, cwd: folder }))
    const clock = createRealClock()
    const notes: string[] = []
    const attempted = createSignal<AttemptRecord>()
    const note = (_: string, level: string, text: string) => void notes.push(`${level} ${text}`)
    const journal = {
      counters: {},
      accepted: () => {},
      attempt: attempted.fire,
      note,
      setLevel: () => {},
      reopen: () => {},
      flush: () => {},
    } as unknown as ServerJournal
    const later = (clock.now() + 3 * 86_400_000) as EpochMs
    const before = await openStore({ path: settings.dataFolder, clock, journal, randomToken: () => 'token' })
    await before.queue.enqueue(makeAcceptance({ queueId: makeQueueId(later), acceptedAt: later }))
    await before.close()

    const intake = createIntake({ settings: settings.intake, clock, journal, tap: createDialogueHub() })
    const composed = await compose({ settings, intake, clock, journal, dialogue: createDialogueHub(), crashAt: null })
    onTestFinished(() => composed.stop(0))
    await composed.start()
    expect(notes).toContain('warn the wall clock was set back while the server was stopped')
    expect((await attempted.next()).outcome).toBe('captured')
  })
})

describe('intake and the store', () => {
  it('no mail is taken while the store takes none, with the reply that fits', () => {
    const said: string[] = []
    const intake = { pause: (reason: string, kind: string = 'io') => said.push(`${kind}: ${reason}`), resume: () => said.push('open') }
    openOrPause(intake, { kind: 'full', reason: 'no space left' })
    openOrPause(intake, { kind: 'suspect', reason: 'fsync failed' })
    openOrPause(intake, { kind: 'sound' })
    expect(said).toEqual(['full: the disk is full', 'io: the queue cannot be written', 'open'])
  })
})
