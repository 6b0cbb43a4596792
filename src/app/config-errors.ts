/**
 * Every fault a configuration can have, with a stable code, and how it is told to people.
 *
 * The catalogue is closed: `docs/configuration.md` lists it, scripts may rely on the codes. A
 * problem never quotes a secret: values of secret keys are left out where problems are made.
 */
export const CONFIG_PROBLEMS = {
  'file-missing': ['error', 'the configuration file that was asked for does not exist'],
  'file-unreadable': ['error', 'the configuration file cannot be read'],
  'file-too-large': ['error', 'the configuration file is larger than 1 MiB'],
  'yaml-syntax': ['error', 'the file is not valid YAML'],
  'duplicate-key': ['error', 'a key is written twice in one mapping'],
  'unknown-key': ['error', 'there is no such key'],
  'missing-key': ['error', 'a key that must be there is missing'],
  'wrong-type': ['error', 'the value is of the wrong type'],
  'not-allowed': ['error', 'the value is not one of those allowed'],
  'out-of-range': ['error', 'the number or length is outside its range'],
  'bad-duration': ['error', 'the value is no duration'],
  'bad-size': ['error', 'the value is no size'],
  'bad-name': ['error', 'the name holds characters that names cannot have'],
  'bad-listener': ['error', 'the value is no address to listen on'],
  'bad-host': ['error', 'the value is no host with port'],
  'bad-network': ['error', 'the value is no network'],
  'bad-address': ['error', 'the value is no address or address pattern'],
  'bad-route': ['error', 'the value is no target of a route'],
  'bad-hash': ['error', 'the value is no password hash'],
  'bad-path': ['error', 'the path of mailboxes cannot be used'],
  'bad-pattern': ['error', 'a pattern for addresses cannot be used'],
  'secret-in-file': ['error', 'a password or key stands in the configuration file itself'],
  'secret-missing': ['error', 'a password or key cannot be found where the configuration says'],
  'secret-unreadable': ['error', 'the file with a password or key cannot be read'],
  'secret-exposed': ['error', 'the file with a password or key can be read by others'],
  'secret-empty': ['error', 'the password is empty or of more than one line'],
  'bad-key': ['error', 'a DKIM key is no private key that mail can be signed with'],
  'bad-date': ['error', 'the value is no date'],
  'duplicate-selector': ['error', 'two DKIM keys of a domain have the same selector'],
  'unknown-domain': ['error', 'a domain is named that has no DKIM keys'],
  'unknown-relay': ['error', 'a route names a relay that is not configured'],
  'unknown-credential': ['error', 'a route names a credential that the relay does not have'],
  'duplicate-listener': ['error', 'two listeners share address and port'],
  'duplicate-user': ['error', 'two users have the same name'],
  'duplicate-fallback': ['error', 'a relay has more than one fallback credential'],
  'open-listener': ['error', 'a listener can be reached from outside, but nobody outside may use it'],
  'login-impossible': ['error', 'login is demanded or needed where nobody can log in'],
  'tls-missing': ['error', 'TLS is demanded, but there is no certificate'],
  'tls-file-missing': ['error', 'a certificate or key is not where the configuration says'],
  'tls-unreadable': ['error', 'a certificate or key cannot be read'],
  'tls-invalid': ['error', 'a certificate or key is not in PEM form, or broken'],
  'tls-mismatch': ['error', 'certificate and key do not belong together'],
  'socket-too-long': ['error', 'the path of the admin socket is longer than a Unix socket can have'],
  contradiction: ['error', 'two values contradict each other'],
  'dane-without-validation': ['warning', 'DANE is demanded, but the name servers are not said to validate'],
  'matches-all': ['warning', 'an entry for chosen mail names no mail, and is for all of it'],
  'validating-far': ['warning', 'a name server is trusted to validate, but its answers can be forged on their way'],
  'table-unusable': ['warning', 'a table of addresses cannot be read or has a mistake'],
  'root-nowhere': ['warning', 'mail for root and postmaster has nowhere to go'],
  'tls-expired': ['warning', 'a certificate is not valid now'],
  'network-any': ['warning', 'everybody may relay without login'],
  'relay-loop': ['warning', 'a relay is one of our own listeners'],
  'relay-unused': ['warning', 'no route leads to a relay'],
  'route-unreachable': ['warning', 'a route can never match, because one before it matches everything'],
  'routes-incomplete': ['warning', 'some mail matches no route and is held'],
  'no-fallback': ['warning', 'a relay has credentials, but none for other senders'],
  'keys-out-of-time': ['warning', 'no DKIM key of a domain is within its time'],
  'plaintext-login': ['warning', 'a password can be sent without encryption'],
  'milder-under-pressure': ['warning', 'a limit under pressure is milder than the one in normal times'],
  'hostname-not-full': ['warning', 'the host name is not fully qualified'],
  'kept-unreadable': ['warning', 'a file that root could read at the start cannot be read any more'],
  'owner-differs': ['warning', 'a file belongs to another user than the one Postern runs as'],
} as const satisfies Record<string, readonly ['error' | 'warning', string]>

export type ConfigProblemCode = keyof typeof CONFIG_PROBLEMS

/** What is wrong with one value, before anybody knows where it stands. */
export interface Fault {
  readonly code: ConfigProblemCode
  /** What is wrong, without a full stop. */
  readonly message: string
  /** What would be right: `one of none, may`. */
  readonly allowed?: string
  /** A sentence on what to do. */
  readonly remedy?: string
}
export interface ConfigProblem {
  readonly code: ConfigProblemCode
  readonly severity: 'error' | 'warning'
  /** As shown to people: relative to the working folder where that is shorter; null: no file. */
  readonly file: string | null
  /** From 1; null: the file as a whole. */
  readonly line: number | null
  readonly column: number | null
  /** `relays.google.tls`, `routes[2].via`; empty: the file as a whole. */
  readonly key: string
  readonly message: string
  readonly allowed: string | null
  readonly remedy: string | null
}

/** Its text tells the errors, one a line; `problems` holds the warnings, too. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[]
  constructor(problems: readonly ConfigProblem[]) {
    super(
      problems
        .filter(({ severity }) => severity === 'error')
        .map(formatProblem)
        .join('\n'),
    )
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** `postern.yaml:12:3: relays.google.tls: "verfy" is not allowed; one of none, may. Did you mean "may"?` */
export function formatProblem(problem: ConfigProblem): string {
  const { file, line, column, key, message, allowed, remedy } = problem
  const place = file === null ? '' : line === null ? `${file}: ` : `${file}:${line}:${column}: `
  return `${place}${key === '' ? '' : `${key}: `}${message}${allowed === null ? '' : `; ${allowed}`}.${remedy === null ? '' : ` ${remedy}`}`
}

/** A value in a sentence: quoted, cut, on one line; a password in a URL is struck out. */
export function quote(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  const struck = text.replace(/[^\s/@:]*:[^\s@]*@/g, '***@')
  return JSON.stringify(struck.length > 60 ? `${struck.slice(0, 57)}...` : struck)
}
