import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cheapHash, type Harness, LIMITS, makeUser, startIntake } from './harness.ts'

const b64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64')

describe('AUTH', () => {
  let harness: Harness
  beforeEach(async () => {
    harness = await startIntake({
      settings: {
        networks: [],
        users: [makeUser('jira', cheapHash('secret'), ['jira@example.com'])],
        limits: { ...LIMITS, authGuessesPerSession: 3, authGuessesPerClient: 5 },
      },
    })
  })
  afterEach(() => harness.end())

  it('takes PLAIN with and without an initial response, and LOGIN', async () => {
    const dialogues: readonly (readonly [string, ...string[]])[] = [
      [`AUTH PLAIN ${b64('\0jira\0secret')}`],
      [`AUTH PLAIN ${b64('jira\0jira\0secret')}`],
      ['AUTH PLAIN', b64('\0jira\0secret')],
      ['AUTH LOGIN', b64('jira'), b64('secret')],
      [`auth login ${b64('jira')}`, b64('secret')],
    ]
    for (const dialogue of dialogues) {
      const client = await harness.client()
      await client.hello()
      let reply = ''
      for (const line of dialogue) reply = await client.say(line)
      expect(reply, dialogue[0]).toMatch(/^235 2\.7\.0 /)
      expect(await client.submit('From: a@x\r\n\r\nx\r\n', { from: 'jira@example.com' })).toMatch(/^250 2\.0\.0 /)
      client.destroy()
    }
    expect(harness.accepted.map((record) => record.protocol)).toEqual(Array(5).fill('ESMTPA'))
  })

  it('lets a user send only under its own senders and the null reverse-path', async () => {
    const client = await harness.client()
    await client.hello()
    await client.say(`AUTH PLAIN ${b64('\0jira\0secret')}`)
    expect(await client.say('MAIL FROM:<boss@example.com>')).toMatch(/^553 5\.7\.1 /)
    expect(await client.say('RCPT TO:<b@y.example>')).toMatch(/^503 /)
    expect(await client.say('MAIL FROM:<>')).toMatch(/^250 /)
  })

  it('answers edge cases as RFC 4954 says (A04)', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['AUTH LOGIN', '*'], /^501 /],
      [['AUTH PLAIN ='], /^(501|535) /],
      [['AUTH PLAIN !!!'], /^501 /],
      [[`AUTH PLAIN ${b64('jira\0secret')}`], /^501 /],
      [[`AUTH PLAIN ${b64('boss\0jira\0secret')}`], /^535 /],
      [[`AUTH PLAIN ${b64('\0ji\0ra\0secret')}`], /^501 /],
      [['AUTH CRAM-MD5'], /^504 /],
      [['AUTH'], /^501 /],
      [[`AUTH PLAIN ${'A'.repeat(12_288)}`], /^50[01] /],
    ]
    for (const [lines, expected] of cases) {
      const client = await harness.client()
      await client.hello()
      let reply = ''
      for (const line of lines) reply = await client.say(line)
      expect(reply, lines[0]?.slice(0, 40)).toMatch(expected)
      expect(await client.say('MAIL FROM:<>')).toMatch(/^250 /)
      expect(await client.say('RCPT TO:<b@y.example>')).toMatch(/^554 5\.7\.1 /)
      client.destroy()
    }
    const twice = await harness.client()
    await twice.hello()
    await twice.say(`AUTH PLAIN ${b64('\0jira\0secret')}`)
    expect(await twice.say(`AUTH PLAIN ${b64('\0jira\0secret')}`)).toMatch(/^503 /)
    const inside = await harness.client()
    await inside.hello()
    await inside.say('MAIL FROM:<>')
    expect(await inside.say(`AUTH PLAIN ${b64('\0jira\0secret')}`)).toMatch(/^503 /)
    const endless = await harness.client()
    await endless.hello()
    endless.send('AUTH PLAIN '.padEnd(1_000_000, 'A'))
    await endless.gone()
  })

  it('sends a session away that guesses too often', async () => {
    const client = await harness.client()
    await client.hello()
    expect(await client.say(`AUTH PLAIN ${b64('\0jira\0one')}`)).toMatch(/^535 5\.7\.8 /)
    expect(await client.say(`AUTH PLAIN ${b64('\0nobody\0two')}`)).toMatch(/^535 5\.7\.8 /)
    expect(await client.say(`AUTH PLAIN ${b64('\0jira\0three')}`)).toMatch(/^421 4\.7\.0 /)
    await client.gone()
  })

  it('sends a client away that guesses over many sessions, and nobody from another address (A03)', async () => {
    const answers: string[] = []
    for (let i = 0; i < 8; i++) {
      const client = await harness.client({ from: '127.0.0.9' })
      await client.hello()
      answers.push((await client.say(`AUTH PLAIN ${b64(`\0jira\0${i}`)}`)).slice(0, 3))
      client.destroy()
    }
    expect(answers).toEqual(['535', '535', '535', '535', '535', '421', '421', '421'])
    const guesser = await harness.client({ from: '127.0.0.9' })
    await guesser.hello()
    expect(await guesser.say(`AUTH PLAIN ${b64('\0jira\0secret')}`)).toMatch(/^421 4\.7\.0 /)
    const honest = await harness.client({ from: '127.0.0.10' })
    await honest.hello()
    expect(await honest.say(`AUTH PLAIN ${b64('\0jira\0secret')}`)).toMatch(/^235 /)
    await harness.clock.advance(600_000)
    const later = await harness.client({ from: '127.0.0.9' })
    await later.hello()
    expect(await later.say(`AUTH PLAIN ${b64('\0jira\0secret')}`)).toMatch(/^235 /)
  })

  it('shows no secret to those who watch the dialogue or read the journal (A01)', async () => {
    harness.tap.active = true
    const client = await harness.client()
    await client.hello()
    await client.say(`AUTH PLAIN ${b64('\0jira\0canary1')}`)
    await client.say('AUTH LOGIN')
    await client.say(b64('jira'))
    await client.say(b64('canary2'))
    const seen = JSON.stringify([harness.dialogue, harness.notes])
    expect(harness.dialogue.length).toBeGreaterThan(8)
    for (const secret of ['canary1', 'canary2', b64('\0jira\0canary1'), b64('canary2'), b64('canary1')]) expect(seen).not.toContain(secret)
  })
})
