/**
 * Workers that die in the middle: killed, and with the power gone. What was said to be delivered must be
 * there, whole, and what is there must be a whole message, once the next delivery has been.
 */
import type { TestUser } from '../../system/support/system-user.ts'
import { readByPython } from '../../system/support/system-user.ts'
import { asStored, idOf, type MailboxRig, makeMail, startRig } from './mailbox-rig.ts'
import type { CutDisk } from './power.ts'

export interface CutTally {
  delivered: number
  lost: number
  /** Not as they were sent. */
  foreign: number
  duplicates: number
}

export function newTally(): CutTally {
  return { delivered: 0, lost: 0, foreign: 0, duplicates: 0 }
}

export interface CutScene {
  readonly user: TestUser
  readonly format: 'mbox' | 'maildir'
  /** Null: the worker is killed and nothing else. */
  readonly disk: CutDisk | null
  readonly random: () => number
  readonly tally: CutTally
}

/** Delivers one message after the other until somebody pulls the plug; then looks. */
export async function cutOnce(scene: CutScene, cut: number): Promise<void> {
  const { user, format, disk, random, tally } = scene
  const settings = format === 'mbox' ? ({ format, path: '~/box' } as const) : {}
  const sent = new Map<string, string>()
  const acknowledged = new Set<string>()
  let rig: MailboxRig = startRig([user], settings)
  const deliver = async (): Promise<void> => {
    const id = `cut${cut}-${sent.size}`
    const mail = makeMail(id, 2_000 + random() * 60_000)
    sent.set(id, asStored(mail))
    if ((await rig.deliver(user, mail, 1)).kind === 'delivered') acknowledged.add(id)
  }
  await deliver()
  let over = false
  const working = (async () => {
    while (!over) await deliver()
  })()
  await new Promise((resolve) => setTimeout(resolve, 10 + random() * 400))
  over = true
  for (const pid of rig.pids) process.kill(pid, 'SIGKILL')
  await working.catch(() => undefined)
  await rig.close()
  disk?.cut()
  // The next delivery mends what was left half done.
  rig = startRig([user], settings)
  await deliver()
  await rig.close()
  count(scene, { sent, acknowledged, cut, tally })
}

function count(
  { user, format }: CutScene,
  facts: { readonly sent: ReadonlyMap<string, string>; readonly acknowledged: ReadonlySet<string>; readonly cut: number; readonly tally: CutTally },
): void {
  const { sent, acknowledged, cut, tally } = facts
  const texts = readByPython(format, `${user.home}/${format === 'mbox' ? 'box' : 'Maildir'}`)
  const mine = texts.filter((text) => idOf(text).startsWith(`cut${cut}-`))
  const seen = new Map<string, number>()
  for (const text of mine) {
    const id = idOf(text)
    seen.set(id, (seen.get(id) ?? 0) + 1)
    if (text !== sent.get(id)) tally.foreign++
  }
  // A part of a message that has lost its own header would be seen as one without an id.
  tally.foreign += texts.filter((text) => idOf(text) === '').length
  tally.delivered += acknowledged.size
  tally.lost += [...acknowledged].filter((id) => !seen.has(id)).length
  tally.duplicates += [...seen.values()].reduce((sum, times) => sum + times - 1, 0)
}
