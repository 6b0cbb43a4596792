/**
 * What the keys of `direct` say of each other. Pure.
 */
import type { KeyedFault } from './config-problems.ts'
import type { Config } from './config-schema.ts'

export function checkDirect({ direct }: Config): readonly KeyedFault[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const { source } = direct[family]
    const at = (key: 'source', message: string, remedy: string): KeyedFault[] => [
      { path: ['direct', family, key], part: 'value', fault: { code: 'contradiction', message, remedy } },
    ]
    if (source === undefined) return []
    if (source.includes(':') !== (family === 'ipv6')) {
      return at('source', `${source} is no ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address`, `Set it under direct.${family === 'ipv4' ? 'ipv6' : 'ipv4'}.`)
    }
    if (direct.families === 'auto' || direct.families === family) return []
    return at('source', `direct.families leaves ${family} out, so that this address is never used`, 'Remove it, or set families: auto.')
  })
}
