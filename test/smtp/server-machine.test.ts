import { describe, expect, it } from 'vitest'
import type { SmtpReply } from '../../src/core/reply.ts'
import type { Verb } from '../../src/smtp/command.ts'
import { type CommandState, DIALOGUE, findCell, type Gates, type ServerState } from '../../src/smtp/server-machine.ts'
import { ACCEPTANCE, REPLIES } from '../../src/smtp/server-replies.ts'
import { codes, openServerSession } from '../support/server-session.ts'

const STATES = Object.keys(DIALOGUE) as CommandState[]
const VERBS = Object.keys(DIALOGUE.connected) as Verb[]
const OPEN: Gates = {
  tls: false,
  authenticated: false,
  esmtp: true,
  startTls: true,
  requireTls: false,
  auth: 'always',
  requireAuth: false,
  offerRequireTls: false,
}

describe('the table of the server dialogue', () => {
  it('reaches every state, and closing from every state', () => {
    const reached = new Set<ServerState>(['connected'])
    for (const state of reached) {
      // Content leads back to greeted.
      const cells = state === 'content' || state === 'closing' ? [] : Object.values(DIALOGUE[state])
      for (const cell of cells) if (cell.kind === 'run') reached.add(cell.accepted).add(cell.refused)
    }
    expect([...reached].sort()).toEqual([...STATES, 'closing', 'content'].sort())
    for (const state of STATES) expect(DIALOGUE[state].QUIT).toMatchObject({ kind: 'run', accepted: 'closing' })
  })
  it('has a cell for every verb in every state', () => {
    for (const state of STATES) expect(Object.keys(DIALOGUE[state]).sort()).toEqual([...VERBS].sort())
  })
  it('opens content only from rcpt, rcpt only with RCPT, and a transaction only with MAIL', () => {
    for (const state of STATES) {
      for (const verb of VERBS) {
        const cell = DIALOGUE[state][verb]
        if (cell.kind !== 'run') continue
        if (cell.accepted === 'content') expect([state, verb]).toEqual(['rcpt', 'DATA'])
        if (cell.accepted === 'rcpt' && state !== 'rcpt') expect([state, verb]).toEqual(['mail', 'RCPT'])
        if (cell.accepted === 'mail' && state !== 'mail') expect([state, verb]).toEqual(['greeted', 'MAIL'])
      }
    }
  })
  it('allows STARTTLS and AUTH outside transactions only', () => {
    for (const state of STATES) {
      for (const verb of ['STARTTLS', 'AUTH'] as const) expect(DIALOGUE[state][verb].kind === 'run', `${verb} in ${state}`).toBe(state === 'greeted')
    }
  })

  const gated: readonly (readonly [verb: Verb, gates: Partial<Gates>, reply: SmtpReply])[] = [
    ['MAIL', { requireTls: true }, REPLIES.tlsFirst],
    ['HELO', { requireTls: true }, REPLIES.tlsFirst],
    ['AUTH', { requireTls: true }, REPLIES.tlsFirst],
    ['VRFY', { requireTls: true }, REPLIES.tlsFirst],
    ['RSET', { requireTls: true }, REPLIES.tlsFirst],
    ['unknown', { requireTls: true }, REPLIES.tlsFirst],
    ['MAIL', { requireAuth: true }, REPLIES.authFirst],
    ['AUTH', { auth: 'off' }, REPLIES.notOffered],
    ['AUTH', { auth: 'with-tls' }, REPLIES.authNeedsTls],
    ['AUTH', { authenticated: true }, REPLIES.alreadyAuthenticated],
    ['AUTH', { esmtp: false }, REPLIES.authAfterHelo],
    ['STARTTLS', { tls: true }, REPLIES.alreadyTls],
    ['STARTTLS', { startTls: false }, REPLIES.notOffered],
    ['STARTTLS', { authenticated: true }, REPLIES.alreadyAuthenticated],
  ]
  it.each(gated)('refuses %s behind the gate %o', (verb, gates, reply) => {
    expect(findCell('greeted', verb, { ...OPEN, ...gates })).toEqual({ kind: 'refuse', reply })
  })
  it.each(['EHLO', 'NOOP', 'STARTTLS', 'QUIT'] as const)('lets %s pass before TLS', (verb) => {
    expect(findCell('greeted', verb, { ...OPEN, requireTls: true }).kind).toBe('run')
  })
  it.each(['MAIL', 'AUTH', 'RSET'] as const)('lets %s pass inside TLS', (verb) => {
    expect(findCell('greeted', verb, { ...OPEN, requireTls: true, tls: true, auth: 'with-tls' }).kind).toBe('run')
  })
})

describe('the replies of the server', () => {
  const all = Object.entries({ ...REPLIES, ...ACCEPTANCE })
  it.each(all)('%s carries a registered code of its own class, but for 3yz (RFC 2034)', (_, said) => {
    const digit = Math.floor(said.code / 100)
    if (digit === 3) expect(said.enhanced).toBeNull()
    else expect(said.enhanced?.class).toBe(digit)
    expect(said.lines.join('').length).toBeLessThan(500)
    expect(said.lines.join('')).toMatch(/^[ -~]+$/)
  })
})

/** One action of a client, good, bad or refused by policy; and what it does to a transaction that we keep by ourselves. */
interface Action {
  readonly name: string
  readonly text: string
  readonly effect: 'mail' | 'rcpt' | 'reset' | 'none'
}
const ACTIONS: readonly Action[] = [
  { name: 'EHLO', text: 'EHLO a\r\n', effect: 'reset' },
  { name: 'EHLO without name', text: 'EHLO\r\n', effect: 'none' },
  { name: 'HELO', text: 'HELO a\r\n', effect: 'reset' },
  { name: 'RSET', text: 'RSET\r\n', effect: 'reset' },
  { name: 'NOOP', text: 'NOOP\r\n', effect: 'none' },
  { name: 'VRFY', text: 'VRFY \xc3\xbc\r\n', effect: 'none' },
  { name: 'EXPN', text: 'EXPN a\r\n', effect: 'none' },
  { name: 'BDAT', text: 'BDAT 1 LAST\r\n', effect: 'none' },
  { name: 'MAIL', text: 'MAIL FROM:<u@y>\r\n', effect: 'mail' },
  { name: 'MAIL with bad syntax', text: 'MAIL FROM:<u@@y>\r\n', effect: 'none' },
  { name: 'MAIL refused', text: 'MAIL FROM:<no@y>\r\n', effect: 'none' },
  { name: 'RCPT', text: 'RCPT TO:<v@y>\r\n', effect: 'rcpt' },
  { name: 'RCPT with bad syntax', text: 'RCPT TO:<v>\r\n', effect: 'none' },
  { name: 'RCPT refused', text: 'RCPT TO:<no@y>\r\n', effect: 'none' },
  { name: 'AUTH ok', text: 'AUTH PLAIN AHUAcA==\r\n', effect: 'none' },
  { name: 'AUTH refused', text: 'AUTH PLAIN AHUAbm8=\r\n', effect: 'none' },
  { name: 'AUTH malformed', text: 'AUTH PLAIN !\r\n', effect: 'none' },
  { name: 'STARTTLS', text: 'STARTTLS\r\n', effect: 'none' },
  { name: 'DATA with argument', text: 'DATA x\r\n', effect: 'none' },
  { name: 'unknown', text: 'WIZ\r\n', effect: 'none' },
]
const REFUSED = { code: 550, enhanced: null, lines: ['no'] } as const satisfies SmtpReply

describe('DATA, after anything (S20)', () => {
  it('is refused unless MAIL and RCPT of this very transaction were accepted', () => {
    const policy = {
      mail: (from: string) => (from.startsWith('no') ? REFUSED : 'accept'),
      rcpt: (to: string) => (to.startsWith('no') ? REFUSED : 'accept'),
      auth: (login: string) => (login.endsWith('no') ? REFUSED : 'accept'),
    } as const
    let opened = 0
    const tryOut = (actions: readonly Action[]) => {
      const session = openServerSession({ settings: { auth: 'always', startTls: true }, limits: { errorsPerSession: 1000, junkPerSession: 1000 }, policy })
      session.take()
      let state: 'connected' | 'greeted' | 'mail' | 'rcpt' = 'connected'
      for (const action of actions) {
        const [code = ''] = codes(session.say(action.text))
        const accepted = code.startsWith('2')
        if (action.name === 'STARTTLS' && accepted) {
          session.engine.tlsStarted()
          state = 'connected'
        } else if (accepted && action.effect === 'reset') state = state === 'connected' && action.name === 'RSET' ? 'connected' : 'greeted'
        else if (accepted && action.effect === 'mail') state = 'mail'
        else if (accepted && action.effect === 'rcpt') state = 'rcpt'
      }
      const [reply = ''] = codes(session.say('DATA\r\n'))
      const story = actions.map((action) => action.name).join(', ')
      expect(reply.slice(0, 3), story).toMatch(state === 'rcpt' ? /354/ : /503|554/)
      if (reply.startsWith('354')) opened++
      expect(session.engine.state, story).toBe(state === 'rcpt' ? 'content' : state)
    }
    const [ehlo, mail, rcpt] = ['EHLO', 'MAIL', 'RCPT'].map((name) => ACTIONS.find((action) => action.name === name)!) as [Action, Action, Action]
    for (const prefix of [[], [ehlo], [ehlo, mail], [ehlo, mail, rcpt]]) {
      for (const first of ACTIONS) for (const second of ACTIONS) tryOut([...prefix, first, second])
    }
    for (const first of ACTIONS) for (const second of ACTIONS) for (const third of ACTIONS) tryOut([ehlo, mail, first, second, third])
    expect(opened).toBeGreaterThan(500)
  })

  it('needs a new MAIL after content, accepted or refused', () => {
    for (const ending of ['x\r\n.\r\n', 'x\ny\r\n.\r\n', 'no\r\n.\r\n']) {
      const session = openServerSession({ policy: { content: (content) => (content.startsWith('no') ? REFUSED : 'accept') } })
      session.say('EHLO a\r\n')
      session.say('MAIL FROM:<u@y>\r\n')
      session.say('RCPT TO:<v@y>\r\n')
      session.say('DATA\r\n')
      session.say(ending)
      expect(codes(session.say('DATA\r\n'))).toEqual(['503 5.5.1'])
      expect(codes(session.say('RCPT TO:<v@y>\r\n'))).toEqual(['503 5.5.1'])
    }
  })

  it('needs a new MAIL when DATA itself was refused', () => {
    const session = openServerSession({ policy: { data: () => REFUSED } })
    session.say('EHLO a\r\n')
    session.say('MAIL FROM:<u@y>\r\n')
    session.say('RCPT TO:<v@y>\r\n')
    expect(codes(session.say('DATA\r\n'))).toEqual(['550'])
    expect(codes(session.say('DATA\r\n'))).toEqual(['503 5.5.1'])
    expect(session.log).toContain('reset')
  })
})
