import { describe, expect, it } from 'vitest'
import { parseAgentAnswer, parseRequest } from '../../src/mailbox/agent-wire.ts'
import {
  AnswerReader,
  FRAME_OCTETS_MAX,
  type Frame,
  FrameReader,
  formatAnswer,
  frame,
  frameHead,
  parseBegin,
  type WorkerAnswer,
} from '../../src/mailbox/wire.ts'
import { everyWay, toBytes } from '../support/feed.ts'

function framesOf(chunks: readonly Buffer[]): readonly string[] {
  const reader = new FrameReader()
  const found: string[] = []
  for (const chunk of chunks) {
    reader.feed(chunk)
    for (let next: Frame | null = reader.next(); next !== null; next = reader.next()) found.push(`${next.kind} ${next.bytes.toString()}`)
  }
  return found
}

describe('frames to a worker', () => {
  it('are read cut anywhere, with more behind', () => {
    const bytes = Buffer.concat([frame('begin', '{"from":"ü@x","sizeOctets":1}'), frame('content', 'abc'), frame('content'), frame('commit'), frame('cancel')])
    for (const feeding of everyWay(bytes)) {
      expect(framesOf(feeding.chunks), feeding.name).toEqual(['begin {"from":"ü@x","sizeOctets":1}', 'content abc', 'content ', 'commit ', 'cancel '])
    }
  })

  it.each([
    ['of no kind that there is', Buffer.from([9, 0, 0, 0, 0])],
    ['too long', frameHead('content', FRAME_OCTETS_MAX + 1)],
    ['of endless length', Buffer.from([1, 255, 255, 255, 255])],
  ])('%s are refused', (_, bytes) => {
    expect(() => framesOf([bytes])).toThrow()
  })

  it.each(['', 'null', '[]', '{}', '{"from":1,"sizeOctets":1}', '{"from":"a","sizeOctets":-1}', '{"from":"a","sizeOctets":"1"}'])(
    'begin no message with %j',
    (text) => {
      expect(() => parseBegin(Buffer.from(text))).toThrow()
    },
  )
})

describe('answers of a worker', () => {
  const answers: readonly WorkerAnswer[] = [
    { kind: 'ready' },
    { kind: 'delivered' },
    { kind: 'refused', status: { class: 4, subject: 2, detail: 2 }, reason: 'full\nor so' },
  ]
  it('are read as they were written, cut anywhere', () => {
    for (const feeding of everyWay(toBytes(answers.map(formatAnswer).join('')))) {
      const reader = new AnswerReader()
      expect(feeding.chunks.flatMap((chunk) => reader.take(chunk.toString()))).toEqual(answers)
    }
  })

  it.each(['{"kind":"other"}', '{"kind":"refused"}', '{"kind":"refused","status":{"subject":"2","detail":2},"reason":"x"}', 'x', '1', 'null'])(
    'are refused: %s',
    (line) => {
      expect(() => new AnswerReader().take(`${line}\n`)).toThrow()
    },
  )

  it('have an end, and are never a failure: a worker may not bounce mail', () => {
    expect(() => new AnswerReader().take('x'.repeat(10_000))).toThrow(/without end/)
    const [answer] = new AnswerReader().take('{"kind":"refused","status":{"class":5,"subject":1,"detail":1},"reason":"x"}\n')
    expect(answer).toMatchObject({ status: { class: 4, subject: 1, detail: 1 } })
  })
})

describe('what is said to the agent and by it', () => {
  it('is taken only in its form', () => {
    expect(parseRequest({ kind: 'open', id: 1, user: 'bob', uid: 0, path: '/etc' })).toEqual({ kind: 'open', id: 1, user: 'bob' })
    expect(parseRequest({ kind: 'kill', id: 1, pid: 1 })).toEqual({ kind: 'kill', id: 1 })
    for (const value of [
      null,
      1,
      'open',
      {},
      { kind: 'open', id: 1 },
      { kind: 'open', id: 'x', user: 'bob' },
      { kind: 'exec', id: 1, user: 'x' },
      { kind: 'open', id: 1.5, user: 'b' },
    ])
      expect(parseRequest(value)).toBe(null)
    expect(parseAgentAnswer({ kind: 'opened', id: 3 })).toEqual({ kind: 'opened', id: 3 })
    for (const value of [null, {}, { kind: 'refused', id: 1 }, { kind: 'other', id: 1 }, { kind: 'opened' }]) expect(parseAgentAnswer(value)).toBe(null)
  })
})
