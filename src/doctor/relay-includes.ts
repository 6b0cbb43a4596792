/**
 * Which SPF include stands for a relay, by the name of its host. Published by the providers themselves.
 */

const INCLUDES: readonly (readonly [suffix: string, include: string])[] = [
  ['smtp-relay.gmail.com', '_spf.google.com'],
  ['smtp.gmail.com', '_spf.google.com'],
  ['smtp.office365.com', 'spf.protection.outlook.com'],
  ['mail.protection.outlook.com', 'spf.protection.outlook.com'],
  ['smtp.fastmail.com', 'spf.messagingengine.com'],
  ['smtp.messagingengine.com', 'spf.messagingengine.com'],
  ['amazonaws.com', 'amazonses.com'],
  ['smtp.sendgrid.net', 'sendgrid.net'],
  ['smtp.mailgun.org', 'mailgun.org'],
  ['smtp.eu.mailgun.org', 'mailgun.org'],
  ['smtp.zoho.com', 'zoho.com'],
  ['smtp.mail.ovh.net', 'mx.ovh.com'],
  ['mail.gandi.net', '_mailcust.gandi.net'],
  ['smtp.postmarkapp.com', 'spf.mtasv.net'],
]

/** Null: not one of those. */
export function includeOf(hosts: readonly string[]): string | null {
  for (const host of hosts) {
    const name = host.toLowerCase()
    const known = INCLUDES.find(([suffix]) => name === suffix || name.endsWith(`.${suffix}`))
    if (known !== undefined) return known[1]
  }
  return null
}
