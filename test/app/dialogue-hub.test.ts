import { describe, expect, it } from 'vitest'
import { createDialogueHub } from '../../src/app/dialogue-hub.ts'
import type { QueueId } from '../../src/core/brand.ts'
import type { DialogueLine } from '../../src/ports/journal.ts'

const ID = '07M8QW4T3ZK' as QueueId
const NO_FILTER = { relay: null, from: null, to: null, queueId: null }

function lineOf(text: string, about: Partial<DialogueLine> = {}): DialogueLine {
  return { side: 'delivery', session: 'google#1', peer: 'google/jira', direction: '>', queueId: ID, to: ['ann@x.test'], ...about, text }
}
const LINES = [
  lineOf('login of jira', { from: 'app@jira.test' }),
  lineOf('login of mail', { peer: 'google/mail', to: ['bob@y.test'], queueId: null }),
  lineOf('other relay', { peer: 'google2', to: [] }),
  lineOf('direct', { peer: 'mx/mx1.friend.test', to: [], queueId: null }),
  lineOf('intake', { side: 'intake', session: 'in-1', peer: 'smtp://127.0.0.1:25', to: ['ann@x.test', 'bob@y.test'] }),
]

describe('watching the dialogue', () => {
  it.each([
    [{ relay: 'google' }, ['login of jira', 'login of mail']],
    [{ relay: 'Google/Jira' }, ['login of jira']],
    [{ relay: 'smtp:google/jira' }, ['login of jira']],
    [{ relay: 'smtp:google2/-' }, ['other relay']],
    [{ relay: 'smtp://127.0.0.1' }, ['intake']],
    [{ to: 'bob@*' }, ['login of mail', 'intake']],
    [{ to: 'ann@x.test', relay: 'google' }, ['login of jira']],
    [{ queueId: ID }, ['login of jira', 'other relay', 'intake']],
    [{ relay: 'goo' }, []],
    [{ from: '*@jira.test' }, ['login of jira']],
    [{ from: 'nobody@jira.test' }, []],
    [{ relay: 'mx' }, ['direct']],
    [{ relay: 'smtp:mx/mx1.friend.test' }, ['direct']],
  ])('with %j shows %j', (filter, texts) => {
    const hub = createDialogueHub()
    const seen: string[] = []
    hub.watch({ ...NO_FILTER, ...filter }, (line) => seen.push(line.text))
    for (const line of LINES) hub.line(line)
    expect(seen).toEqual(texts)
  })

  it('costs nothing before anybody looks and after everybody has gone', () => {
    const hub = createDialogueHub()
    expect(hub.active).toBe(false)
    const stop = hub.watch(NO_FILTER, () => undefined)
    expect(hub.active).toBe(true)
    stop()
    expect(hub.active).toBe(false)
  })
})
