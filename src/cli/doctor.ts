/**
 * `postern doctor`: what is wrong with the set-up, and what to do about it.
 *
 * Asks a running server, if there is one, what it sent in the last day; everything else is found
 * out here. The examination itself is loaded when it runs.
 */
import { isIP } from 'node:net'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CheckName } from '../app/doctor.ts'
import { asciiDomain } from '../core/ascii-domain.ts'
import type { CliContext } from './context.ts'
import { EXIT, print } from './context.ts'
import type { DoctorOptions } from './doctor-run.ts'
import { toJson } from './escape.ts'
import type { GlobalOptions } from './socket-path.ts'

/** Kept here as well, so that help needs no examination loaded; a test compares them. */
export const CHECK_TEXTS: Readonly<Record<CheckName, string>> = {
  hostname: 'our name is fully qualified and resolves',
  ptr: 'the addresses that mail leaves from have names that lead back',
  'helo-spf': 'SPF of the name in EHLO',
  spf: 'SPF of each sender domain, by the way its mail takes',
  dkim: 'the published keys are those we sign with',
  dmarc: 'the DMARC record of each sender domain',
  alignment: 'what was sent in the last day agrees with its From field',
  'null-mx': 'sender domains can be answered',
  port25: 'port 25 outward is open',
  relay: 'relays can be reached, are who they say, and take the login',
  resolver: 'the DNS answers, and validates',
  clock: 'the clock is right',
  store: 'the queue is on a disk that keeps what it is given',
  disk: 'there is room',
  'open-files': 'enough open files are allowed',
  listener: 'who can hand mail in',
  local: 'mail for this machine has a reader',
  configuration: 'what the configuration warns of',
}

export function registerDoctor(program: Command, context: CliContext): void {
  const names = Object.keys(CHECK_TEXTS)
  const widest = Math.max(...names.map((name) => name.length))
  const list = Object.entries(CHECK_TEXTS).map(([name, text]) => `  ${name.padEnd(widest)}  ${text}`)
  program
    .command('doctor')
    .description('Examine the set-up: names, DNS records, relays, disk. Says what is wrong and what to do, with the DNS lines to add.')
    .argument('[check...]', 'only these checks', collectCheck(names))
    .addOption(new Option('--domain <domain>', 'a sender domain to examine as well; may be given again').argParser(collectDomain))
    .addOption(new Option('--address <address>', 'our address as others see it, behind NAT; may be given again').argParser(collectAddress))
    .addOption(new Option('--port25 <host>', 'the mail server at which port 25 outward is tried, or a domain that has one').argParser(readHost))
    .addHelpText(
      'after',
      `\nChecks:\n${list.join('\n')}\n\nExamples:\n  postern doctor\n  postern doctor spf dkim --domain example.com\n  postern doctor port25 --port25 mx.example.net\n\nNothing is sent: relays are greeted, logged in at, and left. Ends with 1 if something is a fault.`,
    )
    .action(async (checks: readonly string[], options: DoctorOptions, command: Command) => {
      const { runDoctor, describeFindings } = await import('./doctor-run.ts')
      const globals = command.optsWithGlobals<GlobalOptions>()
      const examined = await runDoctor(context, globals, { checks: checks as readonly CheckName[], options })
      if (examined.counts.fault > 0) context.setExitCode(EXIT.failed)
      if (globals.json === true) print(context, toJson(examined, 2))
      else for (const line of describeFindings(context, examined)) print(context, line)
    })
}

function collectCheck(names: readonly string[]): (text: string, before: readonly string[] | undefined) => readonly string[] {
  return (text, before) => {
    if (!names.includes(text)) throw new InvalidArgumentError(`There is no such check. There are: ${names.join(', ')}.`)
    return [...(before ?? []), text]
  }
}

function collectDomain(text: string, before: readonly string[] | undefined): readonly string[] {
  const domain = asciiDomain(text)
  if (domain === null || !domain.includes('.')) throw new InvalidArgumentError('That is no mail domain: example.com.')
  return [...(before ?? []), domain]
}

function collectAddress(text: string, before: readonly string[] | undefined): readonly string[] {
  if (isIP(text) === 0 || text.includes('%')) throw new InvalidArgumentError('That is no IPv4 or IPv6 address.')
  return [...(before ?? []), text]
}

function readHost(text: string): string {
  const host = isIP(text) === 0 ? asciiDomain(text) : text
  if (host === null) throw new InvalidArgumentError('That is neither a name nor an address: mx.example.net. The port is always 25.')
  return host
}
