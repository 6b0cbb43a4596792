import { describe, expect, it } from 'vitest'
import { explainRewriting, explainRewrittenRoute } from '../../src/app/explain-rewriting.ts'
import type { RouteExplanation } from '../../src/ports/server-control.ts'
import { createRewriter } from '../../src/rewrite/rewriter.ts'
import { makeRewrite, type SettingsText } from '../rewrite/settings.ts'

const SETTINGS: SettingsText = {
  recipients: ['sales@x.example bob@host.example, ann@y.example\nself@x.example lost@x.example\nlost@x.example self@x.example'],
  sendAs: [{ from: 'corp.example', as: 'noreply@x.example' }],
  local: { aliases: 'cmd: |/bin/x' },
}
const rewriter = createRewriter(makeRewrite(SETTINGS))
const delivery = {
  explain: async ({ from, to }: { readonly from: string; readonly to: string }): Promise<RouteExplanation> => ({
    from,
    to,
    steps: [],
    decision: 'relay',
    lane: 'smtp:relay/-',
    credential: null,
    hosts: null,
    obstacle: null,
  }),
}
const route = (from: string, to: string, by = rewriter) => explainRewrittenRoute(delivery, by, { from, to, submitter: null, header: [] })

describe('an address explained', () => {
  it('is a tree with the rule of each step', () => {
    expect(explainRewriting(rewriter, { address: 'sales@x.example', from: null })?.recipient).toEqual({
      address: 'sales@x.example',
      rule: 'rule 0',
      kind: null,
      end: null,
      children: [
        { address: 'bob@host.example', rule: null, kind: 'local-user', end: 'mailbox of bob', children: [] },
        { address: 'ann@y.example', rule: null, kind: 'mailbox', end: '', children: [] },
      ],
    })
  })

  it('may be a name, and need not be one that is taken', () => {
    expect(explainRewriting(rewriter, { address: 'cmd', from: null })?.refusal).toMatch(/^550 5\.3\.5 The alias leads to a command/)
    expect(explainRewriting(rewriter, { address: 'two@@ats', from: null })).toBeNull()
    expect(explainRewriting(null, { address: 'root', from: null })).toBeNull()
    expect(explainRewriting(null, { address: 'a@x.example', from: 'b@x.example' })).toMatchObject({ recipient: { kind: 'mailbox' }, refusal: null, sender: [] })
  })
})

describe('a route explained', () => {
  it('is that of what the addresses become', async () => {
    const answer = await route('ann@corp.example', 'sales@x.example')
    expect(answer).toMatchObject({
      from: 'noreply@x.example',
      to: 'bob@host.example',
      decision: 'relay',
      others: [{ from: 'noreply@x.example', to: 'ann@y.example' }],
    })
    expect(answer.rewriting?.sender).toEqual([{ rule: 'sendAs 0', address: 'noreply@x.example' }])
  })

  it('is a refusal or a hold where no address comes of it', async () => {
    expect((await route('a@x.example', 'self@x.example')).decision).toBe('refused at RCPT: 554 5.4.6 The address is rewritten in a loop')
    const broken = createRewriter(makeRewrite({ recipients: [null] }))
    expect((await route('a@x.example', 'b@x.example', broken)).decision).toBe('held, a table is missing: the table is gone')
  })
})
