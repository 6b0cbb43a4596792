/**
 * A group of processes and what it costs: CPU time and memory of a program with all its children.
 *
 * CPU time comes from a cgroup of its own (version 1 or 2), so that short-lived children count, too; where none
 * can be made, from /proc, over the tree of processes and what they have reaped.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { sleep } from './numbers.ts'

const V1 = '/sys/fs/cgroup/cpuacct'
const V2 = '/sys/fs/cgroup'
const TICKS_PER_SECOND = 100
const PAGE_OCTETS = 4096

interface ProcessStat {
  readonly parent: number
  readonly cpuSeconds: number
}

export class ProcessGroup {
  readonly #roots = new Set<number>()
  readonly #folder: string | null

  constructor(name: string) {
    this.#folder = makeCgroup(`postern-bench-${process.pid}-${name}`)
  }

  spawn(command: string, argv: readonly string[], options: SpawnOptions): ChildProcess {
    const join = this.#folder === null ? '' : `echo $$ > ${this.#folder}/cgroup.procs && `
    const child = spawn('/bin/sh', ['-c', `${join}exec "$0" "$@"`, command, ...argv], options)
    if (child.pid !== undefined) this.#roots.add(child.pid)
    return child
  }

  pids(): readonly number[] {
    if (this.#folder !== null) return readText(`${this.#folder}/cgroup.procs`).split('\n').filter(Boolean).map(Number)
    const children = new Map<number, number[]>()
    for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      const stat = readStat(Number(name))
      if (stat !== null) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(name)])
    }
    const found: number[] = []
    const pending = [...this.#roots].filter((pid) => readStat(pid) !== null)
    for (let pid = pending.pop(); pid !== undefined; pid = pending.pop()) {
      found.push(pid)
      pending.push(...(children.get(pid) ?? []))
    }
    return found
  }

  /** User and system time of the whole group since it began. */
  cpuSeconds(): number {
    if (this.#folder === null) return this.pids().reduce((sum, pid) => sum + (readStat(pid)?.cpuSeconds ?? 0), 0)
    if (this.#folder.startsWith(V1)) return Number(readText(`${this.#folder}/cpuacct.usage`)) / 1e9
    return Number(/usage_usec (\d+)/.exec(readText(`${this.#folder}/cpu.stat`))?.[1] ?? 0) / 1e6
  }

  /** Sum over the processes: pages that several of them share count several times. */
  rssMiB(): number {
    const pages = this.pids().map((pid) => Number(readText(`/proc/${pid}/statm`).split(' ')[1] ?? 0))
    return (pages.reduce((sum, count) => sum + count, 0) * PAGE_OCTETS) / 2 ** 20
  }

  /** Shared pages counted once. Slow: reads the page tables. */
  pssMiB(): number {
    const kib = this.pids().map((pid) => Number(/^Pss:\s+(\d+)/m.exec(readText(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0))
    return kib.reduce((sum, count) => sum + count, 0) / 1024
  }

  /** Ends the group: politely, then not. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', patienceMs = 15_000): Promise<void> {
    const from = Date.now()
    this.#signal(signal)
    while (this.pids().length > 0 && Date.now() - from < patienceMs) await sleep(20)
    for (let i = 0; i < 100 && this.pids().length > 0; i++) {
      this.#signal('SIGKILL')
      await sleep(20)
    }
    if (this.#folder !== null) removeFolder(this.#folder)
  }

  #signal(signal: NodeJS.Signals): void {
    for (const pid of this.pids()) {
      try {
        process.kill(pid, signal)
      } catch {
        // Gone meanwhile.
      }
    }
  }
}

function makeCgroup(name: string): string | null {
  const root = existsSync(V1) ? V1 : existsSync(`${V2}/cgroup.controllers`) ? V2 : null
  if (root === null) return null
  for (let i = 0; ; i++) {
    const folder = join(root, `${name}-${i}`)
    if (existsSync(folder)) continue
    try {
      mkdirSync(folder)
      return folder
    } catch {
      return null // Not root, or a read-only hierarchy: /proc has to do.
    }
  }
}

function removeFolder(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // A process is still on its way out; an empty cgroup costs nothing.
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // The process ended between the listing and the look.
  }
}

function readStat(pid: number): ProcessStat | null {
  const text = readText(`/proc/${pid}/stat`)
  if (text === '') return null
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [user = 0, system = 0, reapedUser = 0, reapedSystem = 0] = fields.slice(11, 15)
  return { parent: fields[1] ?? 0, cpuSeconds: (user + system + reapedUser + reapedSystem) / TICKS_PER_SECOND }
}

/** The highest memory seen while something runs. */
export class MemoryWatch {
  readonly #timer: NodeJS.Timeout
  #ticks = 0
  rssMiB = 0
  pssMiB = 0

  constructor(group: ProcessGroup) {
    this.#timer = setInterval(() => {
      this.rssMiB = Math.max(this.rssMiB, group.rssMiB())
      if (this.#ticks++ % 5 === 0) this.pssMiB = Math.max(this.pssMiB, group.pssMiB())
    }, 200)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
