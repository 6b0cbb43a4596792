/**
 * From what the schema refuses to sentences with a place: file, line, key, what is allowed.
 *
 * Of alternatives (text or mapping) only the one that the writer meant is talked about. Values of
 * secret keys never come here: their schema reports without input.
 */
import type * as z from 'zod'
import { CONFIG_PROBLEMS, type ConfigProblem, type Fault, quote } from './config-errors.ts'
import { alternativesAt, keysAt, schemaAt } from './config-json-schema.ts'
import { formatKeyPath, type KeyPath, valueAt } from './config-path.ts'
import { typeName } from './config-scalars.ts'
import type { ConfigSource } from './config-yaml.ts'
import { nearest } from './nearest.ts'

type Issue = z.core.$ZodIssue
export interface KeyedFault {
  readonly path: KeyPath
  readonly part: 'key' | 'value'
  readonly fault: Fault
}

/** Something is wrong with the value at a key. */
export function valueFault(path: KeyPath, fault: Fault): KeyedFault {
  return { path, part: 'value', fault }
}

export function problemAt(keyed: KeyedFault, file: string | null, source: ConfigSource | null): ConfigProblem {
  const { path, part, fault } = keyed
  const position = source?.locate(path, part) ?? null
  return {
    code: fault.code,
    severity: CONFIG_PROBLEMS[fault.code][0],
    file,
    line: position?.line ?? null,
    column: position?.column ?? null,
    key: formatKeyPath(path),
    message: fault.message,
    allowed: fault.allowed ?? null,
    remedy: fault.remedy ?? null,
  }
}

/** What the schema has against these values; empty: nothing. */
export function faultsOf(issues: readonly Issue[], values: unknown, prefix: KeyPath = []): KeyedFault[] {
  return issues.flatMap((issue) => faultsOfIssue(issue, values, [...prefix, ...(issue.path as KeyPath)]))
}

function faultsOfIssue(issue: Issue, values: unknown, path: KeyPath): KeyedFault[] {
  const value = valueAt(values, path)
  const own = (fault: Fault): KeyedFault[] => [valueFault(path, fault)]
  if (value === undefined && path.length > 0 && issue.code !== 'unrecognized_keys') {
    return [valueFault(path, missingKey(path))]
  }
  switch (issue.code) {
    case 'custom':
      return own(issue.params?.fault as Fault)
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey([...path, key]))
    case 'invalid_key': {
      const [inner] = issue.issues
      const fault = inner?.code === 'custom' ? (inner.params?.fault as Fault) : ({ code: 'bad-name', message: 'is no name' } as const)
      return [{ path, part: 'key', fault }]
    }
    case 'invalid_union':
      return meantBranch(issue, values, path)
    case 'invalid_value':
      return own(notAllowed(value, issue.values))
    case 'invalid_type':
      return own(wrongType(value, issue.expected))
    case 'too_small':
      return own(outOfRange(issue.origin, value, path, issue.minimum))
    case 'too_big':
      return own(outOfRange(issue.origin, value, path, issue.maximum))
    default:
      return own({ code: 'not-allowed', message: `${quote(value)} is not allowed` })
  }
}

/** The alternative whose type fits what was written; with several, the one with a fault of its own words. */
function meantBranch(issue: Extract<Issue, { code: 'invalid_union' }>, values: unknown, path: KeyPath): KeyedFault[] {
  const value = valueAt(values, path)
  const fitting = issue.errors.filter((branch) => !branch.some((inner) => inner.path.length === 0 && missesType(inner, value)))
  const [meant] = [...fitting].sort((a, b) => Number(isChoice(a)) - Number(isChoice(b)))
  if (meant === undefined) return [valueFault(path, { code: 'wrong-type', message: `${typeName(value)} is not allowed here`, ...allowedTypes(path) })]
  const choices = fitting
    .filter((branch) => branch !== meant && isChoice(branch))
    .flatMap((branch) => branch.flatMap((inner) => (inner.code === 'invalid_value' ? inner.values.map(String) : [])))
  const faults = faultsOf(meant, values, path)
  if (choices.length === 0) return faults
  return faults.map((keyed) => ({ ...keyed, fault: { ...keyed.fault, allowed: `${keyed.fault.allowed ?? ''}, or ${choices.join(', ')}` } }))
}

function missingKey(path: KeyPath): Fault {
  const description = schemaAt(path)?.description
  return { code: 'missing-key', message: 'is missing', ...(description === undefined ? {} : { remedy: `Add it: ${description}` }) }
}

function missesType(issue: Issue, value: unknown): boolean {
  if (issue.code === 'invalid_type') return true
  if (issue.code === 'invalid_value') return !issue.values.some((choice) => typeof choice === typeof value)
  return issue.code === 'custom' && (issue.params?.fault as Fault | undefined)?.code === 'wrong-type'
}
function isChoice(branch: readonly Issue[]): boolean {
  return branch.some((issue) => issue.code === 'invalid_value' && issue.path.length === 0)
}

function notAllowed(value: unknown, values: readonly unknown[]): Fault {
  const choices = values.map(String)
  const near = typeof value === 'string' ? nearest(value, choices) : null
  const allowed = choices.length === 1 ? `only ${choices[0]}` : `one of ${choices.join(', ')}`
  return { code: 'not-allowed', message: `${quote(value)} is not allowed`, allowed, ...(near === null ? {} : { remedy: `Did you mean ${quote(near)}?` }) }
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
}

function wrongType(value: unknown, expected: string): Fault {
  const whole = expected === 'int' && typeof value === 'number'
  const inBrackets = expected === 'array' && typeof value === 'string'
  return {
    code: 'wrong-type',
    message: `must be ${EXPECTED[expected] ?? expected}, not ${whole ? String(value) : typeName(value)}`,
    ...(inBrackets ? { remedy: 'Put it into brackets: [ VALUE ].' } : {}),
  }
}

function outOfRange(origin: string, value: unknown, path: KeyPath, bound: number | bigint): Fault {
  const { minimum, maximum, minItems, maxItems } = schemaAt(path) ?? {}
  if (origin === 'array')
    return {
      code: 'out-of-range',
      message: Number(bound) === (minItems ?? 1) ? 'the list is empty' : 'the list is too long',
      allowed: maxItems === undefined ? `${minItems ?? 1} entries or more` : `${minItems ?? 0} to ${maxItems} entries`,
    }
  return {
    code: 'out-of-range',
    message: `${quote(value)} is out of range`,
    allowed: minimum === undefined || maximum === undefined ? `bound ${bound}` : `${minimum} to ${maximum}`,
  }
}

function unknownKey(path: KeyPath): KeyedFault {
  const key = String(path.at(-1))
  const known = keysAt(path.slice(0, -1))
  const near = nearest(key, known)
  const fault: Fault = {
    code: 'unknown-key',
    message: 'there is no such key',
    // All of them would hide the one that was meant.
    ...(near === null ? { allowed: `one of ${known.join(', ')}` } : { remedy: `Did you mean ${quote(near)}?` }),
  }
  return { path, part: 'key', fault }
}

function allowedTypes(path: KeyPath): { readonly allowed?: string } {
  const names = new Set(
    alternativesAt(path).flatMap((node) => (node.const === undefined ? [node.type ?? []].flat().map((type) => EXPECTED[type] ?? type) : [String(node.const)])),
  )
  return names.size === 0 ? {} : { allowed: [...names].join(' or ') }
}
