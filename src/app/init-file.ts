/**
 * From the answers of `postern init` to a commented configuration file. Pure; asks and writes nothing.
 *
 * Every comment stands above its key: the YAML library moves comments that stand behind one.
 */
import { stringify } from 'yaml'
import { type InitLocal, keptRootRoute, localBlocks } from './init-local.ts'

/** Debian's words for what a mail system is for, as its Postfix package asks them. */
export const INIT_TYPES = ['internet', 'smarthost', 'satellite', 'local', 'none'] as const
export type InitType = (typeof INIT_TYPES)[number]

export interface InitAnswers {
  readonly type: Exclude<InitType, 'none'>
  readonly hostname: string
  readonly listen: readonly string[]
  /** Beyond this machine. */
  readonly networks: readonly string[]
  readonly relay: InitRelay | null
  readonly local: InitLocal
  /** Null: the default beside the file. */
  readonly dataFolder: string | null
  /** A try as root in a folder that perhaps no other user can enter. */
  readonly asRoot: boolean
}
export interface InitRelay {
  /** With port. */
  readonly host: string
  readonly tls: 'none' | 'may' | 'encrypt' | 'verify'
  readonly login: { readonly username: string /** As written into the file. */; readonly passwordFile: string } | null
  readonly allowPlaintext: boolean
}

/** Name of the relay in files that `init` writes. */
export const INIT_RELAY = 'smarthost'

export function composeConfigFile(answers: InitAnswers): string {
  const { type, hostname, dataFolder, listen, networks } = answers
  const blocks = [
    [
      `# Postern, written by: postern init --type ${type}`,
      '# All keys with their defaults: docs/configuration.md, or: postern config defaults',
      '# After a change: postern config check && postern reload',
    ],
    ['# The full name of this machine. Other servers want to see it, and to find it in DNS.', yaml({ hostname })],
    dataFolder === null ? [] : ['# The queue: on a disk that lasts.', yaml({ data: dataFolder })],
    answers.asRoot ? ROOT_LINES : [],
    ['# Where the applications hand mail in.', yaml({ listen })],
    networks.length === 0
      ? []
      : ['# Who may hand mail in without login: this machine, and these networks.', yaml({ networks: ['127.0.0.0/8', '::1/128', ...networks] })],
    answers.relay === null ? [] : relayLines(answers.relay),
    ...localBlocks(hostname, answers.local),
    routeLines(answers),
    MORE,
  ]
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`
}

const ROOT_LINES = [
  '# For a try only. On a server make a user for it (useradd --system postern) and take this line away:',
  '# started as root, Postern then opens its ports and becomes that user.',
  'user: root',
]

function relayLines({ host, tls, login, allowPlaintext }: InitRelay): readonly string[] {
  const above = [
    '# The server that takes our mail and delivers it.',
    'relays:',
    `  ${INIT_RELAY}:`,
    indented(4, yaml({ host })),
    '    # none; may: TLS if offered; encrypt: TLS or wait; verify: TLS with the right certificate or wait.',
    indented(4, yaml({ tls })),
  ]
  if (login === null) {
    const example = [
      '# For a relay that wants a login:',
      '# credentials:',
      '#   main:',
      '#     username: someone@example.com',
      `#     password: { file: secrets/${INIT_RELAY} }`,
    ]
    return [...above, ...example.map((line) => indented(4, line))]
  }
  return [
    ...above,
    '    credentials:',
    '      main:',
    indented(8, yaml({ username: login.username })),
    '        # Only a reference: the password is in that file, mode 0600.',
    indented(8, yaml({ password: { file: login.passwordFile } })),
    ...(allowPlaintext
      ? ['    # The password is sent unencrypted: only for a relay on this machine.', indented(4, yaml({ auth: { allowPlaintext: true } }))]
      : []),
  ]
}

function routeLines({ type, relay, hostname, local }: InitAnswers): readonly string[] {
  const above = ['# Where mail goes; the first match decides. To see why: postern route explain FROM TO', 'routes:', ...keptRootRoute(hostname, local)]
  if (relay !== null) return [...above, `  - via: ${INIT_RELAY}`]
  if (type === 'local') {
    return [
      ...above,
      '  # Nothing leaves this machine: other mail is kept and can be read with: postern captured list',
      `  - to: [localhost, ${hostname}]`,
      '    via: local',
      '  - via: capture',
    ]
  }
  return [
    ...above,
    "  # Straight to the recipients' servers. They look at the name and the address of this machine:",
    '  # before the first mail, see what they will see with: postern doctor',
    '  - via: mx',
  ]
}

const MORE = [
  '# More, with the defaults:',
  '# retry: { min: 5m, max: 1h, lifetime: 5d }',
  '# delayNoticeAfter: 4h',
  '# limits: { messageSize: 50 MB }',
  '# retention: { history: 30d, content: 1d, contentSize: 256 MB, captured: 14d }',
  '# log: { level: info }',
  '# Keys that sign your mail (DKIM) come here with: postern dkim create example.com',
]

function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 0 }).trimEnd()
}
function indented(columns: number, text: string): string {
  return text.replace(/^/gm, ' '.repeat(columns))
}
