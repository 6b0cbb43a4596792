/**
 * A user who swaps his mailbox for links to other places while it is being written to (M02, CVE-2008-2936).
 *
 * The traps are places where the user himself may write: nothing but the care of the writer keeps
 * mail out of them. A careless writer in the same race shows that the traps catch.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestUser } from '../../system/support/system-user.ts'
import { makeMail, startRig } from './mailbox-rig.ts'

export interface RaceResult {
  readonly delivered: number
  readonly refused: number
  readonly outside: number
  readonly swaps: number
}

/**
 * Perl is quick enough to hit the gap between two system calls. Now and then it rests on a file of the user's own for longer
 * than a delivery takes: a race in which no mail ever comes through would pass with a writer that refuses everything.
 */
const SWAP_FILE = `
my ($trap, $n) = ($ARGV[0], 0);
$SIG{TERM} = sub { print "$n\\n"; exit 0 }; $| = 1; print "go\\n";
while (1) {
  symlink("$trap/file", 'l'); rename('l', 'box'); link("$trap/theirs", 'h'); rename('h', 'box'); unlink('h');
  symlink("$trap/new-file", 'l'); rename('l', 'box'); open(my $f, '>', 'r'); close $f; rename('r', 'box'); select(undef, undef, undef, 0.0002) if rand() < 0.05; select(undef, undef, undef, 0.05) if $n % 3000 == 0;
  symlink("$trap/file", 'l'); rename('l', 'box.lock'); unlink('box.lock'); unlink('box'); $n += 6;
}`
const SWAP_FOLDERS = `
my ($trap, $n) = ($ARGV[0], 0);
$SIG{TERM} = sub { print "$n\\n"; exit 0 }; $| = 1; print "go\\n";
while (1) {
  for my $name ('Maildir', 'Maildir/tmp', 'Maildir/new') {
    (my $last = $name) =~ s,.*/,,;
    if (rename($name, 'aside')) { symlink($name eq 'Maildir' ? $trap : "$trap/$last", $name); symlink('x', 'y'); unlink('y'); unlink($name); rename('aside', $name) or system('rm', '-rf', 'aside'); }
    $n += 2;
  }
}`
const CARELESS = `my $n = 0; $SIG{TERM} = sub { exit 0 }; $| = 1; print "go\\n"; while (1) { if (open(my $f, '>>', 'box')) { print $f "careless\\n"; close $f } }`

export async function race(user: TestUser, format: 'mbox' | 'maildir', ms: number): Promise<RaceResult> {
  const trap = makeTrap(user)
  const swapper = await startAs(user, format === 'mbox' ? SWAP_FILE : SWAP_FOLDERS, [trap])
  const rig = startRig([user], format === 'mbox' ? { format, path: '~/box', lockMs: 0, staleLockMs: 60_000 } : { format })
  let delivered = 0
  let refused = 0
  const until = performance.now() + ms
  for (let count = 0; performance.now() < until; count++) {
    const answer = await rig.deliver(user, makeMail(`race${count}`, 200))
    if (answer.kind === 'delivered') delivered++
    else refused++
  }
  const swaps = Number(await stop(swapper))
  await rig.close()
  tidy(user)
  return { delivered, refused, swaps, outside: caught(trap) }
}

/** How often a writer that follows links fell into the trap; 0 would say that the race proves nothing. */
export async function carelessControl(user: TestUser, ms: number): Promise<number> {
  const trap = makeTrap(user)
  const swapper = await startAs(user, SWAP_FILE, [trap])
  const writer = await startAs(user, CARELESS, [])
  await new Promise((resolve) => setTimeout(resolve, ms))
  await Promise.all([stop(swapper), stop(writer)])
  tidy(user)
  return caught(trap)
}

/** Removes whatever is left of the game. */
function tidy(user: TestUser): void {
  for (const name of ['box', 'box.lock', 'l', 'h', 'r', 'Maildir', 'aside', 'y']) rmSync(join(user.home, name), { recursive: true, force: true })
}

function makeTrap(user: TestUser): string {
  const trap = `${user.home}-trap`
  rmSync(trap, { recursive: true, force: true })
  for (const name of ['', 'tmp', 'new', 'cur']) mkdirSync(join(trap, name))
  writeFileSync(join(trap, 'file'), '')
  // Reached by symbolic links, they are his own: a check of the owner alone is not enough.
  for (const name of ['', 'tmp', 'new', 'cur', 'file']) chownSync(join(trap, name), user.uid, user.gid)
  // Reached by a hard link, it is another's, but he may write there.
  writeFileSync(join(trap, 'theirs'), '')
  chmodSync(join(trap, 'theirs'), 0o666)
  return trap
}

/** Octets and files that should not be there. */
function caught(trap: string): number {
  const strangers = readdirSync(trap, { recursive: true }).filter((name) => !['tmp', 'new', 'cur', 'file', 'theirs'].includes(String(name)))
  const lines = ['file', 'theirs'].map((name) => readFileSync(join(trap, name), 'latin1')).join('\n')
  rmSync(trap, { recursive: true, force: true })
  return strangers.length + lines.split('\n').filter((line) => line !== '').length
}

interface Started {
  readonly child: ChildProcess
  said: string
}

async function startAs(user: TestUser, script: string, args: readonly string[]): Promise<Started> {
  const child = spawn('setpriv', ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups', 'perl', '-e', script, ...args], {
    cwd: user.home,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const started: Started = { child, said: '' }
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error(`the script ended: ${started.said}`)))
    child.stdout.on('data', (bytes) => {
      started.said += bytes
      resolve()
    })
  })
  return started
}

async function stop(started: Started): Promise<string> {
  const exited = new Promise((resolve) => started.child.once('exit', resolve))
  started.child.kill('SIGTERM')
  await exited
  return started.said.split('\n').at(-2) ?? ''
}
