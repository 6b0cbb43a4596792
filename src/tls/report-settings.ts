/**
 * How daily TLS reports are sent (RFC 8460), already checked. Made by `app/settings-tls.ts`.
 */
export interface TlsReportSettings {
  /** Sender and reverse-path of reports. */
  readonly from: string
  /** `contact-info` of a report. */
  readonly contact: string
  /** `organization-name` of a report. */
  readonly organization: string
  /** Our domain, in the name of the file and the header (RFC 8460 §5.1, §5.3). */
  readonly submitter: string
  /** After the end of the day (UTC); at random up to twice as long. */
  readonly afterMs: number
}
