/**
 * One application's password is wrong: its mail waits and the login is not tried again and again,
 * while another's login at the same relay goes on. When the password is right, the mail follows.
 */
import { expect, it } from 'vitest'
import { CAPABILITIES } from '../support/scripted-peer.ts'
import { credentialFor, peerWith, relayAt, serving, settingsFor } from '../support/story-settings.ts'
import { startServer } from '../support/whole-server.ts'

it('pauses one login, spares the other, and bounces nothing', async () => {
  const guesses: string[] = []
  let mended = false
  const logIn = (line: string) => {
    const [, user = ''] = Buffer.from(line.split(' ')[2] ?? '', 'base64')
      .toString()
      .split('\0')
    guesses.push(user)
    return user.startsWith('jira') && !mended ? '535 5.7.8 Wrong password' : '235 2.7.0 Ok'
  }
  const peer = await peerWith(serving({ capabilities: [...CAPABILITIES, 'AUTH PLAIN'], answers: { AUTH: logIn } }))
  const credentials = [credentialFor('jira', 'jira@sender.example'), credentialFor('wiki', 'wiki@sender.example')]
  const server = await startServer({ delivery: settingsFor(relayAt('relay', peer.port), {}, credentials) })
  const stateOf = (credential: string) => server.delivery.lanes().find(({ lane }) => lane === `smtp:relay/${credential}`)?.state
  const first = await server.send({ from: 'jira@sender.example' })
  await server.until('the login to be paused', () => stateOf('jira') === 'paused')
  const second = await server.send({ from: 'jira@sender.example' })
  const other = await server.send({ from: 'wiki@sender.example' })
  await server.untilStates(other, 'delivered')
  await server.untilStates(first, 'queued')
  expect([await server.states(second), stateOf('wiki')]).toEqual([['queued'], 'open'])
  expect(guesses).toEqual(['jira@login.test', 'wiki@login.test'])
  mended = true
  await server.passUntilStates(first, 'delivered')
  await server.passUntilStates(second, 'delivered')
  expect(peer.contents).toHaveLength(3)
  expect(await server.store.admin.count({})).toBe(3)
})
