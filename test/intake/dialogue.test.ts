import { afterEach, expect, it } from 'vitest'
import { type Harness, startIntake } from './harness.ts'

let harness: Harness
afterEach(() => harness.end())

it('a line of the live dialogue is about the recipients so far, and its last reply about the message', async () => {
  harness = await startIntake()
  harness.tap.active = true
  const client = await harness.client()
  await client.hello()
  await client.say('MAIL FROM:<app@example.com>')
  await client.say('RCPT TO:<ann@x.test>')
  await client.say('rcpt to:<bob@y.test> NOTIFY=NEVER')
  await client.say('DATA')
  const last = await client.say('Subject: x\r\n\r\nhi\r\n.')
  const id = /queued as (\S+)/.exec(last)?.[1]
  await client.say('NOOP')
  const after = (text: string) => harness.dialogue.find((line) => line.text.startsWith(text))
  expect(after('EHLO')?.from).toBeUndefined()
  for (const text of ['MAIL', 'RCPT', 'DATA', last]) expect(after(text)?.from).toBe('app@example.com')
  expect(after('NOOP')?.from).toBeUndefined()
  expect(after('RCPT')?.to).toEqual(['ann@x.test'])
  expect(after('rcpt')?.to).toEqual(['ann@x.test', 'bob@y.test'])
  expect(after('DATA')).toMatchObject({ to: ['ann@x.test', 'bob@y.test'], queueId: null })
  expect(after(last)).toMatchObject({ to: ['ann@x.test', 'bob@y.test'], queueId: id })
  expect(after('NOOP')).toMatchObject({ to: [], queueId: null })
})
