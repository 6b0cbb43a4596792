/**
 * What the configuration tells intake, already checked. Made by `app/settings.ts`; replaced as a
 * whole at a reload: open sessions end under the settings they began with.
 */
import type { DomainName } from '../core/brand.ts'
import type { Pattern } from '../core/pattern.ts'

export interface ListenerSettings {
  /** As written: `smtp://127.0.0.1:2525`. Listeners are compared by it at a reload. */
  readonly url: string
  readonly host: string
  readonly port: number
  readonly implicitTls: boolean
  /** Certificate and key for STARTTLS or implicit TLS, PEM; null: no TLS. */
  readonly tls: { readonly cert: string; readonly key: string } | null
  /** Everything but EHLO NOOP STARTTLS QUIT is refused before TLS (530 5.7.0). */
  readonly requireTls: boolean
  readonly requireAuth: boolean
  /** AUTH is offered without TLS: only where the network is trusted (loopback). */
  readonly authWithoutTls: boolean
  /** `architecture.md` decision 12: off on loopback. */
  readonly pipelining: boolean
  /** Bare CR and LF become CRLF instead of a refusal. */
  readonly bareLineEnds: 'refuse' | 'normalize'
}
export interface UserSettings {
  readonly name: string
  /** `$scrypt$ln=15,r=8,p=1$salt$hash`, as `postern config hash-password` prints it. */
  readonly passwordHash: string
  /** Reverse-paths this user may use; empty: any. The null reverse-path is always allowed. */
  readonly senders: readonly Pattern[]
}
export interface IntakeLimits {
  readonly messageOctets: number
  readonly commandLineOctets: number
  readonly textLineOctets: number
  readonly headerOctets: number
  readonly recipients: number
  readonly hops: number
  readonly connections: number
  readonly connectionsPerClient: number
  readonly errorsPerSession: number
  readonly junkPerSession: number
  /** For a whole command or a whole line of content, not for a byte. */
  readonly commandMs: number
  readonly authGuessesPerSession: number
  /** Failed logins of one client address in the last 10 minutes before 421. */
  readonly authGuessesPerClient: number
  /** Least rate of content, after the first ten seconds. */
  readonly minOctetsPerSecond: number
  readonly sessionMs: number
}
export interface IntakeSettings {
  readonly hostname: string
  /** What a name without domain gets, in MAIL and RCPT; left out or null: it is refused. */
  readonly bareDomain?: DomainName | null
  /** REQUIRETLS (RFC 8689) is offered inside TLS; left out: it is not. */
  readonly offerRequireTls?: boolean
  readonly listeners: readonly ListenerSettings[]
  /** CIDR blocks whose clients may relay without login. */
  readonly networks: readonly string[]
  readonly users: readonly UserSettings[]
  readonly limits: IntakeLimits
  /** The same rules with harsher numbers, when nearly all connections are taken or the store is slow. */
  readonly limitsUnderPressure: IntakeLimits
}
