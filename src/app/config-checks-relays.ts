/**
 * What the keys of one relay say of each other and of our listeners. Pure.
 */
import { type Fault, quote } from './config-errors.ts'
import { checkedValue, isFallback, listenersOf, type RelayTls, routesOf, tlsOf } from './config-implied.ts'
import type { KeyPath } from './config-path.ts'
import { type KeyedFault, valueFault } from './config-problems.ts'
import { listOf } from './config-scalars.ts'
import type { Config } from './config-schema.ts'
import type { RelayConfig } from './config-schema-relay.ts'
import { isLoopback, parseRelayHost } from './config-values.ts'

export function checkRelays(config: Config): readonly KeyedFault[] {
  return Object.entries(config.relays).flatMap(([name, relay]) => {
    const below = (path: KeyPath, fault: Fault): KeyedFault => valueFault(['relays', name, ...path], fault)
    const tls = tlsOf(relay)
    return [
      ...checkFallbacks(name, relay, config).map((fault) => below(['credentials'], fault)),
      ...checkLogin(relay, tls).map((fault) => below(relay.tls === undefined ? [] : ['tls'], fault)),
      ...checkLoop(relay, tls, config).map((fault) => below(['host'], fault)),
    ]
  })
}

function checkFallbacks(name: string, relay: RelayConfig, config: Config): Fault[] {
  const entries = Object.entries(relay.credentials)
  const fallbacks = entries.filter(([credential, written]) => isFallback(credential, written, relay)).map(([credential]) => credential)
  if (fallbacks.length > 1)
    return [{ code: 'duplicate-fallback', message: `${fallbacks.join(' and ')} are both the fallback`, remedy: 'Set fallback: false on all but one.' }]
  const chosenBySender = routesOf(config).some((route) => route.via === name)
  if (entries.length === 0 || fallbacks.length === 1 || !chosenBySender) return []
  return [{ code: 'no-fallback', message: 'mail of senders that none of these is for goes out without login', remedy: 'Set fallback: true on one of them.' }]
}

function checkLogin(relay: RelayConfig, tls: RelayTls): Fault[] {
  const hosts = hostsOf(relay, tls)
  const implicit = hosts.some(({ implicitTls }) => implicitTls)
  if (tls.level === 'none' && implicit)
    return [{ code: 'contradiction', message: 'tls is none, but the port or implicit: true means TLS', remedy: 'Use level verify, or port 25 or 587.' }]
  const credentials = Object.values(relay.credentials)
  if (credentials.length === 0 || implicit) return []
  const plainOnly = credentials.some(({ mechanisms }) => !mechanisms.includes('CRAM-MD5'))
  if (tls.level === 'none' && plainOnly && !relay.auth.allowPlaintext) {
    return [
      {
        code: 'login-impossible',
        message: 'passwords are sent only inside TLS, and tls is none',
        remedy: 'Set tls: verify; or, for a relay on this machine, auth: { allowPlaintext: true }.',
      },
    ]
  }
  const outside = hosts.some(({ host }) => !isLoopback(host))
  if (relay.auth.allowPlaintext && outside && (tls.level === 'none' || tls.level === 'may')) {
    return [
      { code: 'plaintext-login', message: `with tls ${tls.level} and auth.allowPlaintext the password can be read on its way`, remedy: 'Set tls: verify.' },
    ]
  }
  return []
}

function checkLoop(relay: RelayConfig, tls: RelayTls, config: Config): Fault[] {
  const listeners = listenersOf(config)
  const own = hostsOf(relay, tls).find(({ host, port }) =>
    listeners.some((listener) => {
      if (listener.port !== port) return false
      const everywhere = listener.host === '0.0.0.0' || listener.host === '::'
      return host === listener.host || (isLoopback(host) && (listener.loopback || everywhere)) || (host === config.hostname && !listener.loopback)
    }),
  )
  return own === undefined
    ? []
    : [
        {
          code: 'relay-loop',
          message: `${quote(`${own.host}:${own.port}`)} is one of our own listeners: mail would come back to us`,
          remedy: 'Name the real relay, or another port.',
        },
      ]
}

function hostsOf(relay: RelayConfig, tls: RelayTls) {
  return listOf(relay.host).map((host) => checkedValue(parseRelayHost(host, tls.implicit)))
}
