import { expect, it } from 'vitest'
import { OneAtATime } from '../../src/core/one-at-a-time.ts'

it('who asks meanwhile waits for the same end, who asks afterwards begins anew', async () => {
  const ends: (() => void)[] = []
  const act = new OneAtATime(() => new Promise<void>((resolve) => void ends.push(resolve)))
  const both = Promise.all([act.run(), act.run()])
  expect(ends).toHaveLength(1)
  ends[0]?.()
  await both
  void act.run()
  expect(ends).toHaveLength(2)
})
it('its end is the end of what is under way, even of what fails', async () => {
  const steps: string[] = []
  const act = new OneAtATime(async () => {
    await Promise.resolve()
    steps.push('done')
    throw new Error('no')
  })
  const failed = expect(act.run()).rejects.toThrow('no')
  await act.ended()
  expect(steps).toEqual(['done'])
  await failed
  await act.ended()
})
