import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/app/config.ts'
import { buildSettings } from '../../src/app/settings.ts'
import { createTlsParts } from '../../src/app/tls-parts.ts'
import type { SubmitRequest } from '../../src/ports/server-control.ts'
import { createFakeClock, turnEventLoop } from '../support/fake-clock.ts'
import { SILENT_JOURNAL } from '../support/silent-journal.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { publishDns, records } from '../tls/published-dns.ts'

const DAY = 86_400_000

describe('the parts of TLS policies together', () => {
  it('send a report as mail of our own, without a sender, with what was counted', async () => {
    const cwd = makeTempFolder()
    const loaded = loadConfig({ explicitPath: null, env: {}, cwd })
    const { config } = loaded
    const settings = buildSettings({
      ...loaded,
      config: { ...config, hostname: 'app.example.com', data: cwd, tlsPolicy: { ...config.tlsPolicy, reports: true } },
    })
    const clock = createFakeClock()
    const dns = publishDns()
    dns.txts.set('_smtp._tls.good.test', records(['v=TLSRPTv1; rua=mailto:r@good.test']))
    const submitted: SubmitRequest[] = []
    const parts = createTlsParts({
      settings,
      resolver: dns,
      clock,
      journal: SILENT_JOURNAL,
      random: () => 0.5,
      submit: (request) => Promise.resolve(submitted.push(request)),
    })
    await parts.start()
    parts.reports.sessionSucceeded({ domain: 'good.test', type: 'no-policy-found', strings: [], hosts: [] })
    await clock.advance(DAY + 3_600_000)
    // Compressing is done beside the event loop.
    while (submitted.length === 0) await turnEventLoop()
    const [mail] = submitted
    expect([mail?.from, mail?.to]).toEqual(['<>', ['r@good.test']])
    const text = Buffer.from(mail?.content ?? []).toString('latin1')
    expect(text).toContain('From: <tls-reports@app.example.com>')
    const base64 = /filename="[^"]+"\r\n\r\n([\s\S]*?)\r\n--/.exec(text)?.[1] ?? ''
    const report: unknown = JSON.parse(gunzipSync(Buffer.from(base64, 'base64')).toString())
    expect(report).toMatchObject({ policies: [{ summary: { 'total-successful-session-count': 1 } }] })
    await parts.stop()
    expect(clock.pending).toBe(0)
  })
})
