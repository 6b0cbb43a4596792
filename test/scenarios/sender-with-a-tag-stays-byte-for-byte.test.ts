/**
 * A sender whose local part says which recipient the mail was for (VERP), in any spelling: as it was
 * written through queue, retry and report, or the application could not tell who is meant. (The domain, in
 * which case means nothing, becomes lower case.)
 */
import { expect, it } from 'vitest'
import { peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

const SENDERS = ['Bounce+0042-Ann=Rcpt.Example@sender.example', '"odd name+x"@sender.example', 'prvs=4711ABC=app@sender.example']

it.each(SENDERS)('goes out as it came, at a retry and in the report, too: %s', async (from) => {
  let asked = 0
  const refuse = () => (++asked === 1 ? '451 4.2.0 Later' : '550 5.1.1 No such user')
  const peer = await peerWith(serving({ answers: { RCPT: (line) => (line.includes('@rcpt.example') ? refuse() : '250 2.1.5 Ok') } }))
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port)) })
  const mail = await server.send({ from, to: ['ann@rcpt.example'] })
  await server.passUntilStates(mail, 'failed')
  await server.until('the notice', () => peer.contents.length === 1)
  const paths = (verb: string) => peer.lines.filter((line) => line.startsWith(verb)).map((line) => /<.*>/.exec(line)?.[0])
  expect(paths('MAIL')).toEqual([`<${from}>`, `<${from}>`, '<>'])
  expect(paths('RCPT').at(-1)).toBe(`<${from}>`)
})
