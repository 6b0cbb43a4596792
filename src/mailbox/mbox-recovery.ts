/**
 * Takes back an append to an mbox that nobody finished: killed, disk full, power cut (M05).
 *
 * The lock says where the mailbox ended and with which line we began. Only what surely is ours goes:
 * the same file, our line at that very place, and no second message behind it, which somebody
 * else may have added since. What is left then is a message cut short, and still a readable mailbox.
 */
import { fstatSync, fsyncSync, ftruncateSync, readSync } from 'node:fs'

export interface AppendRecord {
  /** Of the mailbox. Device numbers may change with a restart. */
  readonly ino: bigint
  /** Where it ended, in octets. */
  readonly end: number
  /** What was written first, in latin1: separating line ends and the From_ line. */
  readonly head: string
}

const READ_OCTETS = 64 * 1024
const RECORD = /^append (\d{1,20}) (\d{1,15}) (\d)\n(From [^\n]*\n)/m

/** Lines of a lock. */
export function formatRecord({ ino, end, head }: AppendRecord): string {
  const line = head.trimStart()
  return `append ${ino} ${end} ${head.length - line.length}\n${line}`
}

/** Null: there is none, or not all of it. */
export function parseRecord(text: string): AppendRecord | null {
  const match = RECORD.exec(text)
  if (match === null) return null
  const [, ino = '', end = '', newlines = '', line = ''] = match
  return { ino: BigInt(ino), end: Number(end), head: '\n'.repeat(Number(newlines)) + line }
}

/** Cuts the mailbox back to its old end. True if there was something to cut. Throws errors of the file system. */
export function takeBack(fd: number, record: AppendRecord): boolean {
  const stat = fstatSync(fd, { bigint: true })
  const size = Number(stat.size)
  if (stat.ino !== record.ino || size <= record.end || !isOurs(fd, record, size)) return false
  ftruncateSync(fd, record.end)
  fsyncSync(fd)
  return true
}

function isOurs(fd: number, record: AppendRecord, size: number): boolean {
  const head = record.head.slice(0, size - record.end)
  if (readText(fd, record.end, head.length) !== head) return false
  let at = record.end + head.length
  // A From_ line may be cut by a block's border: the last octets of a block begin the next one.
  let before = head.slice(-1)
  while (at < size) {
    const text = readText(fd, at, Math.min(READ_OCTETS, size - at))
    if (text === '' || (before + text).includes('\nFrom ')) return false
    at += text.length
    before = (before + text).slice(-6)
  }
  return true
}

function readText(fd: number, at: number, length: number): string {
  const bytes = Buffer.alloc(length)
  let have = 0
  while (have < length) {
    const read = readSync(fd, bytes, have, length - have, at + have)
    if (read === 0) break
    have += read
  }
  return bytes.toString('latin1', 0, have)
}
