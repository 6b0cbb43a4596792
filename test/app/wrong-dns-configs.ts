/**
 * `dns` with faults, and word for word what is said of each.
 */
import type { WrongConfig } from './wrong-config.ts'

export const WRONG_DNS_CONFIGS: readonly WrongConfig[] = [
  ...['dns.google', '127.0.0.1:0', '127.0.0.1:70000', '::1:53x', '[127.0.0.1]:53', '127.1', ''].map(
    (server): WrongConfig => [
      `dns: {servers: ["${server}"]}`,
      [
        [
          'bad-host',
          `postern.yaml:1:17: dns.servers[0]: "${server}" is no address of a name server; ADDRESS or ADDRESS:PORT, such as 127.0.0.1 or [::1]:5353.`,
        ],
      ],
    ],
  ),
  [
    'dns: {validating: true, servers: ["127.0.0.1", "9.9.9.9"]}',
    [
      [
        'validating-far',
        'postern.yaml:1:19: dns.validating: what 9.9.9.9 says of DNSSEC could be forged on its way, and does not count. Run a validating resolver, such as unbound, on this machine and name only that.',
      ],
    ],
  ],
]
