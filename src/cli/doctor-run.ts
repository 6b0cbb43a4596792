/**
 * Runs the doctor for `postern doctor`, and lays its findings out for people.
 */
import type { ServerStatus, StoryAnswer } from '../admin/api-types.ts'
import { loadConfig } from '../app/config.ts'
import { ConfigError } from '../app/config-errors.ts'
import { CHECKS, type CheckName, countFindings, type DoctorRequest, examineSetup, type Finding, formatDnsLine, type SentMail } from '../app/doctor.ts'
import type { EpochMs } from '../core/brand.ts'
import type { StateKind } from '../core/recipient-state.ts'
import { type AdminClient, connectClient } from './client.ts'
import type { CliContext } from './context.ts'
import { asTyped, CliError, EXIT, remark } from './context.ts'
import { refusedBy } from './dkim-shown.ts'
import { escapeText } from './escape.ts'
import { counted, type Paint, paint } from './format.ts'
import { fetchPages, type Listing } from './rows.ts'
import type { GlobalOptions } from './socket-path.ts'

export interface DoctorOptions {
  readonly domain?: readonly string[]
  readonly address?: readonly string[]
  readonly port25?: string
}
export interface Examined {
  readonly hostname: string
  readonly configFile: string | null
  readonly counts: { readonly ok: number; readonly warning: number; readonly fault: number; readonly skipped: number }
  readonly findings: readonly Finding[]
}

const DAY_MS = 24 * 3_600_000
/** Mails of the last day that are looked at: enough to meet every kind. */
const ROWS_MAX = 5_000
const LEFT_OR_LEAVING: readonly StateKind[] = ['delivered', 'queued', 'leased', 'failed', 'expired']
/** Kinds of mail, and mails of each that are looked at whole. */
const KINDS_MAX = 50
const EXAMPLES_MAX = 5

export interface Asked {
  readonly checks: readonly CheckName[]
  readonly options: DoctorOptions
}

/** A configuration that cannot be read is told like any other fault of it. */
export async function runDoctor(context: CliContext, globals: GlobalOptions, asked: Asked): Promise<Examined> {
  try {
    return await examineLoaded(context, globals, asked)
  } catch (fault) {
    if (fault instanceof ConfigError) throw refusedBy(fault.problems, 'postern config check says all that is wrong.')
    throw fault
  }
}

async function examineLoaded(context: CliContext, globals: GlobalOptions, asked: Asked): Promise<Examined> {
  const loaded = loadConfig({ explicitPath: globals.config ?? null, env: context.env, cwd: context.cwd })
  const names = asked.checks.length === 0 ? CHECKS : asked.checks
  const request: DoctorRequest = {
    loaded,
    names,
    domains: asked.options.domain ?? [],
    addresses: asked.options.address ?? [],
    port25Host: asked.options.port25 ?? null,
    server: await askServer(context, globals),
    clock: context.clock,
    done: (name, left) => showProgress(context, globals, { name, left, all: names.length }),
  }
  const { hostname, findings } = await examineSetup(request)
  const typed = findings.map((finding) => ({ ...finding, remedy: finding.remedy === null ? null : asTyped(context, finding.remedy) }))
  return { hostname, configFile: loaded.file, counts: countFindings(findings), findings: typed }
}

function showProgress(context: CliContext, globals: GlobalOptions, at: { readonly name: string; readonly left: number; readonly all: number }): void {
  if (!context.outputIsTerminal || globals.json === true) return
  const text = at.left === 0 ? '' : `${at.all - at.left} of ${at.all} checks are done ...`
  context.stderr.write(`\r${text.padEnd(40)}\r`)
}

/** Null if no server answers: the examination goes on without it. */
async function askServer(context: CliContext, globals: GlobalOptions): Promise<DoctorRequest['server']> {
  const client = await connectClient(context, globals)
  try {
    const { pid, now } = await client.get<ServerStatus>('/v1/status')
    return { pid, sent: await sentMail(client, (now - DAY_MS) as EpochMs) }
  } catch (error) {
    if (error instanceof CliError && error.exitCode === EXIT.notRunning) return null
    if (error instanceof CliError) {
      remark(context, `The server could not be asked what it sent: ${error.message}`)
      return null
    }
    throw error
  }
}

/** Some mails of each kind: sender domain and way out. What they show in From need not be the same. */
async function sentMail(client: AdminClient, since: EpochMs): Promise<readonly SentMail[]> {
  const kinds = new Map<string, { readonly queueId: string; readonly lane: string }[]>()
  const listing: Listing = { filter: { states: LEFT_OR_LEAVING, acceptedAfter: since }, limit: ROWS_MAX, after: null }
  for await (const { rows } of fetchPages(client, listing)) {
    for (const { sender, lane, queueId } of rows) {
      const way = wayOf(lane)
      if (way === null) continue
      const key = `${sender.slice(sender.lastIndexOf('@') + 1).toLowerCase()} ${way}`
      const kind = kinds.get(key) ?? []
      if (kind.length < EXAMPLES_MAX && !kind.some((one) => one.queueId === queueId)) kind.push({ queueId, lane })
      if (kinds.has(key) || kinds.size < KINDS_MAX) kinds.set(key, kind)
    }
  }
  const sent: SentMail[] = []
  for (const kind of kinds.values()) {
    sent.push(...(await Promise.all(kind.map(async ({ queueId, lane }) => sentAs(await client.get<StoryAnswer>(`/v1/messages/${queueId}`), lane)))))
  }
  return sent
}

/** The relay, or `mx` for all receivers together; null: it did not leave. */
function wayOf(lane: string): string | null {
  return /^smtp:([^/]*)/.exec(lane)?.[1] ?? null
}

function sentAs({ message }: StoryAnswer, lane: string): SentMail {
  const name = wayOf(lane) ?? ''
  return {
    from: domainIn(message.header.from ?? ''),
    envelope: message.sender === '<>' ? null : domainIn(message.sender),
    signedBy: [...message.prefix.matchAll(/^DKIM-Signature:[\s\S]*?\bd=([^;\s]+)/gim)].map(([, domain = '']) => domain.toLowerCase()),
    departure: name === 'mx' ? { kind: 'direct', relay: '' } : { kind: 'relay', relay: name },
    messages: 1,
  }
}

/** Of the last address in a field or path; null: there is none. */
function domainIn(text: string): string | null {
  const found = [...text.matchAll(/@([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)/g)].at(-1)
  return found?.[1]?.toLowerCase() ?? null
}

const LOOKS: Readonly<Record<Finding['state'], { readonly word: string; readonly paint: Paint }>> = {
  ok: { word: 'ok', paint: 'green' },
  warning: { word: 'warning', paint: 'yellow' },
  fault: { word: 'FAULT', paint: 'red' },
  skipped: { word: 'skipped', paint: 'dim' },
}
const WORD_PLACES = 9
const NAME_PLACES = 15

export function describeFindings(context: CliContext, { hostname, configFile, counts, findings }: Examined): readonly string[] {
  const groups = [...new Set(findings.map(({ group }) => group))]
  const order = groups.toSorted((a, b) => rankOf(a) - rankOf(b))
  const sections = order.flatMap((group) => [
    '',
    paint(context, 'bold', titleOf(group)),
    ...findings.filter((finding) => finding.group === group).flatMap((finding) => describeFinding(context, finding)),
  ])
  const parts = [
    counted(counts.fault, 'fault'),
    counted(counts.warning, 'warning'),
    `${counts.ok} ok`,
    ...(counts.skipped === 0 ? [] : [`${counts.skipped} skipped`]),
  ]
  const verdict = paint(context, counts.fault > 0 ? 'red' : counts.warning > 0 ? 'yellow' : 'green', `${parts.join(', ')}.`)
  return [
    `Examined ${escapeText(hostname)}, configuration: ${configFile === null ? 'none, built-in defaults' : escapeText(configFile)}`,
    ...sections,
    '',
    verdict,
  ]
}

function describeFinding(context: CliContext, { check, state, says, remedy, record }: Finding): readonly string[] {
  const look = LOOKS[state]
  const indent = ' '.repeat(2 + WORD_PLACES + NAME_PLACES)
  const first = `  ${paint(context, look.paint, look.word.padEnd(WORD_PLACES))}${check.padEnd(NAME_PLACES)}${escapeText(says)}`
  return [
    first,
    ...(remedy === null || remedy === '' ? [] : [`${indent}${escapeText(remedy)}`]),
    ...(record === null ? [] : [`${indent}${paint(context, 'bold', escapeText(formatDnsLine(record)))}`]),
  ]
}

function titleOf(group: string): string {
  if (group === 'server') return 'This server'
  return group.startsWith('relay ') ? `Relay ${escapeText(group.slice('relay '.length))}` : `Sender domain ${escapeText(group)}`
}

function rankOf(group: string): number {
  if (group === 'server') return 0
  return group.startsWith('relay ') ? 1 : 2
}
