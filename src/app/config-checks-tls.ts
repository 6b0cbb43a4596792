/**
 * What the keys of `tlsPolicy` say of each other and of `dns`, and which files they name. Pure.
 */
import type { KeyPath } from './config-path.ts'
import { type KeyedFault, valueFault } from './config-problems.ts'
import type { Config } from './config-schema.ts'

export function checkTlsPolicy(config: Config): readonly KeyedFault[] {
  const { tlsPolicy, dns } = config
  const faults = dns.validating ? [] : daneWithoutValidation(config)
  for (const [index, entry] of tlsPolicy.require.entries()) {
    if (entry.from === undefined && entry.to === undefined) {
      faults.push(
        valueFault(['tlsPolicy', 'require', index], {
          code: 'matches-all',
          message: `all mail is to be sent at level ${entry.level} or wait`,
          remedy: 'Name recipients with to:, or senders with from:. For all mail set tlsPolicy.default instead.',
        }),
      )
    }
  }
  return faults
}

/** Every file with its place. */
export function authoritiesOf({ tlsPolicy }: Config): readonly (readonly [readonly string[], string])[] {
  const rules = (['domains', 'hosts'] as const).flatMap((section) =>
    Object.entries(tlsPolicy[section]).flatMap(([pattern, written]) =>
      typeof written === 'object' && written.ca !== undefined ? [[['tlsPolicy', section, pattern, 'ca'], written.ca] as const] : [],
    ),
  )
  const { ca, mtaStsCa } = tlsPolicy
  return [
    ...(ca === undefined ? [] : [[['tlsPolicy', 'ca'], ca] as const]),
    ...(mtaStsCa === undefined ? [] : [[['tlsPolicy', 'mtaStsCa'], mtaStsCa] as const]),
    ...rules,
  ]
}

/** Such mail waits until it is returned. */
function daneWithoutValidation({ tlsPolicy }: Config): KeyedFault[] {
  const levels: (readonly [KeyPath, string])[] = [
    [['tlsPolicy', 'default'], tlsPolicy.default],
    ...(['domains', 'hosts'] as const).flatMap((section) =>
      Object.entries(tlsPolicy[section]).map(([name, rule]) => [['tlsPolicy', section, name], typeof rule === 'string' ? rule : rule.level] as const),
    ),
    ...tlsPolicy.require.map(({ level }, index) => [['tlsPolicy', 'require', index, 'level'], level] as const),
  ]
  return levels
    .filter(([, level]) => level === 'dane-only')
    .map(([path]) =>
      valueFault(path, {
        code: 'dane-without-validation',
        message: 'dane-only is never met, because dns.validating is off: such mail waits and comes back',
        remedy: 'Run a validating resolver, such as unbound, on this machine and set dns: { servers: [127.0.0.1], validating: true }.',
      }),
    )
}
