/**
 * A file that takes up space so that there is some to give back: on a full disk it is removed to
 * let settlements through, and written again before new mail is taken.
 */
import { closeSync, fsyncSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { freeOctets } from '../../folder.ts'

/** About a thousand settlements, log and checkpoint together. */
const RESERVE_OCTETS = 4 * 1024 * 1024
/** Beside the reserve there has to be room for this much, written once to be sure, before new mail is taken again. */
const PROBE_OCTETS = 1024 * 1024
/** And for this much by what the file system says, so that it is not refused again at once. */
const ROOM_OCTETS = 16 * 1024 * 1024

export interface Reserve {
  /** Removes it; false: there was none left. */
  spend(): boolean
  /** Makes it whole again; false: there is still no room for it and some mail beside it. */
  /** `unusedOctets`: what the database can take up without growing. */
  refill(unusedOctets: number): boolean
}

export function createReserve(path: string): Reserve {
  return {
    spend() {
      try {
        unlinkSync(path)
        return true
      } catch {
        // Spent already, or the file system refuses even that: the caller gives up.
        return false
      }
    },
    refill: (unusedOctets) => freeOctets(dirname(path)) + unusedOctets >= ROOM_OCTETS && fill(path, RESERVE_OCTETS) && hasRoom(`${path}.probe`),
  }
}

function hasRoom(path: string): boolean {
  const room = fill(path, PROBE_OCTETS)
  removeQuietly(path)
  return room
}

function fill(path: string, octets: number): boolean {
  try {
    if (statSync(path).size === octets) return true
  } catch {
    // Not there: written below.
  }
  try {
    writeWhole(path, octets)
    return true
  } catch {
    // No space yet; a part of the file must not take up what settlements need.
    removeQuietly(path)
    return false
  }
}

function writeWhole(path: string, octets: number): void {
  const fd = openSync(path, 'w', 0o600)
  try {
    const zeros = Buffer.alloc(256 * 1024)
    for (let at = 0; at < octets; ) at += writeSync(fd, zeros, 0, Math.min(zeros.byteLength, octets - at))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It is not there, which is what was wanted.
  }
}
