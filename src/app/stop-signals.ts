/**
 * The signals that end or reload the server.
 *
 * One signal may come by two ways: systemd and a terminal tell a whole group, and the launcher of `bin/` passes on to
 * us what it was told. Only who tells us again later means: at once, without draining.
 */
import type { Clock } from '../core/clock.ts'

/** Later than that it is another signal, not the same one again. */
const AGAIN_MS = 1_000

export interface StopSignals {
  /** `process`, but for tests. */
  readonly source: { on(signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP', listener: () => void): unknown }
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly reload: () => void
  /** Ends the process at once. */
  readonly end: () => void
}

/** Resolves at the first SIGTERM or SIGINT. */
export function untilTold({ source, clock, reload, end }: StopSignals): Promise<void> {
  return new Promise((resolve) => {
    let toldAtMs: number | null = null
    const stop = (): void => {
      if (toldAtMs !== null && clock.monotonicMs() - toldAtMs >= AGAIN_MS) end()
      toldAtMs ??= clock.monotonicMs()
      resolve()
    }
    source.on('SIGTERM', stop)
    source.on('SIGINT', stop)
    source.on('SIGHUP', reload)
  })
}
