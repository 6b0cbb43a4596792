import { describe, expect, it, onTestFinished } from 'vitest'
import { CAPABILITIES, type ScriptedPeer, type ServeOptions, send, serve, startPeer } from '../support/scripted-peer.ts'
import { type BatchOptions, createBench, makeBatch, makeRelay, outcomesOf, reasonOf } from '../support/smtp-bench.ts'

async function serving(options: ServeOptions = {}): Promise<ScriptedPeer> {
  const peer = await startPeer([[send('220 peer.test ESMTP'), serve(options)]])
  onTestFinished(() => peer.close())
  return peer
}
const without = (...names: readonly string[]) => CAPABILITIES.filter((one) => !names.includes(one.split(' ')[0] ?? ''))

async function sendTo(options: ServeOptions, batch: BatchOptions) {
  const peer = await serving(options)
  const { deliver } = createBench()
  const report = await deliver(makeBatch(makeRelay(peer), batch))
  return {
    peer,
    report,
    outcomes: outcomesOf(report),
    mail: peer.lines.find((line) => line.startsWith('MAIL')),
    rcpt: peer.lines.find((line) => line.startsWith('RCPT')),
  }
}

describe('a message', () => {
  it('is handed over with its envelope, its prefix and its content', async () => {
    const { peer, outcomes, report } = await sendTo({}, { content: 'Subject: x\r\n\r\n.dot\r\nend', to: ['ann@receiver.example', 'bob@receiver.example'] })
    expect(outcomes).toEqual(['delivered 2.0.0', 'delivered 2.0.0'])
    expect(peer.lines).toEqual([
      'EHLO postern.test',
      expect.stringMatching(/^MAIL FROM:<app@sender\.example> SIZE=\d+$/),
      'RCPT TO:<ann@receiver.example>',
      'RCPT TO:<bob@receiver.example>',
      'DATA',
    ])
    expect(peer.contents[0]?.toString()).toMatch(/^Received: .*\r\nSubject: x\r\n\r\n\.dot\r\nend\r\n$/)
    expect(report.hop).toEqual({ kind: 'healthy' })
    expect(report.timings.sessionUse).toBe(1)
    expect(report.tls).toBeNull()
    expect(report.remoteMta).toEqual({ host: '127.0.0.1', address: '127.0.0.1' })
  })
  it('from the null reverse-path has an empty MAIL FROM', async () => expect((await sendTo({}, { from: '<>' })).mail).toMatch(/^MAIL FROM:<> /))
  it('leaves in one write where the peer has PIPELINING', async () => {
    const { peer } = await sendTo({}, {})
    const writes = peer.connections[0]?.received.map((one) => one.toString().split('\r\n')[0])
    expect(writes).toHaveLength(3)
    expect(writes?.[1]).toMatch(/^MAIL/)
    expect(peer.connections[0]?.received[1]?.toString()).toMatch(/DATA\r\n$/)
  })
  it('is said command by command to a peer without PIPELINING', async () => {
    const { peer, outcomes } = await sendTo({ capabilities: without('PIPELINING') }, {})
    expect(outcomes).toEqual(['delivered 2.0.0'])
    expect(peer.connections[0]?.received.map((one) => one.toString().slice(0, 4))).toEqual(['EHLO', 'MAIL', 'RCPT', 'DATA', 'Rece'])
  })
  it('goes to a peer that knows HELO only, without any parameter', async () => {
    const { outcomes, mail } = await sendTo(
      { answers: { EHLO: '502 5.5.1 what', HELO: '250 peer.test' } },
      { returnContent: 'headers', envelopeId: 'QQ314159' },
    )
    expect(outcomes).toEqual(['delivered 2.0.0'])
    expect(mail).toBe('MAIL FROM:<app@sender.example>')
  })
})

describe('DSN parameters', () => {
  const asked: BatchOptions = {
    returnContent: 'headers',
    envelopeId: 'QQ+2B314159',
    notify: ['success', 'failure'],
    originalRecipient: 'rfc822;Ann+2BX@receiver.example',
  }
  it('are passed on byte for byte', async () => {
    const { mail, rcpt, report } = await sendTo({}, asked)
    expect(mail).toMatch(/ RET=HDRS ENVID=QQ\+2B314159$/)
    expect(rcpt).toBe('RCPT TO:<ann@receiver.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Ann+2BX@receiver.example')
    expect([...report.outcomes.values()][0]).toMatchObject({ relayedWithoutDsn: false })
  })
  it('are kept back from a peer without DSN, and it is said', async () => {
    const { mail, rcpt, report } = await sendTo({ capabilities: without('DSN') }, asked)
    expect(mail).not.toContain('RET')
    expect(rcpt).toBe('RCPT TO:<ann@receiver.example>')
    expect([...report.outcomes.values()][0]).toMatchObject({ relayedWithoutDsn: true })
  })
})

describe('SIZE', () => {
  it('smaller than the message fails it at once, with nothing sent (O13)', async () => {
    const { peer, outcomes } = await sendTo({ capabilities: ['PIPELINING', 'SIZE 100'] }, {})
    expect(outcomes).toEqual(['failed 5.3.4 message at mail'])
    expect(peer.lines).toEqual(['EHLO postern.test'])
  })
  it.each(['SIZE', 'SIZE 0', 'SIZE abc', 'SIZE 1e30'])('%s is no limit (O03)', async (size) => {
    expect((await sendTo({ capabilities: ['PIPELINING', size] }, {})).outcomes).toEqual(['delivered 2.0.0'])
  })
})

describe('8-bit content', () => {
  const german = 'Subject: x\r\n\r\nGr\u00fc\u00dfe = \r\n'
  it('goes as it is to a peer with 8BITMIME', async () => {
    const { mail, peer } = await sendTo({}, { body: '8bitmime', content: german })
    expect(mail).toContain(' BODY=8BITMIME')
    expect(peer.contents[0]?.toString()).toContain('Grüße')
  })
  it.each(['7bit', '8bitmime'] as const)('declared as %s is converted for a peer without', async (body) => {
    const { mail, peer, outcomes } = await sendTo({ capabilities: without('8BITMIME') }, { body, content: german })
    expect(outcomes).toEqual(['delivered 2.0.0'])
    expect(mail).toBe('MAIL FROM:<app@sender.example>')
    const sent = peer.contents[0]!.toString()
    expect(sent).toContain('Content-Transfer-Encoding: quoted-printable\r\n')
    expect(sent).toContain('Gr=C3=BC=C3=9Fe =3D=20\r\n')
    expect([...peer.contents[0]!].every((octet) => octet < 128)).toBe(true)
  })
  it('that is ASCII after all is sent unchanged', async () => {
    const { peer, outcomes } = await sendTo({ capabilities: without('8BITMIME') }, { body: '8bitmime', content: 'Subject: x\r\n\r\nplain\r\n' })
    expect(outcomes).toEqual(['delivered 2.0.0'])
    expect(peer.contents[0]?.toString()).not.toContain('Transfer-Encoding')
  })
  it('that is signed fails with 5.6.3', async () => {
    const { peer, outcomes } = await sendTo({ capabilities: without('8BITMIME') }, { content: `DKIM-Signature: v=1\r\n${german}` })
    expect(outcomes).toEqual(['failed 5.6.3 message at mail'])
    expect(peer.lines).toEqual(['EHLO postern.test'])
  })
})

describe('SMTPUTF8', () => {
  const old = { capabilities: without('SMTPUTF8') }
  it('is said where it is offered', async () => {
    const { mail, rcpt } = await sendTo({}, { smtputf8: true, body: '8bitmime', to: ['jürgen@bücher.example'] })
    expect(mail).toContain(' SMTPUTF8')
    expect(rcpt).toBe('RCPT TO:<jürgen@bücher.example>')
  })
  it('is needed for a local part: the recipient fails with 5.6.7, the others go out', async () => {
    const { outcomes, peer } = await sendTo(old, { smtputf8: true, to: ['jürgen@receiver.example', 'ann@receiver.example'] })
    expect(outcomes).toEqual(['failed 5.6.7 recipient at mail', 'delivered 2.0.0'])
    expect(peer.lines.filter((line) => line.startsWith('RCPT'))).toEqual(['RCPT TO:<ann@receiver.example>'])
  })
  it('is not needed for a domain: it goes out in A-labels', async () => {
    const { outcomes, mail, rcpt } = await sendTo(old, { smtputf8: true, from: 'app@bücher.example', to: ['ann@Bücher.example'] })
    expect(outcomes).toEqual(['delivered 2.0.0'])
    expect(mail).toMatch(/^MAIL FROM:<app@xn--bcher-kva\.example>/)
    expect(mail).not.toContain('SMTPUTF8')
    expect(rcpt).toBe('RCPT TO:<ann@xn--bcher-kva.example>')
  })
  it('is needed for a sender', async () =>
    expect((await sendTo(old, { smtputf8: true, from: 'jürgen@sender.example' })).outcomes).toEqual(['failed 5.6.7 message at mail']))
  it('is needed for a header', async () => {
    const { outcomes, peer } = await sendTo(old, { smtputf8: true, content: 'Subject: Grüße\r\n\r\nx\r\n' })
    expect(outcomes).toEqual(['failed 5.6.7 message at mail'])
    expect(peer.lines).toEqual(['EHLO postern.test'])
  })
})

describe('REQUIRETLS', () => {
  it('fails where the peer has no TLS, which hears nothing of it', async () => {
    const { outcomes, peer } = await sendTo({}, { requireTls: true })
    expect(outcomes).toEqual(['failed 5.7.10 message at starttls'])
    expect(peer.lines).toEqual(['EHLO postern.test'])
  })
  it('fails where the promise came outside verified TLS', async () => {
    expect((await sendTo({ capabilities: [...CAPABILITIES, 'REQUIRETLS'] }, { requireTls: true })).outcomes).toEqual(['failed 5.7.10 message at starttls'])
  })
})

describe('recipients', () => {
  it('get each their own reply (O10)', async () => {
    const replies: Record<string, string> = {
      a: '250 2.1.5 ok',
      b: '450 4.2.0 later',
      c: '550 5.1.1 unknown',
      d: '251 2.1.5 forwarded',
      e: '252 2.1.5 who knows',
    }
    const to = Object.keys(replies).map((name) => `${name}@receiver.example`)
    const { outcomes, peer } = await sendTo({ answers: { RCPT: (line) => replies[line.slice(9, 10)] ?? '500' } }, { to })
    expect(outcomes).toEqual(['delivered 2.0.0', 'deferred 4.2.0 recipient at rcpt', 'failed 5.1.1 recipient at rcpt', 'delivered 2.0.0', 'delivered 2.0.0'])
    expect(peer.contents).toHaveLength(1)
  })
  it('beyond what the peer takes go in another transaction, unasked (O10)', async () => {
    let asked = 0
    const { outcomes } = await sendTo(
      { answers: { RCPT: () => (++asked > 2 ? '452 4.5.3 too many recipients' : '250 ok') } },
      { to: ['a@r.example', 'b@r.example', 'c@r.example', 'd@r.example'] },
    )
    expect(outcomes).toEqual([
      'delivered 2.0.0',
      'delivered 2.0.0',
      'untried: the server takes no more recipients in one transaction',
      'untried: the server takes no more recipients in one transaction',
    ])
  })
  it('too many at the very first one is a deferral', async () => {
    expect((await sendTo({ answers: { RCPT: '452 4.5.3 too many recipients' } }, {})).outcomes).toEqual(['deferred 4.5.3 recipient at rcpt'])
  })
  it('all refused: nothing is sent but a lone dot, even if the peer says 354 (O10)', async () => {
    const { outcomes, peer } = await sendTo({ answers: { RCPT: '550 5.1.1 unknown', DATA: '354 go ahead' } }, { to: ['a@r.example', 'b@r.example'] })
    expect(outcomes).toEqual(['failed 5.1.1 recipient at rcpt', 'failed 5.1.1 recipient at rcpt'])
    expect(peer.contents.map(String)).toEqual([''])
  })
  it('refused MAIL counts for all of them', async () => {
    const { outcomes, report } = await sendTo(
      { answers: { MAIL: '550 5.7.1 not you', RCPT: '503 5.5.1 need MAIL', DATA: '503 5.5.1 need MAIL' } },
      { to: ['a@r.example', 'b@r.example'] },
    )
    expect(outcomes).toEqual(['failed 5.7.1 message at mail', 'failed 5.7.1 message at mail'])
    expect(report.hop.kind).toBe('healthy')
    expect(reasonOf(report)).toBe('the server refused the message while sending MAIL FROM')
  })
  it('refused DATA counts for those that were taken', async () => {
    const { outcomes } = await sendTo(
      { answers: { RCPT: (line) => (line.includes('b@') ? '550 5.1.1 unknown' : '250 ok'), DATA: '451 4.3.0 not now' } },
      { to: ['a@r.example', 'b@r.example'] },
    )
    expect(outcomes).toEqual(['deferred 4.3.0 message at data', 'failed 5.1.1 recipient at rcpt'])
  })
  it('with an address that cannot be said is refused before anything is sent', async () => {
    const { outcomes, peer } = await sendTo({}, { to: ['a\r\nRCPT TO:<evil@x.example>@r.example'] })
    expect(outcomes).toEqual(['failed 5.5.4 message at mail'])
    expect(peer.lines).toEqual(['EHLO postern.test'])
  })
})
