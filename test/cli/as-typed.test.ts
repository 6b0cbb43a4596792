import { describe, expect, it } from 'vitest'
import { asTyped } from '../../src/cli/context.ts'

const NPX = { env: { npm_command: 'exec' } }

describe('a command in a sentence', () => {
  it('is as it must be typed in a clone', () => {
    expect(asTyped(NPX, 'Publish it: postern dkim show, then `postern reload`.')).toBe('Publish it: npx postern dkim show, then `npx postern reload`.')
  })

  it('stays as it is where it was typed like that already', () => {
    expect(asTyped(NPX, 'Show it: npx postern dkim show')).toBe('Show it: npx postern dkim show')
    expect(asTyped({ env: {} }, 'Show it: postern dkim show')).toBe('Show it: postern dkim show')
  })
})
