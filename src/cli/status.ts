/**
 * `postern status`: one screen on how the server is, beginning with what is wrong.
 *
 * Loaded by every start of the CLI's most frequent command: keep what it imports small.
 */
import type { Command } from 'commander'
import type { LaneStatus, ServerStatus } from '../admin/api-types.ts'
import { isLaneNamed } from '../core/route.ts'
import { connectClient } from './client.ts'
import { type CliContext, commandName, EXIT, print } from './context.ts'
import { escapeText, toJson } from './escape.ts'
import { age, count, counted, localTime, paint, size, until } from './format.ts'
import type { GlobalOptions } from './socket-path.ts'
import { type Column, createTable } from './table.ts'

/** Mail that waits longer is worth a word. */
const OLD_MS = 4 * 3_600_000
/** Busy or closed lanes that are listed; idle ones are counted. */
const LANES_MAX = 15
/** Closed sites of direct delivery that are told one by one: among many receivers some are always down. */
const SITES_MAX = 3

export function registerStatus(program: Command, context: CliContext): void {
  program
    .command('status')
    .description('Say how the server is: what is wrong, what waits, how fast it goes.')
    .addHelpText(
      'after',
      '\nExamples:\n  postern status\n  postern status --json\n\nEnds with 0 if the server takes mail, 1 if it does not, 3 if it is not running.',
    )
    .action(async (_options: unknown, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>()
      const client = await connectClient(context, globals)
      const status = await client.get<ServerStatus>('/v1/status')
      if (status.intakePaused !== null) context.setExitCode(EXIT.failed)
      if (globals.json === true) print(context, toJson(status, 2))
      else for (const line of describeStatus(context, status)) print(context, line)
    })
}

export function describeStatus(context: CliContext, status: ServerStatus): readonly string[] {
  const { version, pid, hostname, startedAt, now, configFile, listeners, memory } = status
  const faults = findFaults(status, commandName(context))
  const verdict = faults.length === 0 ? describeGood(context, status) : faults.map((fault) => paint(context, 'yellow', `! ${fault}`))
  const listening = listeners.map(({ url, sessions }) => `${escapeText(url)} (${counted(sessions, 'session')})`)
  return [
    `${paint(context, 'bold', 'Postern')} ${escapeText(version)} on ${escapeText(hostname)}, up ${age(now - startedAt)}, process ${pid}, ${size(memory.rssOctets)} of memory`,
    `Configuration: ${configFile === null ? 'none, built-in defaults' : escapeText(configFile)}`,
    `Listening on:  ${listening.length === 0 ? 'nothing' : listening.join(', ')}`,
    '',
    ...verdict,
    '',
    ...describeQueue(context, status),
    ...describeLanes(context, status),
  ]
}

/** A lane is open although its first mail was not taken: then not all is well with whoever waits for that mail. */
function describeGood(context: CliContext, { queue: { deferred, held } }: ServerStatus): readonly string[] {
  if (deferred + held === 0) return [paint(context, 'green', 'All is well.')]
  const list = `${commandName(context)} queue list`
  return [
    paint(context, 'green', 'The server is well.'),
    ...(deferred > 0 ? [`Tried without success, and tried again: ${counted(deferred, 'recipient')}. Why: ${list} --deferred`] : []),
    ...(held > 0 ? [`Held until somebody lets it go: ${counted(held, 'recipient')}. Why: ${list} --state held`] : []),
  ]
}

/** What needs somebody's attention, most urgent first. */
function findFaults({ intakePaused, underPressure, tableFaults, queue, lanes, now }: ServerStatus, command: string): readonly string[] {
  const faults: string[] = []
  if (intakePaused !== null) faults.push(`No mail is accepted: ${escapeText(intakePaused)}`)
  if (underPressure) faults.push('Under pressure: nearly all connections are taken, limits are harsher than usual')
  for (const fault of tableFaults) faults.push(escapeText(fault))
  const closed = lanes.filter(({ state }) => state !== 'open')
  const sites = closed.filter(({ lane }) => isLaneNamed(lane, 'mx'))
  const single = sites.length > SITES_MAX ? closed.filter((lane) => !sites.includes(lane)) : closed
  for (const lane of single.slice(0, LANES_MAX)) faults.push(laneFault(lane, now))
  if (sites.length > SITES_MAX) faults.push(`${count(sites.length)} receivers of direct mail are left alone for a while, because they do not answer`)
  const { oldestAcceptedAt } = queue
  if (oldestAcceptedAt !== null && now - oldestAcceptedAt > OLD_MS)
    faults.push(`The oldest mail waits since ${localTime(oldestAcceptedAt)}: ${command} queue list`)
  return faults
}

function laneFault({ lane, state, until: end, reason }: LaneStatus, now: number): string {
  const when = end === null ? '' : ` until ${localTime(end)} (${until(end, now)})`
  return `${escapeText(lane)} is ${state}${when}: ${escapeText(reason ?? 'no reason is known')}`
}

function describeQueue(context: CliContext, { queue, sinceStart, startedAt, now }: ServerStatus): readonly string[] {
  const { queued, deferred, leased, held, oldestAcceptedAt } = queue
  const oldest = oldestAcceptedAt === null ? '' : `; oldest ${age(now - oldestAcceptedAt)}`
  const minutes = Math.max(1, (now - startedAt) / 60_000)
  const rates = Object.entries(sinceStart)
    .filter(([name, value]) => value > 0 || name === 'accepted' || name === 'delivered')
    .map(([name, value]) => `${name} ${count(value)}${value === 0 ? '' : ` (${rate(value / minutes)})`}`)
  const waiting =
    queued + leased + held === 0
      ? 'empty'
      : `${count(queued)} queued (${count(deferred)} of them deferred), ${count(leased)} being sent, ${count(held)} held${oldest}`
  return [`${paint(context, 'bold', 'Queue:')}       ${waiting}`, `${paint(context, 'bold', 'Since start:')} ${rates.join(', ')}`]
}

function rate(perMinute: number): string {
  if (perMinute >= 60) return `${count(Math.round(perMinute / 60))}/s`
  return perMinute >= 1 ? `${Math.round(perMinute)}/min` : `${Math.max(1, Math.round(perMinute * 60))}/h`
}

function describeLanes(context: CliContext, { lanes, queue, now }: ServerStatus): readonly string[] {
  const waiting = new Map(queue.byLane.map(({ lane, queued }) => [lane, queued]))
  const known = new Set(lanes.map(({ lane }) => lane))
  const idleOnes = queue.byLane
    .filter(({ lane }) => !known.has(lane))
    .map(({ lane }): LaneStatus => ({ lane, state: 'open', width: 0, active: 0, ready: 0, until: null, reason: null }))
  const rows = [...lanes, ...idleOnes]
  if (rows.length === 0) return []
  const interest = (one: LaneStatus): number => (one.state === 'open' ? 0 : 1e9) + (waiting.get(one.lane) ?? 0) + one.active + one.ready
  const shown = rows.toSorted((a, b) => interest(b) - interest(a)).slice(0, LANES_MAX)
  const more = rows.length - shown.length
  return [
    '',
    ...createTable(context, laneColumns(waiting, now), 'screen').lines(shown),
    ...(more > 0 ? [`and ${counted(more, 'more lane')}: ${commandName(context)} status --json`] : []),
  ]
}

function laneColumns(waiting: ReadonlyMap<string, number>, now: number): readonly Column<LaneStatus>[] {
  return [
    { heading: 'LANE', text: ({ lane }) => lane, atLeast: 12 },
    { heading: 'STATE', text: ({ state }) => state, style: ({ state }) => (state === 'open' ? null : 'yellow') },
    { heading: 'QUEUED', text: ({ lane }) => count(waiting.get(lane) ?? 0), right: true },
    { heading: 'READY', text: ({ ready }) => count(ready), right: true },
    { heading: 'SENDING', text: ({ active }) => count(active), right: true },
    { heading: 'WIDTH', text: ({ width }) => String(Math.floor(width)), right: true, fromColumns: 100 },
    { heading: 'UNTIL', text: ({ until: end }) => (end === null ? '' : until(end, now)) },
    { heading: 'REASON', text: ({ reason }) => reason ?? '', atLeast: 12 },
  ]
}
