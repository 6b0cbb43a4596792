import { describe, expect, it } from 'vitest'
import { openOrPause } from '../../src/app/compose.ts'

describe('intake and the store', () => {
  it('no mail is taken while the store takes none, with the reply that fits', () => {
    const said: string[] = []
    const intake = { pause: (reason: string, kind: string = 'io') => said.push(`${kind}: ${reason}`), resume: () => said.push('open') }
    openOrPause(intake, { kind: 'full', reason: 'no space left' })
    openOrPause(intake, { kind: 'suspect', reason: 'fsync failed' })
    openOrPause(intake, { kind: 'sound' })
    expect(said).toEqual(['full: the disk is full', 'io: the queue cannot be written', 'open'])
  })
})
