import { describe, expect, it } from 'vitest'
import { createControl } from '../../src/app/control.ts'

type Parts = Parameters<typeof createControl>[0]

/** Only what a flush asks for. */
function flushing(answers: { readonly opened: readonly string[]; readonly changed: number }) {
  const woken: string[] = []
  const lanes = ['smtp:google/jira', 'smtp:ses/-'].map((lane) => ({ lane, state: 'open', width: 1, active: 0, ready: 0, until: null, reason: null }))
  const delivery = { openLanes: () => answers.opened, lanes: () => lanes, wake: () => woken.push('wake') }
  const admin = { act: () => Promise.resolve({ changed: answers.changed, pending: 0 }) }
  const clock = { now: () => 0 }
  return { control: createControl({ delivery, admin, clock } as unknown as Parts), woken }
}

describe('a route explained', () => {
  const explaining = (rewriter: unknown = null) =>
    createControl({
      delivery: { explain: async (query: { to: string }) => query.to },
      rewriter: () => rewriter,
      hostname: () => 'app.example',
      clock: { now: () => 0 },
    } as unknown as Parts)
  const ask = (from: string, to: string) => explaining().explainRoute({ from, to, submitter: null, header: [] })

  it.each([
    ['a@x.example', 'nobody', '"nobody" is no address'],
    ['a@x.example', '', '"" is no address'],
    ['a@x.example', 'b c@x.example', '"b c@x.example" is no address'],
    ['root', 'b@x.example', '"root" is no address'],
  ])('is refused where the mail would be: from %j to %j', async (from, to, told) => {
    await expect(ask(from, to)).rejects.toMatchObject({ code: 'bad-request', message: expect.stringContaining(told) })
  })

  it('takes the postmaster without a domain, as the server does', async () => {
    expect(await ask('a@x.example', 'Postmaster')).toBe('Postmaster@app.example')
  })

  it('takes the null sender', async () => {
    expect(await ask('', 'b@x.example')).toBe('b@x.example')
    expect(await ask('<>', 'b@x.example')).toBe('b@x.example')
  })
})

describe('a flush', () => {
  it('says which lanes it opened, although nothing waited for a later time', async () => {
    const { control, woken } = flushing({ opened: ['smtp:ses/-'], changed: 0 })
    expect(await control.flush('ses')).toEqual({ recipients: 0, lanes: ['smtp:ses/-'] })
    expect(woken).toEqual(['wake'])
  })

  it.each(['google', 'google/jira', 'smtp:google/jira', 'ses', null])('knows %s, open as it is', async (name) => {
    expect(await flushing({ opened: [], changed: 0 }).control.flush(name)).toEqual({ recipients: 0, lanes: [] })
  })

  it.each(['goggle', 'google/wiki', 'goo', 'smtp:', ''])('refuses %j, which is no name of a relay', async (name) => {
    await expect(flushing({ opened: [], changed: 0 }).control.flush(name)).rejects.toMatchObject({ code: 'not-found' })
  })

  it('takes the name of a relay that is gone while its mail still waits', async () => {
    expect(await flushing({ opened: [], changed: 7 }).control.flush('old')).toEqual({ recipients: 7, lanes: [] })
  })
})

describe('the status', () => {
  it('counts what was answered, although what follows an answer is put off', async () => {
    const counters = { accepted: 0 }
    const control = createControl({
      version: '1',
      hostname: () => 'app.example',
      configFile: () => null,
      intake: { status: () => [], underPressure: () => false },
      delivery: { lanes: () => [] },
      admin: { counts: async () => ({}) },
      journal: { counters },
      clock: { now: () => 0 },
      intakePaused: () => null,
      tableFaults: () => [],
      catchUp: () => counters.accepted++,
    } as unknown as Parts)
    expect((await control.status()).sinceStart.accepted).toBe(1)
  })
})
