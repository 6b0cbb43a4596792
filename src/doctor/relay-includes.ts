/**
 * Which SPF include stands for a relay, by the name of its host. Published by the providers themselves.
 */

export interface RelayInclude {
  readonly include: string
  /** It usually puts a reverse-path of its own: SPF of the sender domain is then asked by nobody. */
  readonly ownReversePath: boolean
}

const INCLUDES: readonly (readonly [host: RegExp, include: string, reversePath: 'of the sender' | 'its own'])[] = [
  [/^smtp(?:-relay)?\.gmail\.com$/, '_spf.google.com', 'of the sender'],
  [/^smtp\.office365\.com$/, 'spf.protection.outlook.com', 'of the sender'],
  [/\.mail\.protection\.outlook\.com$/, 'spf.protection.outlook.com', 'of the sender'],
  [/^smtp\.(?:fastmail|messagingengine)\.com$/, 'spf.messagingengine.com', 'of the sender'],
  [/^email-smtp(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com$/, 'amazonses.com', 'its own'],
  [/^smtp\.(?:eu\.)?sendgrid\.net$/, 'sendgrid.net', 'its own'],
  [/^smtp\.(?:eu\.)?mailgun\.org$/, 'mailgun.org', 'its own'],
  [/^smtp\.postmarkapp\.com$/, 'spf.mtasv.net', 'its own'],
  [/^smtp(?:pro)?\.zoho\.com$/, 'zoho.com', 'of the sender'],
  [/(?:^|\.)mail\.ovh\.net$/, 'mx.ovh.com', 'of the sender'],
  [/^mail\.gandi\.net$/, '_mailcust.gandi.net', 'of the sender'],
]

/** Null: not one of those. */
export function includeOf(hosts: readonly string[]): RelayInclude | null {
  for (const host of hosts) {
    const name = host.toLowerCase()
    const known = INCLUDES.find(([pattern]) => pattern.test(name))
    if (known !== undefined) return { include: known[1], ownReversePath: known[2] === 'its own' }
  }
  return null
}
