/**
 * What the file system refused, in words for people.
 *
 * Only texts; whoever asked for the file says which one it was.
 */

/** By the system's code. */
const FILE_WORDS: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EROFS', 'the file system is read-only'],
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the disk quota is used up'],
  ['ENOENT', 'it does not exist'],
  ['ENOTDIR', 'a part of the path is a file, not a folder'],
  ['EISDIR', 'it is a folder, not a file'],
  ['EEXIST', 'a file of that name is there already'],
  ['ELOOP', 'too many symbolic links'],
  ['ENAMETOOLONG', 'the path is too long'],
  ['EIO', 'the disk failed'],
])

/** Null: no fault of the file system, or one without words. */
export function describeFileFault(error: unknown): string | null {
  const code = codeOf(error)
  return code === null ? null : (FILE_WORDS.get(code) ?? null)
}

/** Why a file cannot be read, whatever it was: words, or at least the system's code. */
export function whyUnreadable(error: unknown): string {
  return describeFileFault(error) ?? codeOf(error) ?? 'unknown fault'
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}
