import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { untilTold } from '../../src/app/stop-signals.ts'
import { createFakeClock } from '../support/fake-clock.ts'

function listen() {
  const source = new EventEmitter()
  const clock = createFakeClock()
  const happened: string[] = []
  void untilTold({ source, clock, reload: () => happened.push('reload'), end: () => happened.push('end') }).then(() => happened.push('drain'))
  const say = async (signal: string, afterMs = 0) => {
    await clock.advance(afterMs)
    source.emit(signal)
    await clock.settle()
  }
  return { say, happened }
}

describe('the signals of the server', () => {
  it.each(['SIGTERM', 'SIGINT'])('drains once for a %s that comes by two ways at the same moment', async (signal) => {
    const { say, happened } = listen()
    await say(signal)
    await say(signal, 20)
    expect(happened).toEqual(['drain'])
  })
  it('ends at once when it is told again later', async () => {
    const { say, happened } = listen()
    await say('SIGINT')
    await say('SIGINT', 1_000)
    expect(happened).toEqual(['drain', 'end'])
  })
  it('reloads at SIGHUP, as often as it comes', async () => {
    const { say, happened } = listen()
    await say('SIGHUP')
    await say('SIGHUP')
    expect(happened).toEqual(['reload', 'reload'])
  })
})
