import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { loadConfigText } from '../../src/app/config.ts'
import { createProbes } from '../../src/app/doctor-probes.ts'
import { createRealClock } from '../../src/app/real-clock.ts'
import { buildSettings } from '../../src/app/settings.ts'
import { dnsOf } from '../support/dns-table.ts'
import { startPeer } from '../support/scripted-peer.ts'
import { serving } from '../support/story-settings.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { createTestAuthority } from '../support/test-certificates.ts'

it('a relay is greeted and left, and its certificate is looked at', async () => {
  const authority = createTestAuthority()
  onTestFinished(() => authority.remove())
  const certificate = authority.issue({ names: 'DNS:localhost', notBefore: '20200101000000Z', notAfter: '20991231000000Z' })
  const peer = await startPeer([serving()], { implicitTls: certificate })
  onTestFinished(() => peer.close())
  const folder = makeTempFolder()
  writeFileSync(join(folder, 'ca.pem'), authority.ca)
  const relay = `{ host: "localhost:${peer.port}", tls: { level: verify, ca: ca.pem, implicit: true } }`
  const loaded = loadConfigText(`relays: { x: ${relay} }`, join(folder, 'postern.yaml'), { explicitPath: null, env: {}, cwd: folder })
  const { probeRelay } = createProbes(buildSettings(loaded), dnsOf({}), createRealClock())
  expect(await probeRelay('x', null)).toMatchObject({
    kind: 'reached',
    certificate: 'verified',
    certificateTime: { from: Date.UTC(2020, 0, 1), until: Date.UTC(2099, 11, 31) },
    greeting: '220 peer.test ESMTP',
  })
  expect(peer.lines.map((line) => line.split(' ')[0])).toEqual(['EHLO', 'QUIT'])
})
