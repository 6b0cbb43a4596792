/**
 * Whether a file is still the one that was read, without reading it again.
 */
import { statSync } from 'node:fs'

/** Changes whenever the file does, also when another takes its place or a link to it turns elsewhere; a file that is not there has one, too. */
export function fileStamp(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    return `${path} ${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
  } catch (fault) {
    return `${path} ${(fault as NodeJS.ErrnoException).code ?? ''}`
  }
}
