import { describe, expect, it } from 'vitest'
import type { ReportedPolicy } from '../../src/core/tls-policy.ts'
import type { TlsReportSettings } from '../../src/tls/report-settings.ts'
import { readReportTargets } from '../../src/tls/report-text.ts'
import { TlsReporter } from '../../src/tls/reporter.ts'
import { createFakeClock, turnEventLoop } from '../support/fake-clock.ts'
import { SILENT_JOURNAL } from '../support/silent-journal.ts'
import { publishDns, records, SERVFAIL } from './published-dns.ts'

const SETTINGS: TlsReportSettings = {
  from: 'tls-reports@sender.example',
  contact: 'admin@sender.example',
  organization: 'Sender',
  submitter: 'sender.example',
  afterMs: 1_800_000,
}
const STS: ReportedPolicy = { domain: 'good.test', type: 'sts', strings: ['version: STSv1', 'mode: enforce'], hosts: ['*.good.test'] }
const NONE: ReportedPolicy = { domain: 'good.test', type: 'no-policy-found', strings: [], hosts: [] }
const HOUR = 3_600_000
const DAY = 24 * HOUR

describe('where reports go (RFC 8460 §3)', () => {
  it.each([
    [['v=TLSRPTv1; rua=mailto:r@good.test'], ['r@good.test']],
    [['v=TLSRPTv1;rua=mailto:r@good.test,https://good.test/tls?x=1'], ['r@good.test', 'https://good.test/tls?x=1']],
    [['v=TLSRPTv1; rua=mailto:a%2Cb%21c@good.test'], ['a,b!c@good.test']],
    [['v=spf1 -all', 'v=TLSRPTv1; rua=mailto:r@good.test'], ['r@good.test']],
    [['v=TLSRPTv1; rua=mailto:a@x.test', 'v=TLSRPTv1; rua=mailto:b@x.test'], []],
    [['v=TLSRPTv1'], []],
    [['v=TLSRPTv1; rua='], []],
    [['v=TLSRPTv1; rua=http://good.test/'], []],
    [['v=TLSRPTv1; rua=https://127.0.0.1/,https://[::1]/,https://u:p@good.test/'], []],
    [['v=TLSRPTv1; rua=mailto:a@x.test?bcc=b@y.test,mailto:a@x.test>\r\nb@y.test,ftp://x'], []],
    [[`v=TLSRPTv1; rua=${Array.from({ length: 9 }, (_, i) => `mailto:r${i}@x.test`).join()}`], ['r0@x.test', 'r1@x.test', 'r2@x.test']],
  ])('%j: %j', (txt, expected) => {
    expect(readReportTargets(txt).map((target) => (target.kind === 'mail' ? target.to : target.url))).toEqual(expected)
  })
})

function rig(kept: { text: string | null } = { text: null }, settings: TlsReportSettings | null = SETTINGS) {
  const clock = createFakeClock()
  const dns = publishDns()
  dns.txts.set('_smtp._tls.good.test', records(['v=TLSRPTv1; rua=mailto:r@good.test']))
  const mails: { readonly to: string; readonly report: unknown }[] = []
  const faults: string[] = []
  const reporter = new TlsReporter({
    settings,
    resolver: dns,
    clock,
    random: () => 0.5,
    kept: {
      read: () => Promise.resolve(kept.text),
      write: (text) => {
        kept.text = text
        return Promise.resolve()
      },
    },
    journal: { ...SILENT_JOURNAL, note: (_subsystem, level, text) => void faults.push(`${level} ${text}`) },
    mail: (to, _subject, report) => {
      if (to.startsWith('refused')) return Promise.reject(new Error('550 no'))
      mails.push({ to, report: JSON.parse(report) })
      return Promise.resolve()
    },
    post: (url, report) => {
      mails.push({ to: url, report: JSON.parse(report) })
      return Promise.resolve()
    },
  })
  const pass = async (ms: number) => {
    await clock.advance(ms)
    await turnEventLoop()
  }
  return { clock, dns, mails, reporter, pass, kept, faults }
}

const FAILURE = { type: 'certificate-expired', host: 'mx.good.test', address: '192.0.2.1', detail: 'CERT_HAS_EXPIRED' } as const

describe('a daily report', () => {
  it('tells of the sessions of the day before, after midnight, once', async () => {
    const { reporter, mails, pass, clock } = rig()
    await reporter.start()
    for (let i = 0; i < 3; i++) reporter.sessionSucceeded(STS)
    reporter.sessionFailed(STS, FAILURE)
    reporter.sessionFailed(STS, FAILURE)
    reporter.policyFailed(NONE, { type: 'sts-policy-fetch-error', host: null, detail: 'no answer' })
    await pass(DAY)
    expect(mails).toEqual([])
    await pass(HOUR)
    expect(mails).toEqual([
      {
        to: 'r@good.test',
        report: {
          'organization-name': 'Sender',
          'date-range': { 'start-datetime': '2026-01-01T00:00:00Z', 'end-datetime': '2026-01-01T23:59:59Z' },
          'contact-info': 'admin@sender.example',
          'report-id': '2026-01-01T00:00:00Z_good.test@sender.example',
          policies: [
            {
              policy: { 'policy-type': 'sts', 'policy-string': ['version: STSv1', 'mode: enforce'], 'policy-domain': 'good.test', 'mx-host': ['*.good.test'] },
              summary: { 'total-successful-session-count': 3, 'total-failure-session-count': 2 },
              'failure-details': [
                {
                  'result-type': 'certificate-expired',
                  'receiving-mx-hostname': 'mx.good.test',
                  'receiving-ip': '192.0.2.1',
                  'failed-session-count': 2,
                  'failure-reason-code': 'CERT_HAS_EXPIRED',
                },
              ],
            },
            {
              policy: { 'policy-type': 'no-policy-found', 'policy-domain': 'good.test' },
              summary: { 'total-successful-session-count': 0, 'total-failure-session-count': 1 },
              'failure-details': [{ 'result-type': 'sts-policy-fetch-error', 'failed-session-count': 1, 'failure-reason-code': 'no answer' }],
            },
          ],
        },
      },
    ])
    await pass(DAY)
    expect(mails).toHaveLength(1)
    await reporter.stop()
    expect(clock.pending).toBe(0)
  })
  it('survives a restart, counts and all', async () => {
    const before = rig()
    await before.reporter.start()
    before.reporter.sessionSucceeded(STS)
    await before.reporter.stop()
    const after = rig(before.kept)
    await after.reporter.start()
    after.reporter.sessionSucceeded(STS)
    await after.pass(DAY + HOUR)
    expect(after.mails[0]?.report).toMatchObject({ policies: [{ summary: { 'total-successful-session-count': 2 } }] })
    await after.reporter.stop()
  })
  it('goes to nobody who has not asked for it', async () => {
    const { reporter, mails, pass, kept } = rig()
    await reporter.start()
    reporter.sessionSucceeded({ ...STS, domain: 'silent.test' })
    await pass(DAY + HOUR)
    expect(mails).toEqual([])
    expect(kept.text).not.toContain('silent.test')
    await reporter.stop()
  })
  it('is tried again every hour, until it is of no use', async () => {
    const { reporter, mails, pass, dns, kept } = rig()
    await reporter.start()
    dns.txts.set('_smtp._tls.good.test', SERVFAIL)
    reporter.sessionSucceeded(STS)
    await pass(DAY + HOUR)
    await pass(HOUR)
    dns.txts.set('_smtp._tls.good.test', records(['v=TLSRPTv1; rua=mailto:refused@good.test']))
    await pass(HOUR)
    expect(mails).toEqual([])
    dns.txts.set('_smtp._tls.good.test', records(['v=TLSRPTv1; rua=https://good.test/tls']))
    await pass(HOUR)
    expect(mails.map(({ to }) => to)).toEqual(['https://good.test/tls'])
    reporter.sessionSucceeded({ ...STS, domain: 'never.test' })
    dns.txts.set('_smtp._tls.never.test', SERVFAIL)
    await pass(3 * DAY)
    await pass(DAY)
    expect(kept.text).not.toContain('never.test')
    await reporter.stop()
  })
  it('is not even counted where reports are off', async () => {
    const { reporter, clock, kept } = rig({ text: null }, null)
    await reporter.start()
    reporter.sessionSucceeded(STS)
    await clock.advance(2 * DAY)
    expect(kept.text).toBeNull()
    await reporter.stop()
  })
  it('stays bounded, whatever is counted', async () => {
    const { reporter, kept, pass } = rig()
    await reporter.start()
    for (let i = 0; i < 200; i++) reporter.sessionFailed(STS, { ...FAILURE, address: `192.0.2.${i}`, detail: 'x'.repeat(10_000) })
    await pass(60_000)
    expect(kept.text?.length).toBeLessThan(40_000)
    await reporter.stop()
  })
  it('with counts that are damaged begins anew', async () => {
    const { reporter, mails, pass } = rig({ text: '{"format":1,"days":[{"day":"2025-12-31","policies":[null' })
    await reporter.start()
    await pass(HOUR)
    expect(mails).toEqual([])
    await reporter.stop()
  })
})
