import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { setInText, unsetInText } from '../../src/app/config-edit.ts'

const FILE = `# The whole story
hostname: a.example.com   # changed in May
listen:
  # where Jira looks
  - smtp://127.0.0.1:25   # IPv4
  - smtp://[::1]:25

relays:
  google:   # the old one
    host: smtp.example.net:587
    tls:     verify  # never lower
    credentials:
      jira:       { username: jira@example.com,       password: { file: secrets/jira } }
      confluence: { username: confluence@example.com, password: { file: secrets/confluence } }
# the end
`

describe('set changes one key and leaves every other octet', () => {
  it.each([
    [['hostname'], 'b.example.com', 'hostname: a.example.com   #', 'hostname: b.example.com   #'],
    [['relays', 'google', 'tls'], 'may', 'tls:     verify  #', 'tls:     may  #'],
    [['listen', 1], 'smtp://127.0.0.1:2525', '- smtp://[::1]:25', '- smtp://127.0.0.1:2525'],
    [['relays', 'google', 'credentials', 'jira', 'username'], 'x', '{ username: jira@example.com,', '{ username: x,'],
    [['relays', 'google', 'host'], '[::1]:587', 'host: smtp.example.net:587', 'host: "[::1]:587"'],
  ])('%j', (path, value, before, after) => expect(setInText(FILE, path, value)).toBe(FILE.replace(before, after)))

  it('adds a key behind the others of its mapping', () => {
    expect(setInText(FILE, ['relays', 'google', 'source'], '10.0.0.1')).toBe(FILE.replace('# the end', '    source: 10.0.0.1\n# the end'))
    expect(setInText(FILE, ['limits', 'messageSize'], '10 MB')).toBe(FILE.replace('# the end', 'limits:\n  messageSize: 10 MB\n# the end'))
  })

  it('adds a mapping of several keys', () => {
    const text = setInText(FILE, ['relays', 'ses'], { host: 'b', credentials: { main: { username: 'x' } } })
    expect(text).toBe(FILE.replace('# the end', '  ses:\n    host: b\n    credentials:\n      main:\n        username: x\n# the end'))
  })

  it('adds an entry to a list, and keeps all comments', () => {
    const text = setInText(FILE, ['listen', 2], 'smtp://127.0.0.2:25')
    expect(parse(text).listen).toHaveLength(3)
    for (const comment of FILE.match(/#.*/g) ?? []) expect(text).toContain(comment)
  })

  it('adds an entry to a list of mappings as lines of its own', () => {
    const file = 'a:\n  # one\n  - x: 1   # first\n    y: { z: 2 }\n  # behind\nb: 1\n'
    expect(setInText(file, ['a', 1], { x: 2, y: { z: 3 } })).toBe(
      'a:\n  # one\n  - x: 1   # first\n    y: { z: 2 }\n  - x: 2\n    y:\n      z: 3\n  # behind\nb: 1\n',
    )
    expect(setInText('a:\n- 1\n', ['a', 1], 2)).toBe('a:\n- 1\n- 2\n')
    expect(parse(setInText('a: [1]\n', ['a', 1], 2))).toEqual({ a: [1, 2] })
  })

  it('begins a file', () => {
    expect(setInText('', ['log', 'level'], 'debug')).toBe('log:\n  level: debug\n')
    expect(setInText('# only a comment\n', ['hostname'], 'a.b')).toBe('# only a comment\nhostname: a.b\n')
    expect(setInText('hostname: a.b', ['data'], '/x')).toBe('hostname: a.b\ndata: /x\n')
  })

  it('fills a key that had nothing behind it', () => {
    expect(parse(setInText('relays:\n# google:\n', ['relays', 'g', 'host'], 'a'))).toEqual({ relays: { g: { host: 'a' } } })
    expect(setInText('hostname:\n', ['hostname'], 'a.b')).toBe('hostname: a.b\n')
  })

  it('refuses a way through a single value, or far behind the end of a list', () => {
    expect(() => setInText(FILE, ['hostname', 'x'], 1)).toThrow(RangeError)
    expect(() => setInText(FILE, ['listen', 9, 'url'], 'x')).toThrow(RangeError)
  })
})

describe('unset', () => {
  it('removes the lines of a key, whatever is below it', () => {
    expect(unsetInText(FILE, ['relays', 'google', 'tls'])).toBe(FILE.replace('    tls:     verify  # never lower\n', ''))
    expect(unsetInText(FILE, ['hostname'])).toBe(FILE.replace('hostname: a.example.com   # changed in May\n', ''))
    expect(unsetInText(FILE, ['relays', 'google', 'credentials', 'jira'])).not.toContain('jira@')
    expect(unsetInText(FILE, ['listen'])).toContain('# The whole story')
  })

  it('answers null for a key that is not there', () => {
    expect(unsetInText(FILE, ['data'])).toBeNull()
    expect(unsetInText(FILE, [])).toBeNull()
  })
})

it('whatever is set is read back, and nothing else has changed', () => {
  const key = fc.stringMatching(/^[a-z]{1,4}$/)
  const scalar = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom('*', '<>', '@x', '- a', 'a: b', '# x', 'true', '5', '', 'a\nb', "it's", '{', '[x]:5', 'null'),
    fc.integer(),
    fc.boolean(),
  )
  const tree = fc.letrec((tie) => ({
    tree: fc.dictionary(key, fc.oneof({ depthSize: 'small' }, scalar, tie('tree')), { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
  })).tree
  fc.assert(
    fc.property(tree, fc.array(key, { minLength: 1, maxLength: 3 }), scalar, (before, path, value) => {
      let text = ''
      for (const [name, inner] of Object.entries(before as object)) text = setInText(text, [name], inner)
      expect(parse(text)).toEqual(before)
      const wanted = structuredClone(before) as Record<string, unknown>
      let at = wanted
      for (const step of path.slice(0, -1)) {
        if (!Object.hasOwn(at, step)) at[step] = {}
        if (typeof at[step] !== 'object') return
        at = at[step] as Record<string, unknown>
      }
      at[path.at(-1) ?? ''] = value
      const changed = setInText(text, path, value)
      expect(parse(changed)).toEqual(wanted)
      delete at[path.at(-1) ?? '']
      expect(parse(unsetInText(changed, path) ?? 'null')).toEqual(wanted)
    }),
    { numRuns: 300 },
  )
})
