/**
 * Mail into mailboxes and out of them again: as Python reads it, and with several writers at once.
 */
import { spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readByPython, type TestUser } from '../../system/support/system-user.ts'
import { asStored, idOf, makeMail, startRig } from './mailbox-rig.ts'

const PYTHON_WRITER = `
import mailbox, sys, time
path, count = sys.argv[1], int(sys.argv[2])
for n in range(count):
  while True:
    box = mailbox.mbox(path)
    try:
      box.lock()
    except mailbox.ExternalClashError:
      time.sleep(0.002); box.close(); continue
    try:
      before = len(box)
      box.add('X-Id: python%d\\n\\nFrom python\\n' % n)
      box.flush()
    finally:
      box.unlock(); box.close()
    break
`

/** M03: differences between what went in and what Python reads. */
export async function roundTrip(user: TestUser, format: 'mbox' | 'maildir', count: number, random: () => number): Promise<number> {
  const pieces = ['From ', '>', '>From ', 'F', 'Fro', '\r\n', '\r\n\r\n', '\r', '\0', '.', 'x', '\xff\xfe', 'From: ', ' ', '\t', 'y'.repeat(1_000)]
  const rig = startRig([user], format === 'mbox' ? { format, path: '~/trip' } : { path: '~/trip' })
  const sent = new Map<string, string>()
  for (let index = 0; index < count; index++) {
    const body = Array.from({ length: Math.floor(random() * 60) }, () => pieces[Math.floor(random() * pieces.length)]).join('')
    const large = index % 50 === 7 ? `${'z'.repeat(1_000_000)}\r\nFrom behind it\r\n` : ''
    const ended = random() < 0.9 || format === 'mbox' ? `${body}\r\n` : body
    const content = `X-Id: trip${index}\r\n\r\n${large}${ended}`
    sent.set(`trip${index}`, asStored(content))
    if ((await rig.deliver(user, content)).kind !== 'delivered') throw new Error('not delivered')
  }
  await rig.close()
  const texts = readByPython(format, join(user.home, 'trip'))
  rmSync(join(user.home, 'trip'), { recursive: true })
  const wrong = texts.filter((text) => sent.get(idOf(text)) !== text).length
  return wrong + Math.abs(texts.length - sent.size)
}

/** M04: two of our processes and a reader of mail append to one mbox at the same time. */
export async function writersTogether(user: TestUser, count: number): Promise<{ delivered: number; lost: number; foreign: number }> {
  const path = join(user.home, 'together')
  const rigs = [0, 1].map(() => startRig([user], { format: 'mbox', path: '~/together' }))
  const sent = new Map<string, string>()
  const python = spawn(
    'setpriv',
    ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups', 'python3', '-c', PYTHON_WRITER, path, String(count)],
    {
      cwd: user.home,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { PATH: '/usr/bin:/bin', HOME: user.home },
    },
  )
  const ended = new Promise((resolve) => python.once('exit', resolve))
  const delivered = new Set<string>()
  await Promise.all(
    rigs.map(async (rig, writer) => {
      for (let index = 0; index < count; index++) {
        const id = `writer${writer}.${index}`
        const mail = makeMail(id, 3_000)
        sent.set(id, asStored(mail))
        if ((await rig.deliver(user, mail)).kind === 'delivered') delivered.add(id)
      }
    }),
  )
  const code = await ended
  for (const rig of rigs) await rig.close()
  const texts = readByPython('mbox', path)
  const ids = new Set(texts.map(idOf))
  for (let index = 0; index < count; index++) {
    sent.set(`python${index}`, `X-Id: python${index}\n\nFrom python\n`)
    delivered.add(`python${index}`)
  }
  const clean = code === 0 && !existsSync(`${path}.lock`)
  return {
    delivered: delivered.size,
    lost: [...delivered].filter((id) => !ids.has(id)).length + (clean ? 0 : 1),
    foreign: texts.filter((text) => sent.get(idOf(text)) !== text).length + (texts.length - ids.size),
  }
}
