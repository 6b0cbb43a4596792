/**
 * A file system on a loop device that can lose its power: shut down without flushing its journal,
 * so that only what was synced is left. Needs root, loop devices, e2fsprogs and xfsprogs.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

export interface CutDisk {
  readonly path: string
  /** Pulls the plug and mounts again (the journal is replayed). Nobody may have files open. */
  cut(): void
  /** Free octets on it are what is left after `keep` is gone. */
  unmount(): void
}

export function makeDisk(folder: string, kind: 'ext4' | 'xfs', megabytes: number): CutDisk {
  const image = join(folder, `${kind}.img`)
  const path = join(folder, kind)
  mkdirSync(path, { recursive: true })
  run('truncate', ['-s', `${megabytes}M`, image])
  if (kind === 'ext4') run('mkfs.ext4', ['-qF', image])
  else run('mkfs.xfs', ['-qf', image])
  run('mount', ['-o', 'loop', image, path])
  return {
    path,
    cut() {
      run('xfs_io', ['-x', '-c', 'shutdown', path])
      run('umount', [path])
      run('mount', ['-o', 'loop', image, path])
    },
    unmount() {
      if (existsSync(path)) run('umount', [path])
    },
  }
}

/** Null: cuts work here; else why not, for a clear message. */
export function whyNoCuts(): string | null {
  if (process.getuid?.() !== 0) return 'needs root for loop mounts'
  for (const tool of ['mkfs.ext4', 'mkfs.xfs', 'xfs_io', 'mount']) {
    try {
      execFileSync('which', [tool], { stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })
    } catch {
      return `${tool} is missing: run scripts/install-system-packages.sh`
    }
  }
  return null
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })
}
