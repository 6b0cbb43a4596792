/** A home folder, rules for a mailbox in it, and a world that stands still. */
import { chownSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MailboxSettings, SystemUser } from '../../src/mailbox/order.ts'
import type { MailboxRules, MailboxWriter, Surroundings } from '../../src/mailbox/writer.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

export const FACTS = { from: 'app@sender.test', sizeOctets: 0 } as const
export const OWN = process.getuid?.() ?? 0
export const IS_ROOT = OWN === 0

export function makeHome(): string {
  const home = join(makeTempFolder(), 'home')
  mkdirSync(home)
  return home
}

export function rulesIn(base: string, own: readonly [string, ...string[]], changes: Partial<MailboxRules> = {}): MailboxRules {
  return { place: { base, own }, owner: OWN, sizeMaxOctets: null, locks: ['dotlock'], lockMs: 200, staleLockMs: 300_000, ...changes }
}

export interface FakeWorld extends Surroundings {
  time: number
  /** What was slept so far. */
  slept: number
  onSleep: () => void
}

export function makeWorld(changes: Partial<Surroundings> = {}): FakeWorld {
  let serial = 0
  const world: FakeWorld = {
    time: Date.UTC(2026, 10, 5, 12, 0, 0),
    slept: 0,
    onSleep: () => undefined,
    nowMs: () => world.time,
    sleep: (ms) => {
      world.slept += ms
      world.onSleep()
      return Promise.resolve()
    },
    pid: process.pid,
    hostname: 'mail.test',
    randomName: () => (++serial).toString(16).padStart(8, '0'),
    rangeLock: () => 'unable',
    ...changes,
  }
  return world
}

/** Hands a whole message in; the writer must take it. */
export function deliver(writer: MailboxWriter, content = 'Subject: x\r\n\r\nbody\r\n'): void {
  writer.write(Buffer.from(content, 'latin1'))
  writer.commit()
}

export function filesIn(...path: readonly string[]): readonly string[] {
  return readdirSync(join(...path)).sort()
}
export function textOf(...path: readonly string[]): string {
  return readFileSync(join(...path), 'latin1')
}

/** Root works for `nobody`, everybody else for himself; the home is his. */
export function userWithHome(): SystemUser {
  const home = makeHome()
  if (!IS_ROOT) return { name: process.env.USER ?? 'me', uid: OWN, gid: process.getgid?.() ?? 0, home }
  chownSync(join(home, '..'), 65534, 65534)
  chownSync(home, 65534, 65534)
  return { name: 'nobody', uid: 65534, gid: 65534, home }
}

export function makeMailboxSettings(changes: Partial<MailboxSettings> = {}): MailboxSettings {
  return {
    format: 'maildir',
    path: '~/Maildir',
    sizeMaxOctets: null,
    locks: ['dotlock'],
    lockMs: 1_000,
    staleLockMs: 300_000,
    uidMin: 1000,
    users: [],
    ...changes,
  }
}
