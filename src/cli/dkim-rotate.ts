/**
 * `postern dkim rotate`: the next step of replacing a domain's keys. See `app/dkim-plan.ts`.
 */

import { RSA_BITS_MIN } from '../app/config-dkim-keys.ts'
import { askPublications } from '../app/dkim-dns.ts'
import { keyFile, type ListedKey, recordName, removeKeys, switchKeys } from '../app/dkim-keys.ts'
import { formatMoment, freeSelector, nextStep, OLD_RECORD_DAYS } from '../app/dkim-plan.ts'
import { type CliContext, CliError, EXIT, print } from './context.ts'
import { describeVerdict, judge } from './dkim-check.ts'
import {
  beside,
  changeFile,
  commandFor,
  type DkimOptions,
  day,
  describeRecord,
  keyAnswer,
  keysOf,
  makeKeys,
  type Opened,
  openConfig,
  readDomain,
} from './dkim-shown.ts'
import { escapeText, toJson } from './escape.ts'

export interface RotateOptions extends DkimOptions {
  readonly unchecked?: boolean
}
interface Rotation {
  readonly context: CliContext
  readonly opened: Opened
  readonly domain: string
  readonly options: RotateOptions
}

export async function rotate(context: CliContext, written: string, options: RotateOptions): Promise<void> {
  const domain = readDomain(written)
  const opened = openConfig(context, options)
  const keys = keysOf(context, opened, domain)
  const rotation: Rotation = { context, opened, domain, options }
  const broken = keys.find(({ fault, state }) => fault !== null && state !== 'ended')
  if (broken !== undefined)
    throw new CliError(EXIT.failed, escapeText(`the key of selector ${broken.selector} cannot be used: ${broken.fault?.message}`), {
      code: 'bad-key',
      hint: escapeText(broken.fault?.remedy ?? 'postern config check says what is wrong.'),
    })
  const step = nextStep(keys, context.clock.now())
  switch (step.kind) {
    case 'no-keys':
      throw new Error('a rotation without keys')
    case 'begin':
      begin(rotation, keys, step.types)
      return
    case 'switch':
      await finish(rotation, step)
      return
    case 'rest':
      rest(rotation, step)
      return
    case 'remove':
      remove(rotation, step.old)
  }
}

function begin({ context, opened, domain, options }: Rotation, keys: readonly ListedKey[], types: readonly ('rsa' | 'ed25519')[]): void {
  const taken = keys.map(({ selector }) => selector)
  const bits = Math.max(RSA_BITS_MIN, ...keys.map((key) => key.bits ?? 0))
  const fresh = types.map((type) => ({ selector: freeSelector(taken, type, context.clock.now()), type, bits, active: false }))
  const made = makeKeys(context, opened, { domain, before: keys, options }, fresh)
  const again = `${commandFor(context, opened.file)} dkim rotate ${domain}`
  if (answered(context, options, { step: 'begin', domain, keys: made.map(keyAnswer), next: ['publish the records', again] })) return
  for (const { selector } of fresh)
    print(context, `Wrote ${beside(context, opened.file, keyFile(domain, selector))} (the new private key, mode 0600). It does not sign yet.`)
  print(context, `\n1. Publish in the DNS of ${domain}, and leave the old record where it is:`)
  for (const { record } of made) for (const line of record === null ? [] : ['', ...describeRecord(record)]) print(context, line)
  print(context, `\n2. Then switch to the new key:  ${again}`)
}

async function finish(
  { context, opened, domain, options }: Rotation,
  step: { readonly fresh: readonly ListedKey[]; readonly old: readonly ListedKey[] },
): Promise<void> {
  const command = commandFor(context, opened.file)
  if (options.unchecked !== true) {
    const checked = await askPublications(opened.loaded, step.fresh, context.clock)
    const missing = checked.filter(({ publication }) => publication.kind !== 'matches')
    if (missing.length > 0) {
      context.setExitCode(EXIT.failed)
      const answers = checked.map(({ key, publication }) => ({ ...keyAnswer(key), published: publication.kind }))
      if (answered(context, options, { step: 'wait', domain, keys: answers, next: ['publish the records', `${command} dkim rotate ${domain}`] })) return
      for (const { key, publication } of missing) for (const line of describeVerdict(context, key, judge(key, publication))) print(context, line)
      print(context, `The old key goes on signing. When the record is there, call again: ${command} dkim rotate ${domain}`)
      return
    }
  }
  const at = formatMoment(context.clock.now())
  changeFile(() => switchKeys(opened.file, { ...step, at }, opened.request))
  const next = [`${command} reload`, `after ${OLD_RECORD_DAYS} days: ${command} dkim rotate ${domain}`]
  if (answered(context, options, { step: 'switch', domain, signs: step.fresh.map(nameOf), ended: step.old.map(nameOf), next })) return
  print(
    context,
    `${listed(step.fresh)} ${step.fresh.length === 1 ? 'signs' : 'sign'} from now on${step.old.length === 0 ? '' : `, ${listed(step.old)} no more`}.`,
  )
  print(context, `\n1. Let the server do so:  ${command} reload`)
  if (step.old.length > 0)
    print(
      context,
      `2. Leave the old record in the DNS for ${OLD_RECORD_DAYS} days: mail signed with it may still be under way. Then: ${command} dkim rotate ${domain}`,
    )
}

function rest({ context, opened, domain, options }: Rotation, step: { readonly old: readonly ListedKey[]; readonly until: number }): void {
  const again = `${commandFor(context, opened.file)} dkim rotate ${domain}`
  if (answered(context, options, { step: 'rest', domain, until: formatMoment(step.until), next: [`after ${day(step.until)}: ${again}`] })) return
  print(
    context,
    `Nothing to do now. The record of ${listed(step.old)} has to stay in the DNS until ${day(step.until)}: mail signed with it may still be under way.`,
  )
  print(context, `After that, to remove the old key: ${again}`)
}

function remove({ context, opened, domain, options }: Rotation, old: readonly ListedKey[]): void {
  changeFile(() => removeKeys(opened.file, old, opened.request))
  const records = old.map((key) => recordName(key.selector, key.domain))
  const command = commandFor(context, opened.file)
  if (
    answered(context, options, {
      step: 'remove',
      domain,
      removed: old.map(nameOf),
      next: [...records.map((name) => `delete the DNS record ${name}`), `${command} reload`],
    })
  )
    return
  print(context, `Removed ${listed(old)}, which signed until ${old.map((key) => key.config.notAfter).join(', ')}.`)
  print(context, `\n1. Delete from the DNS: ${records.map(escapeText).join(', ')}`)
  print(context, `2. Tell the server:     ${command} reload`)
}

const nameOf = ({ selector }: ListedKey): string => selector

function listed(keys: readonly ListedKey[]): string {
  return keys.map(({ selector }) => `selector ${escapeText(selector)}`).join(' and ')
}

function answered(context: CliContext, options: RotateOptions, answer: Readonly<Record<string, unknown>>): boolean {
  if (options.json !== true) return false
  print(context, toJson(answer, 2))
  return true
}
