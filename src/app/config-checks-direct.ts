/**
 * What the keys of `direct` say of each other. Pure.
 */
import { type KeyedFault, valueFault } from './config-problems.ts'
import type { Config } from './config-schema.ts'

export function checkDirect({ direct }: Config): readonly KeyedFault[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const { source } = direct[family]
    const wrong = (message: string, remedy: string): KeyedFault[] => [valueFault(['direct', family, 'source'], { code: 'contradiction', message, remedy })]
    if (source === undefined) return []
    if (source.includes(':') !== (family === 'ipv6')) {
      return wrong(`${source} is no ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address`, `Set it under direct.${family === 'ipv4' ? 'ipv6' : 'ipv4'}.`)
    }
    if (direct.families === 'auto' || direct.families === family) return []
    return wrong(`direct.families leaves ${family} out, so that this address is never used`, 'Remove it, or set families: auto.')
  })
}
