/**
 * The mail that carries a TLS report (RFC 8460 §5.3): two parts, the second the gzipped JSON.
 *
 * Pure. The names in it are A-labels and addresses that were checked; the content is ASCII with lines of
 * at most 76 characters.
 */
import type { EpochMs } from '../core/brand.ts'
import { foldField } from './dsn-text.ts'
import { formatDateTime } from './received-field.ts'

export interface TlsReportMail {
  readonly from: string
  readonly to: string
  /** The domain that the report is about. */
  readonly domain: string
  /** Our domain. */
  readonly submitter: string
  readonly reportId: string
  readonly fileName: string
  readonly at: EpochMs
  readonly gzipped: Uint8Array
}

export function composeTlsReportMail(mail: TlsReportMail): Uint8Array {
  const { from, to, domain, submitter, reportId, fileName, at, gzipped } = mail
  // Base64 holds no underscore: the boundary stands in neither part.
  const boundary = '=_tls-report_'
  const lines = [
    `From: <${from}>`,
    `To: <${to}>`,
    foldField('Subject', `Report Domain: ${domain} Submitter: ${submitter} Report-ID: <${reportId}>`),
    `Date: ${formatDateTime(at)}`,
    foldField('Message-ID', `<${reportId.replace(/[^A-Za-z0-9@._-]/g, '.')}>`),
    `TLS-Report-Domain: ${domain}`,
    `TLS-Report-Submitter: ${submitter}`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type="tlsrpt";`,
    ` boundary="${boundary}"`,
    '',
    'This is a report in MIME format.',
    `--${boundary}`,
    'Content-Type: text/plain; charset=us-ascii',
    '',
    `This is an aggregate TLS report from ${submitter}: how sessions with the`,
    `mail servers of ${domain} went on the day named in its file.`,
    '',
    `--${boundary}`,
    'Content-Type: application/tlsrpt+gzip',
    'Content-Transfer-Encoding: base64',
    'Content-Disposition: attachment;',
    ` filename="${fileName}"`,
    '',
    ...(Buffer.from(gzipped)
      .toString('base64')
      .match(/.{1,76}/g) ?? []),
    `--${boundary}--`,
    '',
  ]
  return Buffer.from(lines.join('\r\n'))
}
