/**
 * The machine: the folder of the queue and its disk, open files, listeners, the configuration's warnings.
 */
import { type Finding, findings, SERVER_GROUP } from './finding.ts'
import type { ListenerSubject, StorageFacts, Subject } from './subject.ts'

/** File systems that live elsewhere: locks and syncs are not ours to trust. */
const REMOTE =
  /^(?:nfs4?|cifs|smb\w*|9p|ceph|glusterfs|lustre|afs|gpfs|ocfs2|gfs2|vboxsf|prl_fs|vmhgfs|drvfs|fuse\.(?:sshfs|glusterfs|ceph.*|s3fs|gcsfuse|rclone|vmhgfs-fuse|grpcfuse|osxfs))$/
/** Gone with the container or the machine. */
const OVERLAY = /^(?:overlay|overlayfs|aufs|fuse\.fuse-overlayfs)$/
const IN_MEMORY = /^(?:tmpfs|ramfs)$/
const FREE_SHARE_MIN = 0.05
const FREE_INODES_MIN = 1_000
/** Room for so many of the largest messages. */
const LARGEST_MESSAGES = 20

export function checkStore({ facts }: Subject): readonly Finding[] {
  const say = findings('store', SERVER_GROUP)
  const { storage } = facts
  if (storage === null) return [say.skipped('the folder of the queue does not exist yet: it is made at the first start')]
  const { folder, fileSystem, mountOptions } = storage
  const list: Finding[] = []
  if (storage.writeFault !== null)
    list.push(say.fault(`${folder} cannot be written: ${storage.writeFault}`, 'Give it to the user that the server runs as (`user`).'))
  if (fileSystem !== null) list.push(...judgeFileSystem(folder, fileSystem))
  const unsafe = mountOptions.filter((option) => /^(?:nobarrier|barrier=0|data=writeback)$/.test(option))
  if (unsafe.length > 0) list.push(say.warning(`the disk of ${folder} is mounted with ${unsafe.join(', ')}: a power cut may lose mail`, 'Mount it without.'))
  if (storage.journalMode === 'rollback') list.push(say.warning('the queue is not in WAL mode', 'Start the server once: it sets it.'))
  if (list.length > 0) return list
  const settings = storage.serverRuns ? '; the running server has read its durable settings back' : ''
  return [say.ok(`${folder} is on ${fileSystem ?? 'a local file system'}${settings}`)]
}

function judgeFileSystem(folder: string, fileSystem: string): readonly Finding[] {
  const say = findings('store', SERVER_GROUP)
  if (REMOTE.test(fileSystem)) {
    return [say.fault(`${folder} is on a network file system (${fileSystem}): accepted mail may be lost there`, 'Move `data` to a disk of this machine.')]
  }
  if (OVERLAY.test(fileSystem))
    return [say.fault(`${folder} is on ${fileSystem}: the queue is gone when the container is removed`, 'Mount a volume for `data`.')]
  if (IN_MEMORY.test(fileSystem)) return [say.fault(`${folder} is on ${fileSystem}: the queue is gone when the machine restarts`, 'Move `data` to a disk.')]
  if (fileSystem !== 'fuse' && !fileSystem.startsWith('fuse.')) return []
  return [
    say.warning(`${folder} is on ${fileSystem}: whether it keeps what it was given, only its program knows`, 'Better move `data` to a disk of this machine.'),
  ]
}

export function checkDisk({ facts }: Subject): readonly Finding[] {
  const say = findings('disk', SERVER_GROUP)
  const { storage } = facts
  if (storage === null) return [say.skipped('the folder of the queue does not exist yet')]
  const found = [...judgeSpace(storage), ...judgeInodes(storage)]
  return found.length > 0 ? found : [say.ok(`${gigabytes(storage.freeOctets)} free for the queue`)]
}

function judgeSpace({ freeOctets, totalOctets, messageOctetsMax, folder }: StorageFacts): readonly Finding[] {
  const say = findings('disk', SERVER_GROUP)
  if (freeOctets < messageOctetsMax)
    return [say.fault(`${gigabytes(freeOctets)} free in ${folder}: less than one message of the largest size`, 'Free some space.')]
  if (freeOctets < totalOctets * FREE_SHARE_MIN && freeOctets < messageOctetsMax * LARGEST_MESSAGES) {
    return [say.warning(`only ${gigabytes(freeOctets)} free in ${folder}`, 'Free some space before the queue needs it.')]
  }
  return []
}

function judgeInodes({ freeInodes, totalInodes, folder }: StorageFacts): readonly Finding[] {
  // File systems such as btrfs have no fixed number and say 0.
  if (totalInodes === 0 || freeInodes >= FREE_INODES_MIN) return []
  return [findings('disk', SERVER_GROUP).fault(`only ${freeInodes} inodes free in ${folder}`, 'Remove files that nobody needs.')]
}

function gigabytes(octets: number): string {
  return octets >= 1e9 ? `${(octets / 1e9).toFixed(1)} GB` : `${Math.round(octets / 1e6)} MB`
}

export function checkOpenFiles({ facts }: Subject): readonly Finding[] {
  const say = findings('open-files', SERVER_GROUP)
  const { limit, wanted } = facts.openFiles
  if (limit === null) return [say.skipped('the limit of open files is not known here')]
  if (limit < wanted) {
    return [
      say.warning(
        `${limit} open files are allowed, ${wanted} may be needed with all connections in use`,
        'Raise it: LimitNOFILE= in the systemd unit, or ulimit -n.',
      ),
    ]
  }
  return [say.ok(`${limit} open files are allowed, ${wanted} may be needed`)]
}

export function checkListeners({ facts }: Subject): readonly Finding[] {
  return facts.listeners.map((listener) => judgeListener(listener, facts.networks))
}

function judgeListener({ url, loopback, requireAuth }: ListenerSubject, networks: readonly string[]): Finding {
  const say = findings('listener', SERVER_GROUP)
  if (loopback) return say.ok(`${url} can be reached from this machine only`)
  const anywhere = networks.find(isNearlyEverybody)
  if (anywhere !== undefined && !requireAuth) {
    return say.fault(`${url} relays for everybody: networks has ${anywhere}`, 'Take it out of `networks`: spammers find such servers within hours.')
  }
  const foreign = networks.filter((network) => !network.startsWith('127.') && !network.startsWith('::1'))
  const who = requireAuth ? 'whoever logs in' : ['whoever logs in', ...foreign].join(', ')
  return say.warning(`${url} can be reached from other machines; mail is taken from ${who}`, 'Listen on 127.0.0.1 if only this machine sends.')
}

/** Wider than any network that somebody can own. */
function isNearlyEverybody(network: string): boolean {
  const [address = '', bits] = network.split('/')
  return bits !== undefined && Number(bits) < (address.includes(':') ? 16 : 8)
}

export function checkConfiguration({ facts }: Subject): readonly Finding[] {
  const say = findings('configuration', SERVER_GROUP)
  if (facts.configWarnings.length === 0) return [say.ok('the configuration gives no reason for a warning')]
  return facts.configWarnings.map(({ text, remedy }) => say.warning(text, remedy))
}
