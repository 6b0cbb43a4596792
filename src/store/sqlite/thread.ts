/**
 * Starts a thread of the store from its source file, as TypeScript or as compiled JavaScript.
 */
import { Worker } from 'node:worker_threads'

export interface Thread<Request, Answer> {
  /** What is handed over is gone from here. */
  post(request: Request, handedOver?: readonly ArrayBuffer[]): void
  /** Ends it at once; waits until its files are closed. */
  end(): Promise<void>
  readonly onAnswer: (listener: (answer: Answer) => void) => void
  /** Once, if it ended without being asked to. */
  readonly onDeath: (listener: (reason: string) => void) => void
}

/** These threads keep little: a small young generation costs nothing (measured) and saves 10 MB each. */
const HEAP = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 256 }

/** `name` is a file beside this one, without its extension. */
export function startThread<Request, Answer>(name: string): Thread<Request, Answer> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./${name}.${extension}`, import.meta.url), { name: `postern-${name}`, resourceLimits: HEAP })
  let dead: (reason: string) => void = () => undefined
  let ending = false
  worker.on('error', (error) => dead(error instanceof Error ? error.message : String(error)))
  worker.on('exit', (code) => {
    if (!ending) dead(`the thread ended with code ${code}`)
  })
  return {
    post: (request, handedOver = []) => worker.postMessage(request, handedOver),
    async end() {
      ending = true
      dead = () => undefined
      await worker.terminate()
    },
    onAnswer: (listener) => void worker.on('message', listener),
    onDeath(listener) {
      dead = listener
    },
  }
}
