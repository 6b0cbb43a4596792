/**
 * Puts the parts of TLS policies together: MTA-STS with its fetcher and its file, and the counts for reports.
 */
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Clock } from '../core/clock.ts'
import { kindWhereAllowed, parseIp } from '../core/ip-address.ts'
import { composeTlsReportMail } from '../message/tls-report-mail.ts'
import { postReport } from '../net/report-post.ts'
import { createStsFetcher } from '../net/sts-fetcher.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'
import type { Journal } from '../ports/journal.ts'
import type { SubmitRequest } from '../ports/server-control.ts'
import type { TlsReports } from '../ports/tls-reports.ts'
import { createKeptFile } from '../store/kept-file.ts'
import { MtaSts } from '../tls/mta-sts.ts'
import { reportFileName, reportIdOf } from '../tls/report-text.ts'
import { TlsReporter } from '../tls/reporter.ts'
import { type ConfigurableTlsPolicies, createTlsPolicies } from '../tls/tls-policies.ts'
import type { MxPolicy } from '../transports/mx-policy.ts'
import type { ServerSettings } from './settings.ts'
import { readVersion } from './version.ts'

export interface TlsParts {
  readonly policies: ConfigurableTlsPolicies
  readonly reports: TlsReports
  start(): Promise<void>
  stop(): Promise<void>
  /** To be called before destinations are looked up anew. */
  reload(settings: ServerSettings): void
}
export interface TlsPartsNeeds {
  readonly settings: ServerSettings
  readonly resolver: DnsResolver
  readonly clock: Clock
  readonly journal: Journal
  /** In [0, 1). */
  readonly random: () => number
  /** Into the queue, as mail of our own. */
  readonly submit: (request: SubmitRequest) => Promise<unknown>
}

/** In the data folder. */
const POLICIES_FILE = 'mta-sts.json'
const COUNTS_FILE = 'tls-reports.json'

export function createTlsParts(needs: TlsPartsNeeds): TlsParts {
  const { settings, resolver, clock, journal } = needs
  let current = settings
  const mayDialNow = (address: string): boolean => mayDial(address, current.mxPolicy)
  const userAgent = `Postern/${readVersion()}`
  const fetcher = createStsFetcher({
    resolver,
    clock,
    mayDial: mayDialNow,
    ca: () => current.tls.stsCa,
    port: settings.tls.stsPort,
    userAgent,
  })
  const sts = new MtaSts({ resolver, fetcher, kept: createKeptFile(join(settings.dataFolder, POLICIES_FILE)), clock, journal })
  const reports = new TlsReporter({
    settings: settings.tls.reports,
    resolver,
    kept: createKeptFile(join(settings.dataFolder, COUNTS_FILE)),
    clock,
    journal,
    random: needs.random,
    async mail(to, subject, report, { from, submitter }) {
      const gzipped = await compress(report)
      const { domain } = subject
      const names = { reportId: reportIdOf(subject, { submitter }), fileName: reportFileName(subject, { submitter }) }
      const content = composeTlsReportMail({ from, to, domain, submitter, ...names, at: clock.now(), gzipped })
      // Without a sender: nobody wants to hear that a report did not arrive.
      await needs.submit({ from: '<>', to: [to], content })
    },
    async post(url, report) {
      await postReport(url, await compress(report), { resolver, clock, mayDial: mayDialNow, userAgent })
    },
  })
  const policies = createTlsPolicies({ settings: settings.tls.policies, resolver, sts, reports })
  return {
    policies,
    reports,
    async start() {
      sts.start()
      await reports.start()
    },
    async stop() {
      await sts.stop()
      await reports.stop()
    },
    reload(next) {
      current = next
      policies.reconfigure(next.tls.policies)
      reports.reconfigure(next.tls.reports)
    },
  }
}

const compress = promisify(gzip)

/** As for MX hosts: strangers choose what their DNS says. */
function mayDial(address: string, { allowed }: MxPolicy): boolean {
  const ip = parseIp(address)
  return ip !== null && kindWhereAllowed(ip, allowed) === 'public'
}
