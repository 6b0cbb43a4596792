/**
 * Decides as whom the server runs, and becomes that user.
 *
 * Started as root with a configuration, it never stays root by accident: the configured user, else
 * the user `postern`, else it refuses and says what to do. A first try without any configuration
 * may stay root, with a warning.
 */
import { dropTo, findUser, handOver, isRoot } from './privileges.ts'

export interface ServiceUserQuestion {
  /** `user` of the configuration. */
  readonly configured: string | null
  readonly configFile: string | null
  /** Handed to the user, so that it can write there. */
  readonly folders: readonly string[]
}
/** What became of root: a sentence for the log, or a warning. */
export type ServiceUserAnswer =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'dropped'; readonly user: string }
  | { readonly kind: 'still-root'; readonly warning: string }

export class ServiceUserError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ServiceUserError'
  }
}

const DEFAULT_USER = 'postern'

export function becomeServiceUser(question: ServiceUserQuestion): ServiceUserAnswer {
  if (!isRoot()) return { kind: 'unchanged' }
  if (question.configured === 'root')
    return { kind: 'still-root', warning: 'runs as root because the configuration says `user: root`; any other user is safer' }
  const user = findUser(question.configured ?? DEFAULT_USER)
  if (user !== null) {
    for (const folder of question.folders) handOver(folder, user)
    dropTo(user)
    return { kind: 'dropped', user: user.name }
  }
  if (question.configured !== null)
    throw new ServiceUserError(
      `the configuration says \`user: ${question.configured}\`, but this system has no such user. Create it: useradd --system ${question.configured}`,
    )
  if (question.configFile === null)
    return { kind: 'still-root', warning: 'runs as root, for a first try only; with a configuration it will run as the user `postern`' }
  throw new ServiceUserError(
    'started as root, and there is no user to become. Create one: useradd --system postern (or name another with `user:`; `user: root` if it must be)',
  )
}
