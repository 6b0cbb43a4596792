import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { leavesTheMachine } from '../../src/app/doctor-at-start.ts'
import { mountOf, openFilesLimit, storageFacts } from '../../src/app/doctor-machine.ts'
import type { DeliverySettings } from '../../src/delivery/settings.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const MOUNTINFO = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw,errors=remount-ro
30 22 0:26 / /run rw,nosuid,nodev shared:5 - tmpfs tmpfs rw,size=800000k
41 22 8:17 / /var/lib rw,noatime shared:9 - xfs /dev/sdb1 rw,nobarrier
42 41 0:50 / /var/lib/my\\040queue rw - nfs4 server:/export rw,vers=4.2
`

describe('the mount of a folder', () => {
  it.each([
    ['/home/postern/var', 'ext4'],
    ['/var/lib/postern', 'xfs'],
    ['/var/library', 'ext4'],
    ['/var/lib', 'xfs'],
    ['/var/lib/my queue/postern', 'nfs4'],
    ['/run/x', 'tmpfs'],
  ])('of %s is %s', (path, fileSystem) => {
    expect(mountOf(path, MOUNTINFO)?.fileSystem).toBe(fileSystem)
  })

  it('tells the options of the mount and of the file system', () => {
    expect(mountOf('/var/lib/postern', MOUNTINFO)?.options).toEqual(['rw', 'noatime', 'rw', 'nobarrier'])
  })

  it('is not known where nobody says', () => {
    expect(mountOf('/var', '')).toBeNull()
  })
})

describe('the folder of the queue', () => {
  const ask = (folder: string) => storageFacts({ folder, messageOctetsMax: 50_000_000, serverRuns: false, user: null })

  it('may not be there yet', () => {
    expect(ask(join(makeTempFolder(), 'none'))).toBeNull()
  })

  it.each([
    [1, 'rollback'],
    [2, 'wal'],
  ])('has a queue whose file says %i, which is %s', (version, journalMode) => {
    const folder = makeTempFolder()
    const header = Buffer.alloc(100)
    header.fill(version, 18, 20)
    writeFileSync(join(folder, 'queue.db'), header)
    expect(ask(folder)?.journalMode).toBe(journalMode)
  })

  it('without a queue, or with half of one, tells no mode', () => {
    const folder = makeTempFolder()
    expect(ask(folder)?.journalMode).toBeNull()
    writeFileSync(join(folder, 'queue.db'), 'SQLite')
    expect(ask(folder)?.journalMode).toBeNull()
  })

  it('has room, and can be written', () => {
    const folder = makeTempFolder()
    mkdirSync(join(folder, 'x'))
    const facts = ask(folder)
    expect(facts).toMatchObject({ writeFault: null, serverRuns: false })
    expect(facts?.freeOctets).toBeGreaterThan(0)
  })
})

describe('the limit of open files', () => {
  it('is that of this program where no server runs', () => {
    expect(openFilesLimit(null)).toBeGreaterThan(0)
  })
  it('is unknown for a program that is gone', () => {
    expect(openFilesLimit(2 ** 22 + 1)).toBeNull()
  })
})

describe('whether mail leaves the machine', () => {
  const settings = (routes: readonly object[], hosts: readonly string[] = []) =>
    ({
      delivery: { routes: routes.map((target) => ({ target })), relays: new Map([['r', { settings: { hosts: hosts.map((host) => ({ host })) } }]]) },
    }) as unknown as { readonly delivery: DeliverySettings }

  it.each([
    ['captured', settings([{ kind: 'capture' }]), false],
    ['held', settings([{ kind: 'hold', reason: 'x' }]), false],
    ['relayed to this machine', settings([{ kind: 'relay', relay: 'r' }], ['127.0.0.1', 'localhost', '[::1]']), false],
    ['relayed elsewhere', settings([{ kind: 'relay', relay: 'r' }], ['127.0.0.1', 'smtp.example.com']), true],
    ['delivered directly', settings([{ kind: 'capture' }, { kind: 'mx' }]), true],
  ])('when it is %s', (_, made, leaves) => {
    expect(leavesTheMachine(made)).toBe(leaves)
  })
})
