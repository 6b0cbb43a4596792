/**
 * `postern dkim`: makes the keys mail is signed with, shows what to publish, compares it with what
 * is published, and replaces keys without a gap.
 *
 * Works on the configuration and the keys beside it; needs no server. What is a key and what is the
 * next step is decided in `app/dkim-*`.
 */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { RSA_BITS_MAX, RSA_BITS_MIN } from '../app/config-dkim-keys.ts'
import { displayPath } from '../app/config-locate.ts'
import { keyFile, type ListedKey, listKeys } from '../app/dkim-keys.ts'
import { freeSelector } from '../app/dkim-plan.ts'
import { type CliContext, CliError, commandName, EXIT, print } from './context.ts'
import { check } from './dkim-check.ts'
import { type RotateOptions, rotate } from './dkim-rotate.ts'
import {
  beside,
  commandFor,
  type DkimOptions,
  describeKey,
  describeRecord,
  keyAnswer,
  keysOf,
  makeKeys,
  type Opened,
  openConfig,
  readDomain,
} from './dkim-shown.ts'
import { escapeText, toJson } from './escape.ts'

interface CreateOptions extends DkimOptions {
  readonly selector?: string
  readonly type: 'rsa' | 'ed25519' | 'both'
  readonly bits: number
}

const EXAMPLES = `
Examples:
  postern dkim create example.com      make a key; prints the DNS record to publish
  postern dkim check                   is it published, and right?
  postern reload                       the server begins to sign

docs/dkim.md explains the rest.`

export function registerDkim(program: Command, context: CliContext): void {
  const dkim = program.command('dkim').description('Make, show, check and replace the keys that mail is signed with.').addHelpText('after', EXAMPLES)
  dkim
    .command('create')
    .description('Make a key for mail from a domain, put it into the configuration, and print the DNS record to publish.')
    .argument('<domain>', 'what stands behind the @ in From')
    .option('--selector <name>', 'name of the key in DNS (default: by the month, such as s202611)')
    .addOption(new Option('--type <type>', 'both makes two keys: not all receivers know Ed25519').choices(['rsa', 'ed25519', 'both']).default('rsa'))
    .addOption(new Option('--bits <number>', `size of an RSA key, ${RSA_BITS_MIN} to ${RSA_BITS_MAX}`).argParser(parseBits).default(RSA_BITS_MIN))
    .addHelpText('after', '\nExamples:\n  postern dkim create example.com\n  postern dkim create example.com --type both')
    .action((domain: string, _options: unknown, command: Command) => create(context, domain, command.optsWithGlobals<CreateOptions>()))
  dkim
    .command('show')
    .description('Show the keys and the DNS records that belong to them.')
    .argument('[domain]', 'only the keys of this domain')
    .addHelpText('after', '\nExamples:\n  postern dkim show\n  postern dkim show example.com')
    .action((domain: string | undefined, _options: unknown, command: Command) => show(context, domain, command.optsWithGlobals<DkimOptions>()))
  dkim
    .command('check')
    .description('Compare what is published in the DNS with the keys we sign with. Ends with 1 if something is wrong.')
    .argument('[domain]', 'only the keys of this domain')
    .addHelpText('after', '\nExamples:\n  postern dkim check\n  postern dkim check example.com')
    .action((domain: string | undefined, _options: unknown, command: Command) => check(context, domain, command.optsWithGlobals<DkimOptions>()))
  dkim
    .command('rotate')
    .description('Replace the keys of a domain: does the next step, and says when to call it again.')
    .argument('<domain>', 'whose keys')
    .option('--unchecked', 'switch to the new key although its record was not seen in the DNS')
    .addHelpText('after', ROTATION)
    .action((domain: string, _options: unknown, command: Command) => rotate(context, domain, command.optsWithGlobals<RotateOptions>()))
}

const ROTATION = `
Examples:
  postern dkim rotate example.com
  postern dkim rotate example.com && postern reload

Call it until it says that all is done; each time it does one step:
  1. makes a new key, which waits, and prints its DNS record
  2. once that is published: the new key signs, the old one no more
  3. a week later, when no mail signed with the old key can be under way: removes the old key`

function parseBits(text: string): number {
  const bits = Number(text)
  if (!Number.isInteger(bits) || bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) throw new InvalidArgumentError(`A number from ${RSA_BITS_MIN} to ${RSA_BITS_MAX}.`)
  return bits
}

function create(context: CliContext, written: string, options: CreateOptions): void {
  const domain = readDomain(written)
  const opened = openConfig(context, options)
  const now = context.clock.now()
  const before = listKeys(opened.loaded, now).filter((key) => key.domain === domain)
  const types = options.type === 'both' ? (['rsa', 'ed25519'] as const) : [options.type]
  const inUse = before.find(({ type, state }) => state !== 'ended' && (type === null || types.includes(type)))
  if (inUse !== undefined) throw alreadyThere(context, inUse)
  const taken = before.map(({ selector }) => selector)
  const keys = types.map((type, at) => ({
    selector: options.selector === undefined ? freeSelector(taken, type, now) : `${options.selector}${at === 0 ? '' : '-ed'}`,
    type,
    bits: options.bits,
    active: true,
  }))
  const fresh = makeKeys(context, opened, { domain, before, options }, keys)
  tellCreated(context, opened, { domain, fresh, json: options.json === true })
}

function alreadyThere(context: CliContext, { domain, selector }: ListedKey): CliError {
  return new CliError(EXIT.failed, `${domain} has a key already: selector ${escapeText(selector)}`, {
    code: 'key-exists',
    hint: `Show its record: ${commandName(context)} dkim show ${domain}\n  Replace it:      ${commandName(context)} dkim rotate ${domain}`,
  })
}

function tellCreated(
  context: CliContext,
  { file }: Opened,
  told: { readonly domain: string; readonly fresh: readonly ListedKey[]; readonly json: boolean },
): void {
  const { domain, fresh } = told
  const command = commandFor(context, file)
  if (told.json) {
    const next = ['publish the records', `${command} dkim check ${domain}`, `${command} reload`]
    print(context, toJson({ domain, file, keys: fresh.map(keyAnswer), next }, 2))
    return
  }
  for (const { selector } of fresh) print(context, `Wrote ${beside(context, file, keyFile(domain, selector))} (the private key, mode 0600)`)
  print(context, `Added to ${escapeText(displayPath(file, context.cwd))}`)
  print(context, `\n1. Publish in the DNS of ${domain}:`)
  for (const { record } of fresh) for (const line of record === null ? [] : ['', ...describeRecord(record)]) print(context, line)
  print(context, `\n2. See whether it is there and right:  ${command} dkim check ${domain}`)
  print(context, `3. Let the server sign:                ${command} reload`)
}

function show(context: CliContext, domain: string | undefined, options: DkimOptions): void {
  const keys = keysOf(context, openConfig(context, options), domain)
  if (keys.some(({ fault }) => fault !== null)) context.setExitCode(EXIT.failed)
  if (options.json === true) {
    print(context, toJson({ keys: keys.map(keyAnswer) }, 2))
    return
  }
  for (const [index, key] of keys.entries()) {
    if (index > 0) print(context, '')
    print(context, describeKey(context, key))
    if (key.fault !== null) print(context, `   ${escapeText(key.fault.message)}. ${escapeText(key.fault.remedy ?? '')}`)
    if (key.record !== null) for (const line of ['', ...describeRecord(key.record)]) print(context, line)
  }
}
