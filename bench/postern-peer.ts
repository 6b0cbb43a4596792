/** Postern as it is published: `dist/` under Node 24, one configuration file, defaults but for what names places. */
import { execFile } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { waitForGreeting } from './load.ts'
import { seconds } from './numbers.ts'
import type { Peer, RunningPeer, StartOptions } from './peer.ts'
import { ProcessGroup } from './process-group.ts'

const run = promisify(execFile)
export const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PROGRAM = join(ROOT, 'dist', 'cli', 'main.js')
const NODE = join(ROOT, 'node_modules', 'node', 'bin', 'node')

export const postern: Peer = {
  name: 'postern',
  async start(options): Promise<RunningPeer> {
    const config = writeConfiguration(options)
    const group = new ProcessGroup('postern')
    const out = openSync(join(options.folder, 'postern', 'output'), 'a')
    const child = group.spawn(NODE, [PROGRAM, 'serve', '--config', config], { stdio: ['ignore', out, out] })
    closeSync(out)
    await waitForGreeting(options.port, 30_000, { child, output: join(options.folder, 'postern', 'output') })
    const command = (...words: string[]): Promise<unknown> => run(NODE, [PROGRAM, '--config', config, ...words], { maxBuffer: 2 ** 26 })
    return {
      group,
      flush: async () => void (await command('queue', 'flush')),
      async statusMs() {
        const from = seconds()
        await command('status')
        return (seconds() - from) * 1000
      },
      stop: () => group.stop('SIGTERM', 60_000),
    }
  },
}

function writeConfiguration({ folder, port, sinkPort, keepQueue, direct }: StartOptions): string {
  const home = join(folder, 'postern')
  if (!keepQueue) rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { recursive: true })
  const config = join(home, 'postern.yaml')
  writeFileSync(
    config,
    `hostname: app.example.test
listen: [ "smtp://127.0.0.1:${port}" ]
data: ${join(home, 'queue')}
user: root
${
  direct === true
    ? 'routes: [ { via: mx } ]\ndirect: { allowPrivate: [ 127.0.0.0/8 ] }'
    : `relays:
  sink: { host: "127.0.0.1:${sinkPort}", tls: may }`
}
log: { format: json, file: ${join(home, 'log')} }
`,
  )
  return config
}
