/**
 * The rules of ARCHITECTURE.md as data: who may import what, what is banned where, and the exceptions.
 *
 * An exception names a place, what it is allowed and why. One that nothing uses any more fails the test,
 * so that the lists only ever hold what is needed.
 */

export interface FolderRule {
  /** Folders of `src`, or files in them (`message/dsn` allows `message/dsn*.ts`). */
  readonly folders: readonly string[]
  /** Node modules without `node:`, and packages. */
  readonly modules: readonly string[]
}

const SOCKETS = ['net', 'tls']

/** A folder may also import itself. */
export const IMPORTS: Readonly<Record<string, FolderRule>> = {
  core: { folders: [], modules: [] },
  smtp: { folders: ['core'], modules: [] },
  message: { folders: ['core'], modules: ['crypto', 'buffer'] },
  providers: { folders: ['core'], modules: [] },
  rewrite: { folders: ['core', 'ports'], modules: ['re2js'] },
  ports: { folders: ['core'], modules: [] },
  delivery: { folders: ['core', 'ports', 'providers', 'message/dsn'], modules: [] },
  transports: { folders: ['core', 'smtp', 'ports', 'message/eight-bit', 'message/final-header', 'message/header-block', 'message/dkim-prefix'], modules: [] },
  intake: { folders: ['core', 'smtp', 'message', 'ports'], modules: [...SOCKETS, 'crypto'] },
  store: { folders: ['core', 'ports'], modules: ['sqlite', 'worker_threads', 'fs', 'fs/promises', 'crypto', 'path', 'url'] },
  net: { folders: ['core', 'ports'], modules: [...SOCKETS, 'https', 'http', 'dgram', 'dns', 'crypto', 'dns-packet'] },
  mailbox: { folders: ['core', 'ports'], modules: ['fs', 'os', 'net', 'child_process', 'crypto', 'process', 'url'] },
  postfix: { folders: ['core', 'ports'], modules: ['yaml'] },
  doctor: { folders: ['core', 'ports', 'message/dkim-record'], modules: ['mailauth'] },
  tls: { folders: ['core', 'ports'], modules: [] },
  admin: { folders: ['core', 'ports', 'intake/accept-message'], modules: ['fastify', 'fs', 'path', 'http', 'net', 'stream'] },
  app: {
    folders: [
      'core',
      'smtp',
      'message',
      'providers',
      'rewrite',
      'ports',
      'delivery',
      'transports',
      'tls',
      'intake',
      'store',
      'net',
      'mailbox',
      'postfix',
      'admin',
      'doctor',
    ],
    modules: [
      'zod',
      'yaml',
      'pino',
      'ipaddr.js',
      'fs',
      'os',
      'path',
      'process',
      'crypto',
      'net',
      'tls',
      'url',
      'util',
      'events',
      'child_process',
      'timers',
      'module',
      'v8',
      'zlib',
    ],
  },
  cli: {
    folders: ['core', 'app', 'admin/api-types'],
    modules: [
      'commander',
      '@clack/prompts',
      'fs',
      'module',
      'os',
      'path',
      'process',
      'crypto',
      'net',
      'http',
      'url',
      'util',
      'events',
      'readline',
      'stream',
      'child_process',
      'timers',
      'tty',
    ],
  },
}

/** Folders that are told time, chance and the network: §5.4, 1. */
export const PURE_FOLDERS = ['core', 'smtp', 'message', 'providers', 'rewrite', 'ports', 'delivery', 'transports', 'tls']
export const PURE_BANNED = [
  'Date.now',
  'new Date()',
  'Math.random',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'fetch',
  'performance',
  'process',
  'crypto',
  'AbortSignal.timeout',
  'console',
]
/** Everywhere else in `src`; the real clock and the command line are exceptions below. */
export const SHELL_BANNED = ['Date.now', 'new Date()', 'Math.random', 'setTimeout', 'setInterval', 'AbortSignal.timeout', 'console', 'process']

/** Folders where `process` is the subject. */
export const PROCESS_FOLDERS = ['app', 'cli', 'mailbox']
/** Folders where `console` and the time of day are the subject. */
export const TERMINAL_FOLDERS = ['cli']

/** Tests may be longer: tables of cases are read line by line, not as one thought. */
export const LIMITS = { fileLines: 300, testFileLines: 400, functionLines: 70, parameters: 4, headerLines: 10 }

/** style.md §6: words that say nothing. */
export const BANNED_WORDS = [
  'manager',
  'handler',
  'helper',
  'helpers',
  'util',
  'utils',
  'data',
  'info',
  'process',
  'do',
  'misc',
  'common',
  'job',
  'task',
  'email',
]

export interface Exception {
  /** The rule's name in checks.ts. */
  readonly rule: 'imports' | 'globals' | 'file-lines' | 'function-lines' | 'parameters' | 'words' | 'module-state' | 'side-effects' | 'inheritance' | 'cycles'
  /** A file, or a folder that ends with a slash; `*` for everywhere. */
  readonly where: string
  /** What is allowed there: the import, the global, the identifier, the function; `*` stands for any run of characters. */
  readonly what: string
  readonly why: string
}

export const EXCEPTIONS: readonly Exception[] = [
  { rule: 'words', where: '*', what: 'onData', why: "bytes have arrived: Node's name for it, in the contract of ports/network.ts" },
  { rule: 'words', where: 'src/core/route.ts', what: 'dataMs', why: 'the time limit of the SMTP command DATA' },
  { rule: 'words', where: 'src/smtp/', what: '*data*', why: 'the SMTP command DATA, its phase and its reply' },
  { rule: 'words', where: 'src/app/', what: 'data*', why: 'the configuration key `data`: the folder of the store' },
  { rule: 'words', where: 'src/cli/', what: 'data*', why: 'the configuration key `data`: the folder of the store' },
  { rule: 'side-effects', where: 'src/cli/main.ts', what: '*', why: 'the entry point of the program' },
  { rule: 'side-effects', where: 'src/store/sqlite/worker.ts', what: '*', why: 'the entry point of the worker thread' },
  { rule: 'side-effects', where: 'src/store/sqlite/reader.ts', what: '*', why: 'the entry point of the thread that reads' },
  { rule: 'side-effects', where: 'src/mailbox/agent.ts', what: '*', why: 'the entry point of the agent that stays root' },
  { rule: 'side-effects', where: 'src/mailbox/worker.ts', what: '*', why: 'the entry point of the process that writes as one user' },
  { rule: 'globals', where: 'src/mailbox/worker.ts', what: 'Date.now', why: 'a process of its own: it asks the machine for the time of its files' },
  { rule: 'globals', where: 'src/mailbox/worker.ts', what: 'setTimeout', why: 'a process of its own: it waits for locks' },
  { rule: 'globals', where: 'src/app/compose.ts', what: 'Math.random', why: 'hands chance to those who ask for it' },
  { rule: 'globals', where: 'src/store/sqlite/faults.ts', what: 'process', why: 'crash tests kill the process at a named point in the store' },
  { rule: 'globals', where: 'src/store/sqlite/instance-lock.ts', what: 'process', why: 'the lock says which process holds it' },
  { rule: 'module-state', where: 'src/smtp/command.ts', what: 'NO_PARAMETERS', why: 'an empty constant: its type is read-only' },
  { rule: 'globals', where: 'src/app/real-clock.ts', what: '*', why: 'the one place that asks the machine for the time' },
]
