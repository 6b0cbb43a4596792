/**
 * fcntl locks, which Node cannot take: a program of the system takes one on a file that we have open.
 *
 * An open-file-description lock (Linux 3.15) conflicts with every fcntl lock of other programs, belongs
 * to the opened file, not to the program that asked, and lasts until we close it. `flock --fcntl`
 * (util-linux 2.41) does it; else perl, which is part of every Debian and Ubuntu.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { RangeLock } from './writer.ts'

/** A program that only asks once is done at once, or something is wrong with it. */
const ASK_MS = 5_000
const BUSY = 1
const FLOCK = '/usr/bin/flock'
const PERL = '/usr/bin/perl'
/**
 * `struct flock` of 64-bit Linux: l_type F_WRLCK (1), l_whence, l_start and l_len 0 (the whole file, whatever it
 * grows to), l_pid 0; 37 is F_OFD_SETLK. Ends with 0 if the lock was taken, with 1 if somebody else has one.
 */
const PERL_LOCK =
  'open(my $f, "+<&=", 3) or exit 2; my $l = pack("s! s! x4 q q l x4", 1, 0, 0, 0, 0); exit(fcntl($f, 37, $l) ? 0 : ($!+0 == 11 || $!+0 == 13) ? 1 : 2)'
/** Where `struct flock` has that form. */
const KNOWN: ReadonlySet<string> = new Set(['x64', 'arm64', 'riscv64', 'loong64', 'ppc64', 's390x'])

/** Remembers which program is able to. */
export function createRangeLock(platform: string, arch: string): RangeLock {
  let able: RangeLock | null = null
  return (fd) => {
    if (able !== null) return able(fd)
    if (platform !== 'linux' || !KNOWN.has(arch)) return 'unable'
    for (const lock of [byFlock, byPerl]) {
      const answer = lock(fd)
      if (answer === 'unable') continue
      able = lock
      return answer
    }
    return 'unable'
  }
}

function byFlock(fd: number): ReturnType<RangeLock> {
  return ask(FLOCK, ['--fcntl', '--exclusive', '--nonblock', '3'], fd)
}
function byPerl(fd: number): ReturnType<RangeLock> {
  return ask(PERL, ['-e', PERL_LOCK], fd)
}

function ask(program: string, args: readonly string[], fd: number): ReturnType<RangeLock> {
  if (!existsSync(program)) return 'unable'
  const { status } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'ignore', fd], env: {}, timeout: ASK_MS })
  if (status === 0) return 'locked'
  return status === BUSY ? 'busy' : 'unable'
}
