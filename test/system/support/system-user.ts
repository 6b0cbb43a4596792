/**
 * Users of the system, made for a test and removed after it; and what Python's `mailbox` finds in their mailboxes.
 */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'

export interface TestUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
  remove(): void
}

/** Null: users can be made here; else why not. */
export function whyNoUsers(): string | null {
  if (process.getuid?.() !== 0) return 'needs root to make users'
  try {
    execFileSync('which', ['useradd', 'userdel', 'python3'], { stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })
    return null
  } catch {
    return 'useradd, userdel or python3 is missing'
  }
}

/** `home`: made and handed to the user, unless it is there. */
export function makeUser(name: string, home = `/home/${name}`): TestUser {
  removeUser(name)
  run('useradd', ['--create-home', '--home-dir', home, '--shell', '/bin/sh', name])
  const id = (flag: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
  const [uid, gid] = [id('-u'), id('-g')]
  run('chown', [`${uid}:${gid}`, home])
  return { name, uid, gid, home, remove: () => removeUser(name, home) }
}

function removeUser(name: string, home?: string): void {
  try {
    run('userdel', ['--force', name])
  } catch {
    // There was none.
  }
  if (home !== undefined) rmSync(home, { recursive: true, force: true })
  for (const file of [`/var/mail/${name}`, `/var/mail/${name}.lock`]) rmSync(file, { recursive: true, force: true })
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: 'pipe', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })
}

const READ = `
import base64, json, mailbox, os, sys
kind, path = sys.argv[1:]
box = mailbox.mbox(path, create=False) if kind == 'mbox' else mailbox.Maildir(path, create=False)
print(json.dumps([base64.b64encode(box.get_bytes(key)).decode() for key in sorted(box.keys(), key=str)]))
`

/** Every message as Python reads it, without its From_ line; mbox quoting undone as mboxrd wants it. */
export function readByPython(kind: 'mbox' | 'maildir', path: string): readonly string[] {
  const out = execFileSync('python3', ['-c', READ, kind, path], { encoding: 'utf8', maxBuffer: 1_000_000_000 })
  const texts = (JSON.parse(out) as string[]).map((text) => Buffer.from(text, 'base64').toString('latin1'))
  return kind === 'mbox' ? texts.map((text) => text.replace(/(^|\n)>(>*From )/g, '$1$2')) : texts
}

/** What stands behind the fields that Postern adds; throws if one is missing or stands twice. */
export function withoutOurFields(text: string): string {
  const own = /^Return-Path: <[^\n]*>\nX-Original-To: [^\n]+\nDelivered-To: [^\n]+\nReceived: [^\n]*\n(?:\t[^\n]*\n)*/.exec(text)?.[0]
  if (own === undefined) throw new Error(`fields are missing: ${text.slice(0, 300)}`)
  const rest = text.slice(own.length)
  const header = rest.slice(0, rest.indexOf('\n\n') + 1)
  const again = /^(?:Return-Path|Delivered-To|X-Original-To):/im.exec(header)
  if (again !== null) throw new Error(`a field stands twice: ${again[0]}`)
  return rest
}
