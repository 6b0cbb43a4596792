/**
 * Reads dialogue files and plays them against a peer.
 *
 * A file is a story: first a comment that says what it shows, then
 *   SET name=value ...        settings and limits of the server (`pipelining=on`, `recipients=2`)
 *   REFUSE what name: reply   policy: `REFUSE rcpt no@z: 550 5.7.1 No` (mail, rcpt, auth, content)
 *   ONLY whole                not played octet by octet: the story is about what comes in one segment
 *   C: text                   a line of the client, CRLF added; neighbouring lines leave in one segment
 *   C| text                   octets of the client as they are, with \r \n \t \0 \\ and \xNN
 *   S: text                   a line of the server; a `*` at its end stands for anything
 *   TLS                       the handshake is done
 *   STORED from to,to: text   a message was stored, in this order, with this content (escaped)
 *   CLOSED reason             the server has closed the session
 * and `#` begins a comment. What the server says must be said in full: anything more is a failure.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export type DialogueStep =
  | { readonly kind: 'client'; readonly bytes: Buffer; readonly line: number }
  | { readonly kind: 'server'; readonly texts: readonly string[]; readonly line: number }
  | { readonly kind: 'tls'; readonly line: number }
  | { readonly kind: 'stored'; readonly from: string; readonly to: readonly string[]; readonly content: string; readonly line: number }
  | { readonly kind: 'closed'; readonly reason: string; readonly line: number }
export interface Refusal {
  readonly what: string
  readonly name: string
  readonly reply: string
}
export interface Dialogue {
  readonly name: string
  /** The first comment. */
  readonly story: string
  readonly settings: ReadonlyMap<string, string>
  readonly refusals: readonly Refusal[]
  readonly onlyWhole: boolean
  readonly steps: readonly DialogueStep[]
}

/** Whom a dialogue is played against: the bare engine, or a socket. */
export interface DialoguePeer {
  send(bytes: Buffer): void | Promise<void>
  /** The next lines that the server says, without CRLF; fewer if it says no more. */
  read(count: number): readonly string[] | Promise<readonly string[]>
  /** Everything else that the server says until the client has gone. */
  rest(): readonly string[] | Promise<readonly string[]>
  startTls(): void | Promise<void>
  /** The next message stored; null: none. */
  stored(): StoredFacts | null | Promise<StoredFacts | null>
  /** Why it closed; null: it is open. A peer that cannot know says `closed`. */
  closed(): string | null | Promise<string | null>
}
export interface StoredFacts {
  readonly from: string
  readonly to: readonly string[]
  readonly content: string
}

export function readDialogues(folder: string): readonly Dialogue[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.smtp'))
  return files.sort().map((file) => parseDialogue(file, readFileSync(join(folder, file), 'utf8')))
}

export function parseDialogue(name: string, text: string): Dialogue {
  const settings = new Map<string, string>()
  const refusals: Refusal[] = []
  const steps: DialogueStep[] = []
  let story = ''
  let onlyWhole = false
  for (const [index, source] of text.split('\n').entries()) {
    const line = index + 1
    if (source.startsWith('#')) story ||= source.slice(1).trim()
    else if (source.startsWith('SET ')) for (const [key, value] of readSettings(source.slice(4))) settings.set(key, value)
    else if (source.startsWith('REFUSE ')) refusals.push(readRefusal(source, `${name}:${line}`))
    else if (source === 'ONLY whole') onlyWhole = true
    else if (source.trim() !== '') addStep(steps, readStep(source, line, name))
  }
  return { name, story, settings, refusals, onlyWhole, steps }
}

function readSettings(text: string): [string, string][] {
  return text
    .trim()
    .split(/\s+/)
    .map((word) => {
      const [key = '', value = ''] = word.split('=')
      return [key, value]
    })
}

function readRefusal(source: string, where: string): Refusal {
  const [, what, name, reply] = /^REFUSE (\w+) (\S+): (.+)$/.exec(source) ?? []
  if (what === undefined || name === undefined || reply === undefined) throw new Error(`${where}: REFUSE what name: reply`)
  return { what, name, reply }
}

function readStep(source: string, line: number, name: string): DialogueStep {
  const [, word = '', rest = ''] = /^(C:|C\||S:|TLS|STORED|CLOSED) ?(.*)$/.exec(source) ?? []
  switch (word) {
    case 'C:':
      return { kind: 'client', bytes: Buffer.from(`${rest}\r\n`, 'utf8'), line }
    case 'C|':
      return { kind: 'client', bytes: Buffer.from(unescapeText(rest), 'latin1'), line }
    case 'S:':
      return { kind: 'server', texts: [rest], line }
    case 'TLS':
      return { kind: 'tls', line }
    case 'CLOSED':
      return { kind: 'closed', reason: rest, line }
    case 'STORED': {
      const [, from = '', to = '', content = ''] = /^(\S+) (\S+): ?(.*)$/.exec(rest) ?? []
      return { kind: 'stored', from, to: to.split(','), content: unescapeText(content), line }
    }
    default:
      throw new Error(`${name}:${line}: what is ${JSON.stringify(source)}?`)
  }
}

/** Neighbours of one side become one step. */
function addStep(steps: DialogueStep[], step: DialogueStep): void {
  const last = steps.at(-1)
  if (step.kind === 'client' && last?.kind === 'client') steps[steps.length - 1] = { ...last, bytes: Buffer.concat([last.bytes, step.bytes]) }
  else if (step.kind === 'server' && last?.kind === 'server') steps[steps.length - 1] = { ...last, texts: [...last.texts, ...step.texts] }
  else steps.push(step)
}

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' }
function unescapeText(text: string): string {
  return text.replace(/\\(x[0-9a-f]{2}|.)/gi, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : (ESCAPES[code] ?? code),
  )
}

/** Null if all went as written; else the first difference, for people. */
export async function playDialogue(dialogue: Dialogue, peer: DialoguePeer, bytewise: boolean): Promise<string | null> {
  for (const step of dialogue.steps) {
    const fault = await playStep(step, peer, bytewise)
    if (fault !== null) return `${dialogue.name}:${step.line}: ${fault}`
  }
  const [more] = await peer.rest()
  if (more !== undefined) return `${dialogue.name}: at the end the server also said ${JSON.stringify(more)}`
  return (await peer.stored()) === null ? null : `${dialogue.name}: at the end there is another message stored`
}

async function playStep(step: DialogueStep, peer: DialoguePeer, bytewise: boolean): Promise<string | null> {
  switch (step.kind) {
    case 'client': {
      const chunks = bytewise ? Array.from(step.bytes, (_, at) => step.bytes.subarray(at, at + 1)) : [step.bytes]
      for (const chunk of chunks) await peer.send(chunk)
      return null
    }
    case 'server': {
      const said = await peer.read(step.texts.length)
      const at = step.texts.findIndex((text, index) => !matches(text, said[index]))
      return at === -1 ? null : `wanted ${JSON.stringify(step.texts[at])}, the server said ${JSON.stringify(said[at] ?? 'nothing')}`
    }
    case 'tls':
      await peer.startTls()
      return null
    case 'stored': {
      const facts = await peer.stored()
      const wanted = { from: step.from, to: step.to, content: step.content }
      return JSON.stringify(facts) === JSON.stringify(wanted) ? null : `wanted ${JSON.stringify(wanted)} stored, there is ${JSON.stringify(facts)}`
    }
    case 'closed': {
      const reason = await peer.closed()
      return reason === step.reason || (reason === 'closed' && step.reason !== '') ? null : `wanted a close (${step.reason}), it is ${reason ?? 'open'}`
    }
  }
}

function matches(pattern: string, said: string | undefined): boolean {
  if (said === undefined) return false
  return pattern.endsWith('*') ? said.startsWith(pattern.slice(0, -1)) : said === pattern
}
