/**
 * Delivery settings for chaos peers: one relay a peer, every way of reaching it, seconds instead of days.
 */
import { compileAddressPattern } from '../../../src/core/pattern.ts'
import type { RelaySettings } from '../../../src/core/route.ts'
import type { ConfiguredRelay, DeliverySettings } from '../../../src/delivery/settings.ts'
import { directLike } from '../../support/direct.ts'

const LIFETIME_MS = 1_500

/** Mail to `*@dN.test` goes to the N-th port. */
export function makeSettings(ports: readonly number[]): DeliverySettings {
  const relays = new Map<string, ConfiguredRelay>()
  for (const [index, port] of ports.entries()) {
    const other = ports[(index + 1) % ports.length] as number
    const credential = {
      name: 'login',
      username: 'app',
      password: () => 'secret',
      mechanisms: (['PLAIN', 'LOGIN', 'CRAM-MD5'] as const).slice(index % 3),
      allowPlaintext: true,
    }
    relays.set(`relay${index}`, {
      settings: makeRelay(`relay${index}`, index % 4 === 0 ? [port, other] : [port], index % 3 === 0),
      credentials: index % 5 === 0 ? [{ credential, senders: null, fallback: true } as unknown as ConfiguredRelay['credentials'][number]] : [],
    })
  }
  return {
    hostname: 'postern.test',
    routes: ports.map((_, index) => ({
      label: `routes[${index}]`,
      match: { from: null, to: compileAddressPattern(`*@d${index}.test`), submitter: null, header: [] },
      target: { kind: 'relay', relay: `relay${index}`, credential: index % 5 === 0 ? 'login' : null },
    })),
    relays,
    direct: directLike(makeRelay('direct', [25], false)),
    retry: { greylistMs: 20, minDelayMs: 20, maxDelayMs: 200, factor: 2, lifetimeMs: LIFETIME_MS, jitter: 0.2 },
    delayNoticeAfterMs: null,
    readySetMax: 10_000,
    readyPerFlowMax: 1_000,
    lane: { failedCohortsMax: 3, suspendMs: { initial: 10, max: 50 }, credentialPauseMs: { initial: 10, max: 50 } },
    leaseMs: 120_000,
    reclaimDelayMs: 0,
    quarantineAfter: 5,
    dsn: { from: 'MAILER-DAEMON@postern.test', returnFullMaxOctets: 50_000, perSenderPerHourMax: 1_000_000, postmaster: null },
    holdAll: null,
  }
}

function makeRelay(name: string, ports: readonly number[], mayTls: boolean): RelaySettings {
  const [first, ...more] = ports.map((port) => ({ host: '127.0.0.1', port, implicitTls: false }))
  if (first === undefined) throw new Error('a relay needs a host')
  return {
    name,
    hosts: [first, ...more],
    tls: { level: mayTls ? 'may' : 'none', ca: null, serverName: null, minVersion: 'TLSv1.2' },
    heloName: 'postern.test',
    sourceAddress: null,
    limits: { sessionsMax: 10, sessionsInitial: 5, messagesPerSession: 5, sessionAgeMs: 2_000, sessionIdleMs: 30, recipientsPerTransaction: 50 },
    timeouts: {
      connectMs: 1_000,
      greetingMs: 300,
      ehloMs: 300,
      starttlsMs: 300,
      authMs: 300,
      mailMs: 300,
      rcptMs: 300,
      dataMs: 300,
      contentMs: 500,
      finalDotMs: 500,
      rsetMs: 300,
      quitMs: 200,
    },
  }
}
