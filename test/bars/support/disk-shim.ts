/**
 * A disk that fails the n-th system call: `disk-shim.c` loaded in front of the C library of this
 * very process, told what to do through a shared file. Needs a C compiler.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { makeFolder, ROOT, removeFolder } from './server.ts'

/** Cells of the control file, as in `disk-shim.c`. */
const CELLS = { countdown: 0, times: 1, short: 2, errno: 3, kinds: 4, calls: 5, hits: 6 } as const
const CELL_COUNT = 7
export const CALLS = { write: 1, sync: 2, truncate: 4, read: 8 } as const
export const ERRNO = { EIO: 5, ENOSPC: 28 } as const

export interface CallFault {
  /** Sum of `CALLS`. */
  readonly kinds: number
  readonly errno: number
  /** Writes half of what it was given instead of failing. */
  readonly short: boolean
}
export interface DiskShim {
  /** The folder whose files may fail. */
  readonly folder: string
  /** The n-th such call from now on fails, and all after it until `times` have. */
  arm(n: number, times: number, fault: CallFault): void
  mend(): void
  /** Calls that failed since `arm`. */
  hits(): number
}

/** Runs the script again with the shim, and never comes back; in that second run answers it. Null: it cannot be had here. */
export function enterDiskShim(): DiskShim | null {
  const { DISK_SHIM_CONTROL: control, DISK_SHIM_UNDER: folder } = process.env
  if (control !== undefined && folder !== undefined) return openShim(control, folder)
  const build = makeFolder()
  const library = join(build, 'disk-shim.so')
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, join(ROOT, 'test/bars/support/disk-shim.c'), '-ldl'], { stdio: 'ignore' })
  } catch {
    removeFolder(build)
    return null
  }
  const data = makeFolder()
  const cells = join(build, 'cells')
  writeFileSync(cells, Buffer.alloc(CELL_COUNT * 8))
  const env = { ...process.env, LD_PRELOAD: library, DISK_SHIM_CONTROL: cells, DISK_SHIM_UNDER: data, NODE_COMPILE_CACHE: join(build, 'cache') }
  const ended = spawnSync(process.execPath, process.argv.slice(1), { stdio: 'inherit', env })
  for (const path of [build, data]) rmSync(path, { recursive: true, force: true })
  process.exit(ended.status ?? 1)
}

function openShim(control: string, folder: string): DiskShim {
  const file = openSync(control, 'r+')
  process.on('exit', () => closeSync(file))
  const write = (cell: keyof typeof CELLS, value: number): void => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    writeSync(file, bytes, 0, 8, CELLS[cell] * 8)
  }
  const read = (cell: keyof typeof CELLS): number => {
    const bytes = Buffer.alloc(8)
    readSync(file, bytes, 0, 8, CELLS[cell] * 8)
    return Number(bytes.readBigInt64LE())
  }
  return {
    folder,
    arm(n, times, { kinds, errno, short }) {
      write('kinds', 0)
      write('hits', 0)
      write('times', times)
      write('errno', errno)
      write('short', short ? 1 : 0)
      write('countdown', n)
      write('kinds', kinds)
    },
    mend() {
      write('kinds', 0)
      write('countdown', 0)
    },
    hits: () => read('hits'),
  }
}
