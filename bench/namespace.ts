/**
 * Runs the measurement where only loopback exists and where every process started ends with it: a network and a process
 * namespace of its own (needs root).
 */
import { spawnSync } from 'node:child_process'

const INSIDE = 'POSTERN_BENCH_INSIDE'
/** The resolver of `names.ts`; and addresses that swallow everything, for servers that are dead. The mount ends with the namespace. */
const OWN_RESOLVER =
  'file=$(mktemp) && echo "nameserver 127.0.0.1" > $file && mount --bind $file /etc/resolv.conf && rm $file; ip route add 198.51.100.0/24 dev lo'

export function isInside(): boolean {
  return process.env[INSIDE] === '1'
}

export function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** Runs this program again inside; answers its exit status. */
export function enterNamespace(script: string, argv: readonly string[]): number {
  const start = `ip link set lo up || exit 1; ${OWN_RESOLVER}; ulimit -n 20000 2>/dev/null; "$@"; exit $?`
  const inner = ['bash', '-c', start, 'bash', process.execPath, script, ...argv]
  const ended = spawnSync('unshare', ['--net', '--pid', '--fork', '--mount-proc', '--kill-child', ...inner], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  })
  return ended.status ?? 1
}
