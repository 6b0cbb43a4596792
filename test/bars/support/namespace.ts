/**
 * A network of its own with one machine in it: for clients that are surely not this one. Needs root; gone
 * when the process ends.
 */
import { execFileSync } from 'node:child_process'

export interface Namespace {
  /** Put before a command, it runs inside. */
  readonly inside: readonly string[]
  /** Our end of the cable; the other end is the client's. */
  readonly ourAddress: string
}

/** A string: why there is none. */
export function makeNamespace(): Namespace | string {
  if (process.getuid?.() !== 0) return 'not-root'
  const name = `pb${process.pid}`
  const net = `10.77.${process.pid % 250}`
  const [ours, theirs] = [`${net}.1`, `${net}.2`]
  try {
    ip('netns', 'add', name)
    ip('link', 'add', `${name}a`, 'type', 'veth', 'peer', 'name', `${name}b`, 'netns', name)
    ip('addr', 'add', `${ours}/30`, 'dev', `${name}a`)
    ip('link', 'set', `${name}a`, 'up')
    ip('-n', name, 'addr', 'add', `${theirs}/30`, 'dev', `${name}b`)
    ip('-n', name, 'link', 'set', `${name}b`, 'up')
    ip('-n', name, 'link', 'set', 'lo', 'up')
  } catch (fault) {
    remove(name)
    // A machine without namespaces is no fault of ours; the bar says so.
    return `no-namespace:${fault instanceof Error ? fault.message.split('\n').at(-2) : ''}`.replaceAll(' ', '-')
  }
  // However the bar ends.
  process.on('exit', () => remove(name))
  return { inside: ['ip', 'netns', 'exec', name], ourAddress: ours }
}

function remove(name: string): void {
  try {
    // The cable goes with it.
    ip('netns', 'del', name)
  } catch {
    // There was none.
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })
}
