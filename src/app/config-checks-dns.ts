/**
 * What the keys of `dns` say of each other. Pure.
 */
import { isLoopbackAddress } from '../core/ip-address.ts'
import { checkedValue } from './config-implied.ts'
import { type KeyedFault, valueFault } from './config-problems.ts'
import type { Config } from './config-schema.ts'
import { parseDnsServer } from './config-schema-dns.ts'

export function checkDns({ dns }: Config): readonly KeyedFault[] {
  const far = dns.servers?.find((written) => !isLoopbackAddress(checkedValue(parseDnsServer(written)).address))
  if (!dns.validating || far === undefined) return []
  return [
    valueFault(['dns', 'validating'], {
      code: 'validating-far',
      message: `what ${far} says of DNSSEC could be forged on its way, and does not count`,
      remedy: 'Run a validating resolver, such as unbound, on this machine and name only that.',
    }),
  ]
}
