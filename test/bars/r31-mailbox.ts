/**
 * R31: mailboxes of system users (M01 to M09). Nothing is written outside, whatever the user does to his
 * mailbox; what goes in comes out octet by octet; kills and power cuts lose and tear nothing.
 */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { makeUser, whyNoUsers } from '../system/support/system-user.ts'
import { BarClient } from './support/client.ts'
import { cutOnce, newTally } from './support/mailbox-cut.ts'
import { carelessControl, race } from './support/mailbox-race.ts'
import { roundTrip, writersTogether } from './support/mailbox-trips.ts'
import { makeDisk, whyNoCuts } from './support/power.ts'
import { freePort, makeFolder, removeFolder, startServer } from './support/server.ts'
import { CannotRun, runBar, seeded } from './support/verdict.ts'

const NAME = 'pt-bar'

await runBar('R31 mailbox', async ({ full, seed }) => {
  const obstacle = whyNoUsers() ?? whyNoCuts()
  if (obstacle !== null) throw new CannotRun(obstacle)
  const random = seeded(seed)
  const user = makeUser(NAME)
  try {
    const raceMs = full ? 10_000 : 3_000
    const [file, folders] = [await race(user, 'mbox', raceMs), await race(user, 'maildir', raceMs)]
    const careless = await carelessControl(user, 1_000)
    const hostile = await hostileAddresses()
    const trips = { mbox: await roundTrip(user, 'mbox', full ? 400 : 60, random), maildir: await roundTrip(user, 'maildir', full ? 400 : 60, random) }
    const together = await writersTogether(user, full ? 150 : 30)
    const kills = newTally()
    for (let cut = 0; cut < (full ? 60 : 8); cut++) await cutOnce({ user, format: cut % 2 === 0 ? 'mbox' : 'maildir', disk: null, random, tally: kills }, cut)
    const cuts = await powerCuts(full, random)
    const outside = file.outside + folders.outside
    const foreign = trips.mbox + trips.maildir + together.foreign + kills.foreign + cuts.foreign
    const lost = kills.lost + cuts.lost + together.lost
    return {
      passed:
        outside === 0 &&
        careless > 0 &&
        hostile.taken === 0 &&
        foreign === 0 &&
        lost === 0 &&
        cuts.renameLost > 0 &&
        together.delivered > 0 &&
        file.delivered > 0 &&
        folders.delivered > 0,
      figures: {
        writesOutside: outside,
        raceDelivered: `${file.delivered}+${folders.delivered}`,
        raceRefused: `${file.refused}+${folders.refused}`,
        swaps: file.swaps + folders.swaps,
        controlCarelessOutside: careless,
        hostileAddresses: `${hostile.refused}/${hostile.refused + hostile.taken}`,
        roundTripDifferences: trips.mbox + trips.maildir,
        writersTogether: together.delivered,
        kills: full ? 60 : 8,
        cutsExt4: cuts.ext4,
        cutsXfs: cuts.xfs,
        delivered: kills.delivered + cuts.delivered,
        lost,
        foreign,
        duplicates: kills.duplicates + cuts.duplicates,
        controlRenameLost: cuts.renameLost,
      },
    }
  } finally {
    user.remove()
    rmSync(`${user.home}-trap`, { recursive: true, force: true })
  }
})

/** M01: no path from an address. None of these names is a user's. */
async function hostileAddresses(): Promise<{ refused: number; taken: number }> {
  const locals = [
    '../../etc/x',
    'a/b',
    '"."',
    '".."',
    '"a\\\0b"',
    '-rf',
    '%2e%2e',
    '"../../../tmp/x"',
    'x'.repeat(300),
    `${NAME}/../root`,
    `"${NAME}/../root"`,
    `/home/${NAME}`,
    '"|sh"',
    '"~root"',
    '$HOME',
    '*',
    `${NAME} `,
    'con',
    '"Maildir/new"',
    `\\${NAME}`,
  ]
  const folder = makeFolder()
  const port = await freePort()
  const server = await startServer({ port, relayPort: 9, folder, config: { local: { domains: ['host.test'] }, routes: [{ to: 'host.test', via: 'local' }] } })
  let refused = 0
  try {
    for (const local of locals) {
      const client = await BarClient.open({ port })
      await client.say('MAIL FROM:<app@sender.test>')
      const reply = await client.say(`RCPT TO:<${local}@host.test>`)
      if (reply.startsWith('5')) refused++
      client.destroy()
    }
  } finally {
    server.kill('SIGTERM')
    await server.exited
    removeFolder(folder)
  }
  return { refused, taken: locals.length - refused }
}

/** M05, M07: the power goes while both kinds are written to. */
async function powerCuts(full: boolean, random: () => number) {
  const tally = newTally()
  const folder = makeFolder()
  chmodSync(folder, 0o711)
  const cuts = { ext4: full ? 30 : 2, xfs: full ? 10 : 2 }
  let renameLost = 0
  try {
    for (const kind of ['ext4', 'xfs'] as const) {
      const disk = makeDisk(folder, kind, kind === 'ext4' ? 128 : 320)
      const user = makeUser(`${NAME}2`, join(disk.path, 'home'))
      try {
        for (let cut = 0; cut < cuts[kind]; cut++) await cutOnce({ user, format: cut % 2 === 0 ? 'mbox' : 'maildir', disk, random, tally }, cut)
        if (kind === 'ext4') renameLost = await unsyncedControl(disk)
      } finally {
        user.remove()
        disk.unmount()
      }
    }
  } finally {
    removeFolder(folder)
  }
  return { ...tally, ...cuts, renameLost }
}

/** A Maildir whose folder is never synced: the last message must be gone, or the cuts prove nothing. */
async function unsyncedControl(disk: { readonly path: string; cut(): void }): Promise<number> {
  const script = `open(my $f, '>', "$ARGV[0]/t") or die; print $f "accepted\\n"; $f->flush; $f->sync; close $f; rename("$ARGV[0]/t", "$ARGV[0]/m") or die;`
  const child = spawn('perl', ['-MIO::Handle', '-e', script, disk.path], { stdio: 'inherit' })
  await new Promise((resolve) => child.once('exit', resolve))
  disk.cut()
  return existsSync(join(disk.path, 'm')) ? 0 : 1
}
