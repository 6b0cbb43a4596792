/**
 * Waiting for something, but not for ever.
 */
import type { Clock } from './clock.ts'

/**
 * What is wanted, or `otherwise` when that many milliseconds are over; what comes later is lost, a rejection
 * included. Rejects if it does so in time.
 */
export function withinTime<Value>(wanted: Promise<Value>, clock: Pick<Clock, 'after'>, limitMs: number, otherwise: Value): Promise<Value> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(limitMs, () => resolve(otherwise))
    wanted.then(resolve, reject).finally(cancel)
  })
}
