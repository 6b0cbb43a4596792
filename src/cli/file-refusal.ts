/**
 * A path that the user named, or its folder, which the file system does not let us use: a sentence, never a bug.
 */
import { describeFileFault } from '../core/file-words.ts'
import { CliError, EXIT } from './context.ts'
import { escapeText } from './escape.ts'

/** Null: it is something else. */
export function fileRefusal(error: unknown): CliError | null {
  const words = describeFileFault(error)
  if (words === null || !(error instanceof Error) || !('path' in error) || typeof error.path !== 'string') return null
  return new CliError(EXIT.failed, `${escapeText(error.path)} cannot be used: ${words}`, {
    code: 'file-refused',
    cause: error,
    ...(words === 'permission denied' ? { hint: 'Do this as the user whom it belongs to, or as root.' } : {}),
  })
}
