/**
 * Runs the checks that are asked for, side by side, each with a deadline of its own.
 */
import type { Clock } from '../core/clock.ts'
import { withinTime } from '../core/within-time.ts'
import { checkDkim } from './check-dkim.ts'
import { checkAlignment, checkDmarc } from './check-dmarc.ts'
import { checkHeloSpf } from './check-helo-spf.ts'
import { checkLocal } from './check-local.ts'
import { checkConfiguration, checkDisk, checkListeners, checkOpenFiles, checkStore } from './check-machine.ts'
import { checkHostname, checkPtr } from './check-names.ts'
import { checkNullMx } from './check-null-mx.ts'
import { checkSpf } from './check-spf.ts'
import { checkClock, checkPort25, checkRelays, checkResolver } from './check-ways.ts'
import { CHECKS, type CheckName, type Finding, findings, SERVER_GROUP } from './finding.ts'
import type { Subject } from './subject.ts'

type Check = (subject: Subject) => readonly Finding[] | Promise<readonly Finding[]>

const CHECK_BY_NAME: Readonly<Record<CheckName, Check>> = {
  hostname: checkHostname,
  ptr: checkPtr,
  'helo-spf': checkHeloSpf,
  spf: checkSpf,
  dkim: checkDkim,
  dmarc: checkDmarc,
  alignment: checkAlignment,
  'null-mx': checkNullMx,
  port25: checkPort25,
  relay: checkRelays,
  resolver: checkResolver,
  clock: checkClock,
  store: checkStore,
  disk: checkDisk,
  'open-files': checkOpenFiles,
  listener: checkListeners,
  local: checkLocal,
  configuration: checkConfiguration,
}
/** A relay may take long to greet; nobody waits longer for a doctor. */
const CHECK_MS = 45_000

export interface Examination {
  readonly names: readonly CheckName[]
  readonly clock: Clock
  /** Called when a check is over. */
  readonly done: (name: CheckName, left: number) => void
}

/** In the order of `CHECKS`, whatever ends first. A check that breaks is a finding, too. */
export async function examine(subject: Subject, { names, clock, done }: Examination): Promise<readonly Finding[]> {
  const chosen = CHECKS.filter((name) => names.includes(name))
  let left = chosen.length
  const lists = await Promise.all(
    chosen.map(async (name) => {
      const late = findings(name, SERVER_GROUP).skipped(`no answer within ${CHECK_MS / 1000} s`)
      const list = await withinTime(runCheck(name, subject), clock, CHECK_MS, [late])
      left--
      done(name, left)
      return list
    }),
  )
  const found = lists.flat()
  // Silence would be taken for: all is well.
  return found.length > 0 ? found : chosen.map((name) => findings(name, SERVER_GROUP).skipped(NOTHING))
}
const NOTHING = 'there is nothing to examine: no sender domain, and no mail that leaves, is concerned'

async function runCheck(name: CheckName, subject: Subject): Promise<readonly Finding[]> {
  try {
    return await CHECK_BY_NAME[name](subject)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return [findings(name, SERVER_GROUP).skipped(`the check itself failed: ${reason}`, 'Please report it.')]
  }
}
