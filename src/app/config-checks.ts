/**
 * What the values of a configuration say of each other. Pure: touches no file, reads no secret.
 *
 * Errors are what cannot be meant; warnings what works, but hardly as wished.
 */

import { checkDirect } from './config-checks-direct.ts'
import { checkDns } from './config-checks-dns.ts'
import { checkLocalDelivery } from './config-checks-local.ts'
import { checkRelays } from './config-checks-relays.ts'
import { checkRewrite } from './config-checks-rewrite.ts'
import { checkRoutes } from './config-checks-routes.ts'
import { checkTlsPolicy } from './config-checks-tls.ts'
import { checkDkim } from './config-dkim-keys.ts'
import { type Fault, quote } from './config-errors.ts'
import { checkedValue, hostnameOf, type ImpliedListener, listenersOf } from './config-implied.ts'
import type { KeyPath } from './config-path.ts'
import { type KeyedFault, valueFault } from './config-problems.ts'
import { durationMs, sizeOctets } from './config-scalars.ts'
import type { Config } from './config-schema.ts'
import { isLoopbackNetwork, parseNetwork } from './config-values.ts'

export function checkConfig(config: Config): readonly KeyedFault[] {
  return [
    ...checkHostname(config),
    ...checkListeners(config),
    ...checkNetworks(config),
    ...checkUsers(config),
    ...checkRelays(config),
    ...checkRoutes(config),
    ...checkRewrite(config),
    ...checkLocalDelivery(config),
    ...checkDkim(config.dkim),
    ...checkBounds(config),
    ...checkPressure(config),
    ...checkDns(config),
    ...checkDirect(config),
    ...checkTlsPolicy(config),
  ]
}

function checkHostname(config: Config): KeyedFault[] {
  const name = hostnameOf(config)
  if (name.includes('.')) return []
  return [
    valueFault(['hostname'], {
      code: 'hostname-not-full',
      message: `${quote(name)} is not a fully qualified name`,
      remedy: 'Set hostname: to the full name of this machine, such as app.example.com; many servers refuse others.',
    }),
  ]
}

function checkListeners(config: Config): KeyedFault[] {
  const faults: KeyedFault[] = []
  const listeners = listenersOf(config)
  const seen = new Map<string, string>()
  for (const [index, listener] of listeners.entries()) {
    const path = ['listen', index]
    const socket = `${listener.host} ${listener.port}`
    const before = seen.get(socket)
    if (before !== undefined && listener.port !== 0)
      faults.push(
        valueFault(path, { code: 'duplicate-listener', message: `${listener.url} has the same address and port as ${before}`, remedy: 'Remove one of them.' }),
      )
    seen.set(socket, listener.url)
    if (listener.tls === null && (listener.implicitTls || listener.requireTls)) {
      faults.push(
        valueFault(path, {
          code: 'tls-missing',
          message: `${listener.url} ${listener.implicitTls ? 'begins with' : 'demands'} TLS, but has no certificate`,
          remedy: 'Set tls: { cert: FILE, key: FILE } here or at the top.',
        }),
      )
    }
    faults.push(...checkAccess(config, listener, path))
  }
  return faults
}

/** Listening where nobody may relay is a mistake, and the first step towards letting everybody. */
function checkAccess(config: Config, listener: ImpliedListener, path: KeyPath): KeyedFault[] {
  const outside = config.networks.some((network) => !isLoopbackNetwork(checkedValue(parseNetwork(network))))
  const loginPossible = listener.tls !== null || listener.authWithoutTls
  if (listener.requireAuth && config.users.length === 0)
    return [
      valueFault(path, {
        code: 'login-impossible',
        message: `${listener.url} demands login, but there are no users`,
        remedy: 'Add users:, or remove requireAuth.',
      }),
    ]
  if (listener.requireAuth && !loginPossible) return [valueFault(path, loginNeedsTls(listener))]
  if (listener.loopback || outside) return []
  if (config.users.length === 0) {
    const remedy = 'Add the clients to networks:, or users: with passwords, or listen on 127.0.0.1 only.'
    return [
      valueFault(path, {
        code: 'open-listener',
        message: `${listener.url} can be reached from outside, but neither networks nor users say who may use it`,
        remedy,
      }),
    ]
  }
  return loginPossible ? [] : [valueFault(path, loginNeedsTls(listener))]
}
function loginNeedsTls(listener: ImpliedListener): Fault {
  return {
    code: 'login-impossible',
    message: `users can log in on ${listener.url} only with TLS, and it has no certificate`,
    remedy: 'Set tls: { cert: FILE, key: FILE }.',
  }
}

function checkNetworks(config: Config): KeyedFault[] {
  return config.networks.flatMap((network, index) =>
    /\/0$/.test(network)
      ? [
          valueFault(['networks', index], {
            code: 'network-any',
            message: `${network} lets everybody relay without login`,
            remedy: 'Name the networks of your applications instead; spammers find open relays within hours.',
          }),
        ]
      : [],
  )
}

function checkUsers(config: Config): KeyedFault[] {
  const names = new Set<string>()
  return config.users.flatMap((user, index) => {
    const faults: KeyedFault[] = []
    if (names.has(user.name))
      faults.push(
        valueFault(['users', index, 'name'], { code: 'duplicate-user', message: `there is already a user ${quote(user.name)}`, remedy: 'Remove one of them.' }),
      )
    names.add(user.name)
    if ((user.passwordHash === undefined) === (user.password === undefined)) {
      const message = user.password === undefined ? 'the user has no password' : 'the user has both a password and a hash'
      faults.push(
        valueFault(['users', index], {
          code: user.password === undefined ? 'missing-key' : 'contradiction',
          message,
          allowed: 'either passwordHash or password',
          remedy: 'Make a hash with: postern config hash-password',
        }),
      )
    }
    return faults
  })
}

/** Pairs of which the first must not be larger than the second. */
function checkBounds(config: Config): KeyedFault[] {
  const { retry, queue } = config
  const pairs: readonly (readonly [KeyPath, number, string, number])[] = [
    [['retry', 'min'], durationMs(retry.min), 'retry.max', durationMs(retry.max)],
    [['retry', 'min'], durationMs(retry.min), 'retry.lifetime', durationMs(retry.lifetime)],
    [['queue', 'suspend', 'min'], durationMs(queue.suspend.min), 'queue.suspend.max', durationMs(queue.suspend.max)],
    [['queue', 'credentialPause', 'min'], durationMs(queue.credentialPause.min), 'queue.credentialPause.max', durationMs(queue.credentialPause.max)],
  ]
  return pairs.flatMap(([path, low, other, high]) =>
    low <= high ? [] : [valueFault(path, { code: 'contradiction', message: `must not be larger than ${other}`, remedy: `Lower it, or raise ${other}.` })],
  )
}

function checkPressure(config: Config): KeyedFault[] {
  const { limits, limitsUnderPressure } = config
  return Object.entries(limitsUnderPressure).flatMap(([key, harsh]) => {
    const normal = limits[key as keyof typeof limits]
    const [a, b] = [numberOf(key, harsh), numberOf(key, normal)]
    // A default of ours that a stricter `limits` overtakes is no mistake of the writer's.
    if ((key === 'minRate' ? a >= b : a <= b) || HARSH_DEFAULTS[key] === harsh) return []
    return [
      valueFault(['limitsUnderPressure', key], {
        code: 'milder-under-pressure',
        message: `${harsh} is milder than limits.${key}: ${normal}`,
        remedy: 'The stricter of the two is used.',
      }),
    ]
  })
}
const HARSH_DEFAULTS: Readonly<Record<string, unknown>> = { errorsPerSession: 1, junkPerSession: 1, commandTime: '10s' }

/** A limit as a number: octets, milliseconds or a count. */
export function numberOf(key: string, value: string | number | undefined): number {
  if (value === undefined) return Number.NaN
  if (key.endsWith('Time')) return durationMs(String(value))
  return ['messageSize', 'commandLine', 'textLine', 'header', 'minRate'].includes(key) ? sizeOctets(value) : Number(value)
}
