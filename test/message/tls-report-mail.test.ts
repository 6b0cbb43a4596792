import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import type { EpochMs } from '../../src/core/brand.ts'
import { composeTlsReportMail } from '../../src/message/tls-report-mail.ts'

it('carries the report as RFC 8460 §5.3 wants it', () => {
  const report = JSON.stringify({ policies: 'x'.repeat(20_000) })
  const mail = composeTlsReportMail({
    from: 'tls-reports@sender.example',
    to: 'r@good.test',
    domain: 'good.test',
    submitter: 'sender.example',
    reportId: '2026-01-01T00:00:00Z_good.test@sender.example',
    fileName: 'sender.example!good.test!1767225600!1767311999.json.gz',
    at: Date.UTC(2026, 0, 2) as EpochMs,
    gzipped: gzipSync(report),
  })
  const text = Buffer.from(mail).toString('latin1')
  const [header = '', body = ''] = text.split(/\r\n\r\n([\s\S]*)/)
  expect(header.replace(/\r\n /g, ' ').split('\r\n')).toEqual([
    'From: <tls-reports@sender.example>',
    'To: <r@good.test>',
    'Subject: Report Domain: good.test Submitter: sender.example Report-ID: <2026-01-01T00:00:00Z_good.test@sender.example>',
    'Date: Fri, 02 Jan 2026 00:00:00 +0000',
    'Message-ID: <2026-01-01T00.00.00Z_good.test@sender.example>',
    'TLS-Report-Domain: good.test',
    'TLS-Report-Submitter: sender.example',
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type="tlsrpt"; boundary="=_tls-report_"',
  ])
  const [, , attachment = ''] = body.split('--=_tls-report_\r\n')
  expect(attachment).toContain('Content-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64')
  expect(attachment).toContain('filename="sender.example!good.test!1767225600!1767311999.json.gz"')
  const base64 = attachment.split('\r\n\r\n')[1]?.split('\r\n--')[0] ?? ''
  expect(gunzipSync(Buffer.from(base64, 'base64')).toString()).toBe(report)
  expect(text.split('\r\n').every((line) => line.length <= 78 || line.startsWith(' filename'))).toBe(true)
  expect(text.endsWith('--=_tls-report_--\r\n')).toBe(true)
})
