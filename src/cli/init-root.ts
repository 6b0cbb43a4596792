/**
 * Who gets the mail of root, such as cron's: the question of `postern init` that Debian asks, too.
 *
 * Not asked where the system's alias file names somebody. Without an answer root's mail is kept, to be read here.
 */
import type { InitType } from '../app/init-file.ts'
import { domainOfAddress, type InitLocal, type RootMail, readAliasFile, readRootMail } from '../app/init-local.ts'
import type { SystemUser } from '../app/privileges.ts'
import { CliError, EXIT } from './context.ts'
import type { Asking, GatheredRelay } from './init-answers.ts'

/** What the machine is asked. */
export interface InitMachine {
  /** Null: there is none that counts. */
  readonly aliasesFile: string | null
  readonly findUser: (name: string) => SystemUser | null
}
export interface RootQuestion {
  readonly type: Exclude<InitType, 'none'>
  readonly hostname: string
  readonly relay: GatheredRelay | null
}

export async function gatherLocal(asking: Asking, { type, hostname, relay }: RootQuestion, { aliasesFile, findUser }: InitMachine): Promise<InitLocal> {
  const aliases = asking.forSystem && aliasesFile !== null ? readAliasFile(aliasesFile) : null
  const rule = { staysHere: type === 'local', findUser }
  const root = asking.flags.root === undefined && aliases?.namesRoot === true ? { kind: 'aliases' as const } : await gatherRoot(asking, rule)
  const domains = [root.kind === 'address' ? domainOfAddress(root.address) : null, domainOfAddress(relay?.login?.username ?? '')]
  return {
    root,
    aliasesFile: aliases === null ? null : aliasesFile,
    mbox: asking.forSystem,
    hostnameIsMailDomain: domains.includes(hostname.toLowerCase()),
  }
}

async function gatherRoot({ context, questions, flags }: Asking, rule: Parameters<typeof readRootMail>[1]): Promise<RootMail> {
  const who = rule.staysHere ? 'a user of this machine' : 'an address, or a user of this machine'
  const check = (text: string): string | null => {
    const read = readRootMail(text, rule)
    return 'fault' in read ? read.fault : null
  }
  const given =
    flags.root ?? (context.isTerminal ? await questions.ask(`Who gets mail for root, such as cron's: ${who} (empty: it is kept here)`, '', check) : '')
  const read = readRootMail(given.trim(), rule)
  if ('fault' in read) throw new CliError(EXIT.usage, `--root: ${read.fault}`, { code: 'bad-answer' })
  return read
}
