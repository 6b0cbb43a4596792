/** The command line of the measurement. */
import { parseArgs } from 'node:util'
import type { PeerName } from './peer.ts'
import { RELAY_SCENARIOS } from './relaying.ts'
import type { Plan } from './sample.ts'

export const QUEUE_SCENARIOS = ['sites', 'sites-stuck', 'dead-relay', 'dot-reply', 'backlog'] as const
export const SCENARIOS: readonly string[] = [...RELAY_SCENARIOS.map((scenario) => scenario.name), ...QUEUE_SCENARIOS]

export const HELP = `npm run bench -- [OPTION ...]      Postfix and Postern side by side; needs Debian and root

  --only NAME[,NAME]   ${SCENARIOS.join(', ')}
  --peer NAME          postfix or postern alone
  --repeats N          repeats of each scenario and agent (3; the backlog is done once)
  --seconds N          how long one repeat should take (6)
  --backlog N          messages of the backlog (100000)
  --quick              one repeat of 2 s each, small backlog: to try the harness
  --dir FOLDER         where queues are kept (/var/tmp/postern-bench); its disk is what is measured
  --keep               leave queues, logs and configurations there afterwards
  --json FILE          write all figures there
  --write              write docs/performance.md even if this is not the whole run
  --no-build           use dist/ as it is`

export interface Options extends Plan {
  readonly scenarios: readonly string[]
  readonly peers: readonly PeerName[]
  readonly jsonFile: string | null
  readonly writeDocument: boolean
  readonly keep: boolean
  readonly build: boolean
}

/** Throws an Error with a sentence for what cannot be understood; null: help was asked for. */
export function parseOptions(argv: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string' },
      peer: { type: 'string' },
      repeats: { type: 'string' },
      seconds: { type: 'string' },
      backlog: { type: 'string' },
      quick: { type: 'boolean', default: false },
      dir: { type: 'string', default: '/var/tmp/postern-bench' },
      json: { type: 'string' },
      write: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      'no-build': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return null
  const scenarios = values.only?.split(',') ?? SCENARIOS
  const unknown = scenarios.find((name) => !SCENARIOS.includes(name))
  if (unknown !== undefined) throw new Error(`there is no scenario ${unknown}; there are: ${SCENARIOS.join(', ')}`)
  const peers = values.peer === undefined ? (['postfix', 'postern'] as const) : [peerName(values.peer)]
  const { quick } = values
  return {
    scenarios,
    peers,
    folder: values.dir,
    repeats: count(values.repeats, quick ? 1 : 3),
    targetS: count(values.seconds, quick ? 2 : 6),
    backlog: count(values.backlog, quick ? 5000 : 100_000),
    deadRelay: quick ? 2000 : 20_000,
    sites: quick ? 2000 : 10_000,
    stuck: quick ? 1000 : 5_000,
    dotReplies: quick ? 2000 : 10_000,
    jsonFile: values.json ?? null,
    writeDocument: values.write || (!quick && values.only === undefined && values.peer === undefined),
    keep: values.keep,
    build: !values['no-build'],
  }
}

function peerName(text: string): PeerName {
  if (text === 'postfix' || text === 'postern') return text
  throw new Error(`--peer is postfix or postern, not ${text}`)
}

function count(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${text} is no number of 1 or more`)
  return value
}
