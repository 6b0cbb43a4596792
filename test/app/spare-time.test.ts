import { beforeEach, describe, expect, it } from 'vitest'
import { SpareTime } from '../../src/app/spare-time.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { SILENT_JOURNAL } from '../support/silent-journal.ts'

let clock: FakeClock
let notes: string[]
let done: string[]
let spareTime: SpareTime
const work = (name: string) => () => void done.push(name)

beforeEach(() => {
  clock = createFakeClock()
  notes = []
  done = []
  spareTime = new SpareTime({ clock, journal: { ...SILENT_JOURNAL, note: (subsystem, level, text) => void notes.push(`${subsystem} ${level} ${text}`) } })
})

describe('work that can wait', () => {
  it('is done when there is time, in the order in which it came, and once', () => {
    spareTime.add(work('first'))
    spareTime.add(work('second'))
    expect(done).toEqual([])
    spareTime.use()
    spareTime.use()
    expect(done).toEqual(['first', 'second'])
    expect(clock.pending).toBe(0)
  })

  it('is done after five milliseconds if there is no time before', () => {
    spareTime.add(work('first'))
    clock.advanceSync(4)
    spareTime.add(work('second'))
    expect(done).toEqual([])
    clock.advanceSync(1)
    expect(done).toEqual(['first', 'second'])
    expect(clock.pending).toBe(0)
  })

  it('waits for the next time if it comes up meanwhile', () => {
    spareTime.add(() => spareTime.add(work('second')))
    spareTime.use()
    expect(done).toEqual([])
    clock.advanceSync(5)
    expect(done).toEqual(['second'])
  })

  it('does not keep the rest from being done when it fails', () => {
    spareTime.add(() => {
      throw new Error('a bug')
    })
    spareTime.add(work('second'))
    spareTime.use()
    expect(done).toEqual(['second'])
    expect(notes).toEqual(['server error what follows an acceptance failed: Error: a bug'])
  })

  it('is not put off any more at the end', () => {
    spareTime.add(work('first'))
    spareTime.end()
    spareTime.add(work('second'))
    expect(done).toEqual(['first', 'second'])
    expect(clock.pending).toBe(0)
  })
})
