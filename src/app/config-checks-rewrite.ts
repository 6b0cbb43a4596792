/**
 * What the entries of `rewrite`, `aliases` and `local` say of each other, and whether patterns can be
 * used. Pure but for `checkTables`, which reads the tables once.
 */
import { resolve } from 'node:path'
import { parseAliases, resolveIncludes } from '../rewrite/aliases-file.ts'
import { compilePattern } from '../rewrite/pattern.ts'
import { TableFault } from '../rewrite/table-lines.ts'
import { parseTarget } from '../rewrite/target.ts'
import type { Fault } from './config-errors.ts'
import type { KeyPath } from './config-path.ts'
import { type KeyedFault, valueFault } from './config-problems.ts'
import { listOf } from './config-scalars.ts'
import type { Config } from './config-schema.ts'
import type { RecipientRuleConfig } from './config-schema-rewrite.ts'
import { bareDomainOf } from './local-domains.ts'
import { parseTable } from './rewriting.ts'
import { readTable } from './table-file.ts'

export function checkRewrite(config: Config): readonly KeyedFault[] {
  const { rewrite } = config
  return [
    ...rewrite.recipients.flatMap((rule, index) => checkRule(rule, ['rewrite', 'recipients', index], 'map, pattern with to, or file')),
    ...rewrite.senders.flatMap((rule, index) => checkRule(rule, ['rewrite', 'senders', index], 'map, or pattern with to')),
    ...checkBareNames(config),
    ...checkLocal(config),
  ]
}

function checkRule(rule: RecipientRuleConfig, path: KeyPath, allowed: string): KeyedFault[] {
  const given = [rule.map, rule.pattern, rule.file].filter((value) => value !== undefined).length
  if (given !== 1) {
    const message = given === 0 ? 'the entry says of no address what it becomes' : 'the entry says in two ways what addresses become'
    return [valueFault(path, { code: given === 0 ? 'missing-key' : 'contradiction', message, allowed, remedy: 'Write one of them in each entry.' })]
  }
  if (rule.format !== undefined && rule.file === undefined)
    return [valueFault([...path, 'format'], { code: 'contradiction', message: 'only a file has a format', remedy: 'Remove it.' })]
  if (rule.pattern === undefined) {
    return rule.to === undefined ? [] : [valueFault([...path, 'to'], { code: 'contradiction', message: 'only a pattern has to:', remedy: 'Remove it.' })]
  }
  if (rule.to === undefined)
    return [
      valueFault(path, {
        code: 'missing-key',
        message: 'the pattern leads nowhere',
        remedy: 'Add to: with an address; $1 stands for what the first bracket matched.',
      }),
    ]
  const pattern = compilePattern({ written: rule.pattern, templates: listOf(rule.to), style: 'pcre' })
  return 'fault' in pattern ? [valueFault([...path, 'pattern'], { code: 'bad-pattern', message: pattern.fault, allowed: '/EXPRESSION/ or /EXPRESSION/i' })] : []
}

/** A name among the targets needs a domain, or mail for it can only be held. */
function checkBareNames(config: Config): KeyedFault[] {
  if (bareDomainOf(config) !== null) return []
  const { recipients, senders } = config.rewrite
  const faultsOf = (rule: RecipientRuleConfig, path: KeyPath): KeyedFault[] => {
    const inMap = Object.entries(rule.map ?? {}).map(([key, value]) => [[...path, 'map', key] as KeyPath, listOf(value)] as const)
    const all = rule.to === undefined ? inMap : [...inMap, [[...path, 'to'] as KeyPath, listOf(rule.to)] as const]
    return all.flatMap(([where, targets]) => targets.filter((text) => parseTarget(text)?.kind === 'name').map((text) => valueFault(where, needsDomain(text))))
  }
  return [
    ...recipients.flatMap((rule, index) => faultsOf(rule, ['rewrite', 'recipients', index])),
    ...senders.flatMap((rule, index) => faultsOf(rule, ['rewrite', 'senders', index])),
  ]
}

function needsDomain(text: string): Fault {
  return {
    code: 'contradiction',
    message: `${JSON.stringify(text)} has no domain, and there is none for such names`,
    remedy: 'Write the whole address, or set local: {} so that names get the local domain.',
  }
}

function checkLocal(config: Config): KeyedFault[] {
  const { local, aliases } = config
  if (local === undefined) {
    if (aliases === undefined) return []
    const remedy = 'Add local: {}, or remove aliases.'
    return [valueFault(['aliases'], { code: 'contradiction', message: 'aliases are for names of local domains, and there are none', remedy })]
  }
  if (local.appendDomain === true && bareDomainOf(config) === null) {
    const remedy = 'Name the domain: appendDomain: example.com, or set it to false.'
    return [valueFault(['local', 'appendDomain'], { code: 'contradiction', message: 'there is no local domain that names could get', remedy })]
  }
  const hasRoot = local.users === 'system' || local.users.some((name) => name.toLowerCase() === 'root')
  if (hasRoot || local.root !== undefined || aliases !== undefined || local.domains.length === 0) return []
  return [
    valueFault(['local', 'users'], {
      code: 'root-nowhere',
      message: 'root is no user, so that mail for root and postmaster is refused',
      remedy: 'Set local.root to the address of whoever looks after this machine.',
    }),
  ]
}

/** Tables as they are now: whoever writes one learns of a mistake before mail is held for it. */
export function checkTables(config: Config, folder: string): readonly KeyedFault[] {
  const tables = config.rewrite.recipients.flatMap((rule, index) =>
    rule.file === undefined
      ? []
      : tryTable(['rewrite', 'recipients', index, 'file'], resolve(folder, rule.file), (text) => parseTable(text, rule.format ?? 'hash-text')),
  )
  const { aliases } = config
  if (aliases === undefined || config.local === undefined) return tables
  const { file, include } = typeof aliases === 'string' ? { file: aliases, include: false } : aliases
  const path = typeof aliases === 'string' ? ['aliases'] : ['aliases', 'file']
  const parse = (text: string): unknown => resolveIncludes(parseAliases(text), { read: include ? readTable : null, depthMax: 10 })
  return [...tables, ...tryTable(path, resolve(folder, file), parse)]
}

function tryTable(path: KeyPath, file: string, parse: (text: string) => unknown): KeyedFault[] {
  try {
    parse(readTable(file))
    return []
  } catch (fault) {
    if (!(fault instanceof TableFault)) throw fault
    const message = fault.message.includes(file) ? fault.message : `${file}: ${fault.message}`
    return [valueFault(path, { code: 'table-unusable', message, remedy: 'Mend it; until then mail that needs it is held.' })]
  }
}
