import { expect, it } from 'vitest'
import { giveSize } from '../../src/cli/real-context.ts'

it('a terminal that does not know its size gets the usual one, any other keeps its own', () => {
  const unknown = { columns: 0, rows: 0 }
  const known = { columns: 132, rows: 43 }
  giveSize(unknown)
  giveSize(known)
  expect([unknown, known]).toEqual([
    { columns: 80, rows: 24 },
    { columns: 132, rows: 43 },
  ])
})
