/** The machine: what it is, and how much of it others use while we measure. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'
import { sleep } from './numbers.ts'

/** CPU seconds used on the whole machine, idle time and time stolen by its host left out. */
export function usedCpuSeconds(): number {
  const [, ...fields] = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/\s+/) ?? []
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields.map(Number)
  return (user + nice + system + irq + softirq) / 100
}

/** Waits until the rest of the machine uses less than a fifth of a core, 15 s at most. */
export async function quiet(): Promise<void> {
  await sleep(300)
  for (let i = 0; i < 15; i++) {
    const before = usedCpuSeconds()
    await sleep(1000)
    if (usedCpuSeconds() - before < 0.2) return
  }
}

export function describeMachine(folder: string): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  const disk = run('findmnt', ['-no', 'FSTYPE,SOURCE', '-T', folder]).replace(/\s+/g, ' on ')
  const postfix = run('postconf', ['-d', '-h', 'mail_version'])
  return `${cpus().length} cores (${model}, ${arch()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, ${disk}; Node ${process.version}, Postfix ${postfix}`
}

function run(command: string, argv: readonly string[]): string {
  try {
    return execFileSync(command, argv, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    }).trim()
  } catch {
    return 'unknown'
  }
}
