import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/app/config.ts'
import { senderDomains } from '../../src/app/doctor-senders.ts'
import { buildSettings } from '../../src/app/settings.ts'
import type { SentMail } from '../../src/doctor/subject.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

function domains(yaml: string, sources: { readonly asked?: readonly string[]; readonly sent?: readonly SentMail[] } = {}) {
  const folder = makeTempFolder()
  writeFileSync(join(folder, 'postern.yaml'), yaml)
  const loaded = loadConfig({ explicitPath: join(folder, 'postern.yaml'), env: {}, cwd: folder })
  const found = senderDomains({ loaded, asked: sources.asked ?? [], sent: sources.sent ?? [] }, buildSettings(loaded))
  return found.map(({ domain, inReversePath, inFrom, departures }) => {
    const places = [...(inReversePath ? ['reverse-path'] : []), ...(inFrom ? ['From'] : [])].join('+')
    return `${domain} ${places} ${departures.map(({ kind, relay }) => `${kind} ${relay}`.trim()).join(', ')}`.trim()
  })
}

const DIRECT = 'hostname: app.example.com\nroutes: [ { via: mx } ]\n'

describe('the domains we send for', () => {
  it('include that of reports, which have no reverse-path', () => {
    expect(domains(DIRECT)).toEqual(['app.example.com From direct'])
  })

  it('are those of routes, users and rewritten senders', () => {
    const yaml = `hostname: app.example.com
routes: [ { from: [jira@a.example, "*@b.example", "*"], via: mx } ]
users: [ { name: u, passwordHash: "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g", senders: [u@c.example] } ]
rewrite: { sendAs: { from: "*@intern.example", as: mail@d.example }, masquerade: [e.example] }
`
    expect(domains(yaml).map((line) => line.split(' ')[0])).toEqual(['a.example', 'b.example', 'c.example', 'd.example', 'e.example', 'app.example.com'])
  })

  it('tell where mail of the last day showed them', () => {
    const sent: SentMail[] = [{ from: 'shop.example', envelope: 'bounce.example', signedBy: [], departure: { kind: 'direct', relay: '' }, messages: 1 }]
    expect(domains(DIRECT, { sent })).toEqual(['shop.example From direct', 'bounce.example reverse-path direct', 'app.example.com From direct'])
  })

  it('are looked up in A-labels', () => {
    expect(domains(DIRECT, { asked: ['bücher.example'] })[0]).toBe('xn--bcher-kva.example reverse-path+From direct')
  })

  it('have no way out while their mail is captured, or goes into mailboxes over LMTP', () => {
    const relays = 'relays: { store: { host: "unix:/run/lmtp", protocol: lmtp } }\n'
    expect(domains('hostname: app.example.com\nroutes: [ { via: capture } ]\n', { asked: ['a.example'] })[0]).toBe('a.example reverse-path+From')
    expect(domains(`hostname: app.example.com\n${relays}routes: [ { via: store } ]\n`, { asked: ['a.example'] })[0]).toBe('a.example reverse-path+From')
  })

  it('know every relay that they use', () => {
    const yaml = `hostname: app.example.com
relays: { one: { host: one.example }, two: { host: two.example } }
routes: [ { from: a@x.example, via: one }, { from: b@x.example, via: two }, { via: one } ]
`
    expect(domains(yaml)[0]).toBe('x.example reverse-path+From relay one, relay two')
  })
})
