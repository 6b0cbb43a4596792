/**
 * TLS policies with faults, and what is said of each. A warning about the host name is left out.
 */
import type { WrongConfig } from './wrong-config.ts'

const ALLOWED = 'none, may, encrypt, verify, dane, dane-only'
const UNMET =
  'dane-only is never met, because dns.validating is off: such mail waits and comes back. Run a validating resolver, such as unbound, on this machine and set dns: { servers: [127.0.0.1], validating: true }.'

export const WRONG_TLS_CONFIGS: readonly WrongConfig[] = [
  ['tlsPolicy: {default: verfy}', [['not-allowed', `postern.yaml:1:22: tlsPolicy.default: "verfy" is not allowed; one of ${ALLOWED}. Did you mean "verify"?`]]],
  ['tlsPolicy: {default: dane-only}', [['dane-without-validation', `postern.yaml:1:22: tlsPolicy.default: ${UNMET}`]]],
  [
    'tlsPolicy: {domains: {x.example: dane-only}, require: [{to: y.example, level: dane-only}]}',
    [
      ['dane-without-validation', `postern.yaml:1:34: tlsPolicy.domains."x.example": ${UNMET}`],
      ['dane-without-validation', `postern.yaml:1:79: tlsPolicy.require[0].level: ${UNMET}`],
    ],
  ],
  [
    'tlsPolicy: {require: [{level: verify}]}',
    [
      [
        'matches-all',
        'postern.yaml:1:23: tlsPolicy.require[0]: all mail is to be sent at level verify or wait. Name recipients with to:, or senders with from:. For all mail set tlsPolicy.default instead.',
      ],
    ],
  ],
]
