/**
 * Schema pieces for single values: durations, sizes, patterns, secrets. They check and transform
 * nothing, so that a configuration can be shown as it was written; `settings` reads the values.
 *
 * A value that is wrong carries its `Fault` in the issue; `config-problems` adds the place.
 */
import * as z from 'zod'
import { formatSize, parseDuration, parseSize } from '../core/units.ts'
import { type Fault, quote } from './config-errors.ts'
import { isAddress, NAME, type Parsed, RESERVED_NAMES } from './config-values.ts'

export type Check = (value: string) => Fault | null

/** Text with a check of its own; `meta` goes into the JSON Schema. */
export function text(check: Check, meta: Readonly<Record<string, unknown>> = {}) {
  return z
    .custom<string>()
    .check((context) => {
      const { value } = context
      const fault: Fault | null = typeof value === 'string' ? check(value) : { code: 'wrong-type', message: `must be text, not ${typeName(value)}` }
      if (fault !== null) context.issues.push({ code: 'custom', input: value, params: { fault }, path: [] })
    })
    .meta({ type: 'string', ...meta })
}

/** Text that a parser of `config-values` understands. */
export function parsed(parse: (value: string) => Parsed<unknown>, meta: Readonly<Record<string, unknown>> = {}) {
  return text((value) => {
    const result = parse(value)
    return 'fault' in result ? result.fault : null
  }, meta)
}

/** A duration between two others, both included. A number without a unit is told which units there are. */
export function duration(min: string, max: string) {
  const range = `${min} to ${max}`
  return z
    .custom<string>()
    .check((context) => {
      const fault = durationFault(context.value, min, max)
      if (fault !== null) context.issues.push({ code: 'custom', input: context.value, params: { fault }, path: [] })
    })
    .meta({ type: 'string', 'x-kind': `duration, ${range}` })
}

function durationFault(value: unknown, min: string, max: string): Fault | null {
  const range = `${min} to ${max}`
  const ms = typeof value === 'string' ? parseDuration(value) : null
  if (ms === null) {
    const count = /^\s*\d+\s*$/.test(String(value)) ? String(value).trim() : null
    const remedy = count === null ? 'Units are ms, s, m, h and d.' : `Write ${count}s for seconds or ${count}m for minutes.`
    return { code: 'bad-duration', message: `${quote(value)} is no duration`, allowed: `a number with its unit, ${range}`, remedy }
  }
  if (ms >= durationMs(min) && ms <= durationMs(max)) return null
  return { code: 'out-of-range', message: `${quote(value)} is out of range`, allowed: range }
}

/** A size between two others, in octets. YAML reads a plain number as a number; both are taken. */
export function size(min: number, max: number) {
  const range = `${formatSize(min)} to ${formatSize(max)}`
  return z
    .custom<string | number>()
    .check((context) => {
      const { value } = context
      const octets = typeof value === 'number' || typeof value === 'string' ? parseSize(String(value)) : null
      const fault: Fault | null =
        octets === null
          ? {
              code: 'bad-size',
              message: `${quote(value)} is no size`,
              allowed: `a number with or without unit, ${range}`,
              remedy: 'Units are KB, MB, GB and KiB, MiB, GiB.',
            }
          : octets < min || octets > max
            ? { code: 'out-of-range', message: `${quote(value)} is out of range`, allowed: range }
            : null
      if (fault !== null) context.issues.push({ code: 'custom', input: value, params: { fault }, path: [] })
    })
    .meta({ type: ['string', 'integer'], 'x-kind': `size, ${range}` })
}

/** A duration in milliseconds, a size in octets: the schema has let only right ones through. */
export function durationMs(value: string): number {
  const ms = parseDuration(value)
  if (ms === null) throw new Error(`not checked by the schema: ${value}`)
  return ms
}
export function sizeOctets(value: string | number): number {
  const octets = parseSize(String(value))
  if (octets === null) throw new Error(`not checked by the schema: ${value}`)
  return octets
}
export const name = text((value) => {
  if (RESERVED_NAMES.includes(value)) return { code: 'bad-name', message: `${quote(value)} has a meaning of its own in routes`, remedy: 'Choose another name.' }
  return NAME.test(value)
    ? null
    : { code: 'bad-name', message: `${quote(value)} is no name`, allowed: 'letters, digits, - and _, at most 40, beginning with a letter or digit' }
})

/** A pattern for addresses, as `core/pattern.ts` reads it. */
export const addressPattern = text(
  (value) => {
    if (value === '<>' || (/^[^\s<>,;\p{Cc}]{1,320}$/u.test(value) && value.split('@').length <= 2 && !value.endsWith('@'))) return null
    return {
      code: 'bad-address',
      message: `${quote(value)} is no address pattern`,
      allowed: 'user@example.com, *@example.com, example.com, *.example.com, <> or *',
    }
  },
  { 'x-kind': 'address pattern' },
)
/** A pattern for anything else: `*` stands for any run of characters. */
export const glob = text(
  (value) =>
    value !== '' && value.length <= 1000 ? null : { code: 'out-of-range', message: 'must not be empty', allowed: 'a text with * for any characters' },
  { 'x-kind': 'pattern' },
)

export const address = text((value) =>
  /^[^\s<>,;@\p{Cc}]{1,64}@[^\s<>,;@\p{Cc}]{1,255}$/u.test(value)
    ? null
    : { code: 'bad-address', message: `${quote(value)} is no address`, allowed: 'user@example.com' },
)
export const hostName = text((value) =>
  /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/.test(value)
    ? null
    : { code: 'bad-host', message: `${quote(value)} is no host name`, allowed: 'letters, digits and - in labels of at most 63, with dots between' },
)
export const ipAddress = text((value) =>
  isAddress(value) ? null : { code: 'bad-host', message: `${quote(value)} is no address`, allowed: 'an IPv4 or IPv6 address' },
)
export const path = text(
  (value) =>
    value !== '' && value.length <= 4096 && !/\p{Cc}/u.test(value)
      ? null
      : { code: 'out-of-range', message: 'is no path', allowed: 'a path, relative ones from the folder of this file' },
  { 'x-kind': 'path' },
)
export const line = text((value) =>
  /^[^\p{Cc}]{1,500}$/u.test(value) ? null : { code: 'out-of-range', message: 'must be one line of text', allowed: '1 to 500 characters' },
)

/** Where a secret is; exactly one of the three. A plain text is refused without being repeated. */
function secretOf(noun: 'password' | 'key') {
  return z
    .custom<SecretReference>()
    .check((context) => {
      const fault = secretFault(context.value, noun)
      if (fault !== null) context.issues.push({ code: 'custom', input: undefined, params: { fault }, path: [] })
    })
    .meta({
      'x-kind': 'secret: { file: PATH }, { env: NAME } or { credential: NAME }',
      oneOf: [
        {
          type: 'object',
          properties: { file: { type: 'string', description: 'File with the secret, mode 0600.' } },
          required: ['file'],
          additionalProperties: false,
        },
        { type: 'object', properties: { env: { type: 'string', description: 'Environment variable.' } }, required: ['env'], additionalProperties: false },
        {
          type: 'object',
          properties: { credential: { type: 'string', description: 'systemd credential (LoadCredential=).' } },
          required: ['credential'],
          additionalProperties: false,
        },
      ],
    })
}
export const secretReference = secretOf('password')
/** Of a private key. */
export const keyReference = secretOf('key')
export type SecretReference = { readonly file: string } | { readonly env: string } | { readonly credential: string }

const SECRET_NAMES: Readonly<Record<string, RegExp>> = {
  file: /^[^\p{Cc}]{1,4096}$/u,
  env: /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
  credential: /^[A-Za-z0-9_.-]{1,255}$/,
}

function secretFault(value: unknown, noun: 'password' | 'key'): Fault | null {
  const allowed = '{ file: PATH }, { env: NAME } or { credential: NAME }'
  if (typeof value === 'string' || typeof value === 'number') {
    const remedy = `Put it into a file that only Postern can read (chmod 600) and write { file: secrets/NAME } here. Change the ${noun} if others have seen this file.`
    const isHash = String(value).startsWith('$scrypt$')
    return {
      code: 'secret-in-file',
      message: isHash ? 'this is the hash of a password' : `a ${noun} must not stand in this file`,
      allowed,
      remedy: isHash ? 'A hash stands under passwordHash.' : remedy,
    }
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return { code: 'wrong-type', message: `must say where the ${noun} is, not be ${typeName(value)}`, allowed }
  const entries = Object.entries(value)
  const [kind = '', where] = entries[0] ?? []
  const pattern = SECRET_NAMES[kind]
  if (entries.length !== 1 || pattern === undefined) return { code: 'not-allowed', message: `must say in one way where the ${noun} is`, allowed }
  if (typeof where !== 'string' || !pattern.test(where) || (kind === 'credential' && /^\.+$/.test(where)))
    return {
      code: 'not-allowed',
      message: `${kind}: is not the name of ${kind === 'file' ? 'a file' : kind === 'env' ? 'an environment variable' : 'a systemd credential'}`,
      allowed,
    }
  return null
}

/** `a list`, `a mapping`, `nothing`, `text`, `a number`, `true or false`. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value === 'string') return 'text'
  return typeof value === 'number' || typeof value === 'bigint' ? 'a number' : 'true or false'
}

export function oneOrMany<Schema extends z.ZodType>(schema: Schema, max: number) {
  return z.union([schema, z.array(schema).min(1).max(max)])
}
export function listOf<Value>(value: Value | readonly Value[] | undefined): readonly Value[] {
  return value === undefined ? [] : Array.isArray(value) ? (value as readonly Value[]) : [value as Value]
}
