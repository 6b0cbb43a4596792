/**
 * A whole Postern in this process, but for its command line, with a clock that runs faster than the world's.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type Composed, compose } from '../../../src/app/compose.ts'
import { loadConfig } from '../../../src/app/config.ts'
import { createDialogueHub } from '../../../src/app/dialogue-hub.ts'
import { createRealClock } from '../../../src/app/real-clock.ts'
import { buildSettings } from '../../../src/app/settings.ts'
import type { EpochMs } from '../../../src/core/brand.ts'
import type { Clock } from '../../../src/core/clock.ts'
import { createIntake } from '../../../src/intake/intake.ts'
import type { Journal } from '../../../src/ports/journal.ts'
import type { FaultPlan } from '../../../src/store/sqlite/faults.ts'

/** To be made once: a second one would begin in the first one's past. */
export function createFastClock(speed: number): Clock {
  const real = createRealClock()
  const [wall, mono] = [real.now(), real.monotonicMs()]
  const passedMs = (): number => (real.monotonicMs() - mono) * speed
  return {
    now: () => Math.round(wall + passedMs()) as EpochMs,
    monotonicMs: () => mono + passedMs(),
    after: (delayMs, callback) => real.after(delayMs / speed, callback),
  }
}

export interface InProcessOptions {
  /** For its configuration. */
  readonly folder: string
  readonly config: Readonly<Record<string, unknown>>
  readonly clock: Clock
  readonly note?: Journal['note']
  readonly faults?: FaultPlan
}

/** Rejects as the program would end: the listener is closed again then. */
export async function startInProcess({ folder, config, clock, note = () => {}, faults }: InProcessOptions): Promise<Composed> {
  const path = join(folder, 'postern.yaml')
  writeFileSync(path, stringify(config), { mode: 0o600 })
  const settings = buildSettings(loadConfig({ explicitPath: path, env: {}, cwd: folder }))
  const journal: Journal = { accepted: () => {}, attempt: () => {}, note }
  const intake = createIntake({ settings: settings.intake, clock, journal, tap: createDialogueHub() })
  await intake.bind()
  let composed: Composed | null = null
  try {
    composed = await compose({
      settings,
      intake,
      clock,
      journal: { ...journal, counters: {} } as never,
      dialogue: createDialogueHub(),
      crashAt: null,
      ...(faults === undefined ? {} : { faults }),
    })
    await composed.start()
    return composed
  } catch (fault) {
    await intake.stop(0)
    await composed?.store.close()
    throw fault
  }
}
