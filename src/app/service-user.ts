/**
 * Decides as whom the server runs, and becomes that user.
 *
 * Started as root with a configuration, it never stays root by accident: the configured user, else
 * the user `postern`, else it refuses and says what to do. A first try without any configuration
 * may stay root, with a warning.
 */
import { dropTo, findUser, handOver, handOverFile, isRoot, makeFolder } from './privileges.ts'

export interface ServiceUserQuestion {
  /** `user` of the configuration. */
  readonly configured: string | null
  readonly configFile: string | null
  /** Handed to the user with the files in it, so that it can write there. */
  readonly dataFolder: string
  /** Made for the user if it is missing. One that is there may be shared, like /run, and stays as it is. */
  readonly socketFolder: string
  /** Handed to the user, because a reload opens it again; null: none. */
  readonly logFile: string | null
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

export const DEFAULT_USER = 'postern'

export function becomeServiceUser(question: ServiceUserQuestion): ServiceUserAnswer {
  if (!isRoot()) return { kind: 'unchanged' }
  if (question.configured === 'root')
    return { kind: 'still-root', warning: 'runs as root because the configuration says `user: root`; any other user is safer' }
  const user = findUser(question.configured ?? DEFAULT_USER)
  if (user !== null) {
    handOver(question.dataFolder, user)
    makeFolder(question.socketFolder, user)
    if (question.logFile !== null) handOverFile(question.logFile, user)
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
