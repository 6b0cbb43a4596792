/**
 * Which login mechanism to use with a peer, or why none will do.
 *
 * The credential's own order counts, among what the peer offers inside this very session. PLAIN and
 * LOGIN show the password to whoever listens: without TLS only if the credential allows it, and then
 * after CRAM-MD5, which does not.
 */
import type { Credential } from '../core/route.ts'

export type Mechanism = Credential['mechanisms'][number]
export type LoginChoice = { readonly kind: 'use'; readonly mechanism: Mechanism } | { readonly kind: 'none'; readonly reason: string }

/** `offered` in upper case, as the peer's last EHLO had it. */
export function chooseMechanism(credential: Credential, offered: readonly string[], insideTls: boolean): LoginChoice {
  const usable = credential.mechanisms.filter((mechanism) => offered.includes(mechanism))
  const order = insideTls ? usable : [...usable.filter((mechanism) => mechanism === 'CRAM-MD5'), ...usable.filter((mechanism) => mechanism !== 'CRAM-MD5')]
  const chosen = order.find((mechanism) => mechanism === 'CRAM-MD5' || insideTls || credential.allowPlaintext)
  if (chosen !== undefined) return { kind: 'use', mechanism: chosen }
  if (usable.length > 0) return { kind: 'none', reason: `login ${credential.name}: ${usable.join(' and ')} would show the password, because there is no TLS` }
  const theirs = offered.length === 0 ? 'no login' : offered.slice(0, 8).join(' ')
  return { kind: 'none', reason: `login ${credential.name}: the server offers ${theirs}, we know ${credential.mechanisms.join(' ')}` }
}
