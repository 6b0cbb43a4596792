import { describe, expect, it } from 'vitest'
import { readTagList } from '../../src/core/tag-list.ts'

describe('a tag list', () => {
  it.each<[string, Readonly<Record<string, string>>]>([
    ['v=DKIM1; k=rsa; p=AAAA', { v: 'DKIM1', k: 'rsa', p: 'AAAA' }],
    [' v = DMARC1 ;\tp=\r\n none', { v: 'DMARC1', p: 'none' }],
    ['p=AA AA=\t=;', { p: 'AAAA==' }],
    ['p=', { p: '' }],
    ['p=first; p=second', { p: 'first' }],
    ['nothing; v=1', { v: '1' }],
    ['', {}],
  ])('%j is read', (text, tags) => expect(Object.fromEntries(readTagList(text))).toEqual(tags))
})
