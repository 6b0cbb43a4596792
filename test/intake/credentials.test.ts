import { scryptSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createCredentials, createGuessCounter, createHashGate } from '../../src/intake/credentials.ts'
import { hashPassword, isPasswordHash, verifyPassword } from '../../src/intake/password-hash.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { cheapHash, makeUser } from './harness.ts'

describe('password hashes', () => {
  it('fit the password they were made for and no other', async () => {
    const hash = await hashPassword('s\u00e9cret')
    expect(hash).toMatch(/^\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(await verifyPassword('s\u00e9cret', hash)).toBe(true)
    expect(await verifyPassword('Secret', hash)).toBe(false)
    expect(await verifyPassword('', hash)).toBe(false)
  })

  it('are new for the same password each time', async () => {
    expect(await hashPassword('x')).not.toBe(await hashPassword('x'))
  })

  it('are those that other programs make with the same parameters', async () => {
    const salt = Buffer.from('saltsaltsaltsalt')
    const hash = scryptSync('secret', salt, 32, { N: 16, r: 8, p: 1 })
    expect(await verifyPassword('secret', `$scrypt$ln=4,r=8,p=1$${salt.toString('base64')}$${hash.toString('base64')}`)).toBe(true)
  })

  it.each([
    '',
    'secret',
    '$scrypt$',
    '$scrypt$ln=0,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA',
    '$scrypt$ln=30,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA',
    '$2b$12$abcdefghijklmnopqrstuv',
  ])('cannot be read from %j, and fit nothing then', async (hash) => {
    expect(isPasswordHash(hash)).toBe(false)
    expect(await verifyPassword('secret', hash)).toBe(false)
  })
})

describe('createCredentials', () => {
  const jira = makeUser('jira', cheapHash('secret'))
  it('accepts the right password, and again from memory', async () => {
    const credentials = createCredentials([jira], createHashGate())
    for (let i = 0; i < 3; i++) expect(await credentials.check('jira', 'secret')).toEqual({ kind: 'accepted', user: jira })
  })

  it('refuses a wrong password, an unknown user and names that mean something to JavaScript', async () => {
    const credentials = createCredentials([jira], createHashGate())
    await credentials.check('jira', 'secret')
    for (const [name, password] of [
      ['jira', 'wrong'],
      ['jira', ''],
      ['nobody', 'secret'],
      ['Jira', 'secret'],
      ['__proto__', 'x'],
      ['', ''],
    ] as const) {
      expect(await credentials.check(name, password), name).toEqual({ kind: 'refused' })
    }
  })

  it('forgets what it remembered with the settings', async () => {
    const gate = createHashGate()
    await createCredentials([jira], gate).check('jira', 'secret')
    expect(await createCredentials([makeUser('jira', cheapHash('changed'))], gate).check('jira', 'secret')).toEqual({ kind: 'refused' })
  })

  it('takes as long for an unknown user as for a wrong password', async () => {
    const slow = makeUser('jira', await hashPassword('secret'))
    const credentials = createCredentials([slow], createHashGate())
    const time = async (name: string): Promise<number> => {
      const from = performance.now()
      await credentials.check(name, 'wrong')
      return performance.now() - from
    }
    const known: number[] = []
    const unknown: number[] = []
    for (let i = 0; i < 5; i++) {
      known.push(await time('jira'))
      unknown.push(await time('nobody'))
    }
    const ratio = Math.min(...known) / Math.min(...unknown)
    expect(ratio).toBeGreaterThan(0.5)
    expect(ratio).toBeLessThan(2)
  })
})

describe('createHashGate', () => {
  it('lets two run at once and turns away when too many wait', async () => {
    const gate = createHashGate()
    const release: (() => void)[] = []
    let running = 0
    let most = 0
    const work = async (): Promise<void> => {
      running++
      most = Math.max(most, running)
      await new Promise<void>((resolve) => release.push(resolve))
      running--
    }
    const started = Array.from({ length: 100 }, () => gate.run(work))
    const taken = started.filter((one) => one !== null)
    expect(taken).toHaveLength(66)
    for (let released = 0; released < taken.length; ) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      const next = release.shift()
      if (next === undefined) continue
      next()
      released++
    }
    await Promise.all(taken)
    expect(most).toBe(2)
    expect(gate.run(async () => 'again')).not.toBeNull()
  })
})

describe('createGuessCounter', () => {
  it('counts per client and forgets after ten minutes', () => {
    const clock = createFakeClock()
    const guesses = createGuessCounter(clock)
    guesses.add('192.0.2.1')
    guesses.add('192.0.2.1')
    guesses.add('2001:db8::1')
    expect([guesses.count('192.0.2.1'), guesses.count('192.0.2.2'), guesses.count('2001:db8::2')]).toEqual([2, 0, 1])
    clock.advanceSync(600_000)
    expect(guesses.count('192.0.2.1')).toBe(0)
  })

  it('does not grow with the number of clients', () => {
    const guesses = createGuessCounter(createFakeClock())
    for (let i = 0; i < 20_000; i++) guesses.add(`10.0.${i >> 8}.${i & 255}`)
    expect(guesses.count('10.0.0.0')).toBe(0)
    expect(guesses.count(`10.0.${19_999 >> 8}.${19_999 & 255}`)).toBe(1)
  })
})
