/**
 * A small text in a file of the data folder, replaced as a whole.
 *
 * Written beside the old one, synced, renamed over it, and the folder synced: after a power cut it is
 * either text. Readable by its owner only.
 */
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { KeptText } from '../ports/kept-text.ts'

/** More is no text of ours. */
const TEXT_CHARACTERS_MAX = 64 * 1024 * 1024

export function createKeptFile(path: string): KeptText {
  let last: Promise<unknown> = Promise.resolve()
  return {
    async read() {
      try {
        const text = await readFile(path, 'utf8')
        return text.length <= TEXT_CHARACTERS_MAX ? text : null
      } catch {
        // Not there, or not to be read: what it held can be had again.
        return null
      }
    },
    write(text) {
      // One after the other: two would write into the same file beside it.
      const written = last.then(() => replace(path, text))
      last = written.catch(() => undefined)
      return written
    },
  }
}

async function replace(path: string, text: string): Promise<void> {
  const beside = `${path}.new`
  try {
    const file = await open(beside, 'w', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined)
    throw error
  }
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
