import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { SmtpReply } from '../../src/core/reply.ts'
import type { Decision } from '../../src/smtp/server-engine.ts'
import { LIMITS, openServerSession, type Policy, type ServerSessionOptions } from '../support/server-session.ts'
import { type Dialogue, type DialoguePeer, parseDialogue, playDialogue, readDialogues } from './run-dialogues.ts'

const FOLDER = dirname(fileURLToPath(import.meta.url))
const dialogues = readDialogues(FOLDER)

/** The bare engine, under the file's settings and policy. */
function openEnginePeer(dialogue: Dialogue): DialoguePeer {
  const session = openServerSession(optionsOf(dialogue))
  const said: string[] = []
  let seen = 0
  const listen = () => said.push(...session.take().split('\r\n').slice(0, -1))
  return {
    send: (bytes) => session.engine.receive(bytes),
    read(count) {
      listen()
      return said.splice(0, count)
    },
    rest() {
      listen()
      return said
    },
    startTls: () => session.engine.tlsStarted(),
    stored: () => session.stored[seen++] ?? null,
    closed: () => session.closed,
  }
}

function optionsOf(dialogue: Dialogue): ServerSessionOptions {
  const settings: Record<string, unknown> = {}
  const limits: Record<string, number> = {}
  for (const [key, value] of dialogue.settings) {
    if (key in LIMITS) limits[key] = Number(value)
    else settings[key] = value === 'on' ? true : value === 'off' && key !== 'auth' ? false : value
  }
  const { implicitTls, ...rest } = settings
  return { settings: rest, limits, policy: policyOf(dialogue), implicitTls: implicitTls === true }
}

function policyOf(dialogue: Dialogue): Policy {
  const decide =
    (what: string) =>
    (subject: string): Decision => {
      const refusal = dialogue.refusals.find((candidate) => candidate.what === what && (candidate.name === '*' || subject.startsWith(candidate.name)))
      return refusal === undefined ? 'accept' : toReply(refusal.reply)
    }
  return { mail: decide('mail'), rcpt: decide('rcpt'), auth: decide('auth'), content: decide('content'), data: decide('data') }
}
function toReply(text: string): SmtpReply {
  return { code: Number(text.slice(0, 3)), enhanced: null, lines: [text.slice(4)] }
}

describe('dialogues against the bare engine', () => {
  it('are many, each with its story', () => {
    expect(dialogues.length).toBeGreaterThanOrEqual(25)
    for (const dialogue of dialogues) expect(dialogue.story, dialogue.name).not.toBe('')
  })
  for (const dialogue of dialogues) {
    it(`${dialogue.name}: ${dialogue.story}`, async () => {
      expect(await playDialogue(dialogue, openEnginePeer(dialogue), false)).toBeNull()
      if (!dialogue.onlyWhole) expect(await playDialogue(dialogue, openEnginePeer(dialogue), true)).toBeNull()
    })
  }
})

describe('the interpreter itself', () => {
  const greeting = 'S: 220 *\n'
  const failures: readonly (readonly [name: string, text: string, fault: RegExp])[] = [
    ['another reply', `${greeting}C: NOOP\nS: 251 *`, /x:3: wanted "251 \*", the server said "250 2.0.0 Ok"/],
    ['a reply that does not come', `${greeting}S: 250 *`, /the server said "nothing"/],
    ['a reply too many', `${greeting}C: NOOP`, /also said "250/],
    ['a session that is open', `${greeting}CLOSED quit`, /wanted a close \(quit\), it is open/],
    ['a message that is not there', `${greeting}STORED u@y v@z: x`, /there is null/],
  ]
  it.each(failures)('notices %s', async (_, text, fault) => {
    const dialogue = parseDialogue('x', text)
    expect(await playDialogue(dialogue, openEnginePeer(dialogue), false)).toMatch(fault)
  })
  it('does not read what it does not know', () => {
    expect(() => parseDialogue('x', 'D: what')).toThrow(/x:1/)
    expect(() => parseDialogue('x', 'REFUSE everything')).toThrow(/REFUSE what/)
  })
})
