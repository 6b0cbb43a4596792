/**
 * Waiting in tests for something to happen, never for time to pass.
 *
 * `createSignal` is for code that can call back; `waitUntil` looks at a condition at every turn
 * of the event loop and fails, with what it waited for, when a real-time limit is over.
 */
export interface Signal<T> {
  /** Call this from the callback under test. */
  readonly fire: (value: T) => void
  /** The next value not yet waited for. */
  next(limitMs?: number): Promise<T>
  /** Everything fired so far. */
  readonly values: readonly T[]
}

const LIMIT_MS = 10_000

export function createSignal<T>(name = 'signal'): Signal<T> {
  const values: T[] = []
  const waiting: ((value: T) => void)[] = []
  let taken = 0
  return {
    fire(value) {
      values.push(value)
      const waiter = waiting.shift()
      if (waiter === undefined) return
      taken++
      waiter(value)
    },
    next(limitMs = LIMIT_MS) {
      if (taken < values.length) return Promise.resolve(values[taken++] as T)
      return new Promise<T>((resolve, reject) => {
        const limit = setTimeout(() => {
          waiting.splice(waiting.indexOf(waiter), 1)
          reject(new Error(`${name} was not seen within ${limitMs} ms`))
        }, limitMs)
        const waiter = (value: T) => {
          clearTimeout(limit)
          resolve(value)
        }
        waiting.push(waiter)
      })
    },
    values,
  }
}

/** Resolves once `condition` holds; rejects with `what` when it does not within the limit. */
export async function waitUntil(condition: () => boolean, what = 'the condition', limitMs = LIMIT_MS): Promise<void> {
  const end = performance.now() + limitMs
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`)
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}
