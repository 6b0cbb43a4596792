/**
 * LMTP dialogues as text: `S:` the server says, `C:` we must say, `!` we are asked to, `=` what has come of it.
 * Each is played whole, octet by octet, and cut at every place of everything the server says.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type ClientSession, makePlan, openClientSession, type TestPlan } from '../support/client-session.ts'
import { bytewise, type Feeding, inChunks, whole } from '../support/feed.ts'

const FOLDER = join(import.meta.dirname, 'lmtp')
type Step = { readonly kind: 'S' | 'C' | '!' | '='; readonly text: string }

/** Lines of one speaker that follow each other are one step. */
function readSteps(file: string): readonly Step[] {
  const steps: { kind: Step['kind']; text: string }[] = []
  for (const line of readFileSync(join(FOLDER, file), 'utf8').split('\n')) {
    const [, kind, text = ''] = /^([SC]:|[!=])(?: (.*))?$/.exec(line) ?? []
    if (kind === undefined) continue
    const sign = kind.slice(0, 1) as Step['kind']
    const last = steps.at(-1)
    const spoken = sign === 'S' || sign === 'C'
    if (spoken && last?.kind === sign) last.text += `${text}\r\n`
    else steps.push({ kind: sign, text: spoken ? `${text}\r\n` : text })
  }
  return steps
}

interface Play {
  readonly session: ClientSession
  plan: TestPlan | null
}

function act(play: Play, text: string): void {
  const { engine } = play.session
  const [verb, ...words] = text.split(' ')
  if (verb === 'submit') {
    play.plan = makePlan(words)
    engine.submit(play.plan)
  } else if (verb === 'content') {
    engine.writeContent(Buffer.from('Subject: x\r\n\r\nbody\r\n'))
    engine.endContent()
  } else if (verb === 'lost') engine.lost('closed')
  else if (verb === 'quit') engine.quit()
  else throw new Error(`no such act: ${text}`)
}

function outcomeOf({ session, plan }: Play, text: string): string {
  if (text.startsWith('fault')) return `fault ${session.fault?.kind}`
  const ended = plan?.ended[0]
  return `${ended?.end} ${ended?.finalReplies?.map((reply) => reply?.code ?? '-').join(' ')}`
}

function perform(steps: readonly Step[], cut: (text: string) => Feeding): void {
  const play: Play = { session: openClientSession('client.test', true), plan: null }
  for (const { kind, text } of steps) {
    if (kind === 'S') for (const chunk of cut(text).chunks) play.session.engine.receive(chunk)
    else if (kind === 'C') expect(play.session.take()).toBe(text)
    else if (kind === '!') act(play, text)
    else expect(outcomeOf(play, text)).toBe(text)
  }
}

describe('LMTP dialogues', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.lmtp'))
  it.each(files)('%s', (file) => {
    const steps = readSteps(file)
    perform(steps, whole)
    perform(steps, bytewise)
    for (let size = 2; size < 120; size++) perform(steps, (text) => inChunks(text, [size]))
  })
})
