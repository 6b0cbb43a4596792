/**
 * The user database, by `getent`, so that every name service of the system counts.
 *
 * Asked for one name at a time, and only believed if it answers for that very name.
 */
import { execFile } from 'node:child_process'
import { userInfo } from 'node:os'
import type { SystemUser } from './order.ts'
import { USER_NAME } from './place.ts'

/** A directory server that does not answer must not hold up more than this one look-up. */
const LOOKUP_MS = 10_000
const NOT_FOUND = 2
/** All the environment there is for programs of the system: nothing of ours. */
export const SYSTEM_PATH = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }

/** Null: there is none of that name. Rejects if the database cannot be asked. */
export function findSystemUser(name: string): Promise<SystemUser | null> {
  if (!USER_NAME.test(name)) return Promise.resolve(null)
  return new Promise((resolve, reject) => {
    execFile('getent', ['passwd', name], { timeout: LOOKUP_MS, encoding: 'utf8', env: SYSTEM_PATH, cwd: '/' }, (error, output) => {
      if (error === null) resolve(parseEntry(output, name))
      else if (error.code === NOT_FOUND) resolve(null)
      else reject(new Error(`the user database cannot be asked for ${name}: ${error.message.trim()}`))
    })
  })
}

/** A line of /etc/passwd; null: it is not that user's. */
export function parseEntry(output: string, name: string): SystemUser | null {
  const [line = ''] = output.split('\n')
  const fields = line.split(':')
  const [found, , uid = '', gid = '', , home = ''] = fields
  // By number, or in other letters, somebody else would be meant.
  if (found !== name || fields.length < 7 || !/^\d{1,10}$/.test(uid) || !/^\d{1,10}$/.test(gid) || !home.startsWith('/')) return null
  return { name, uid: Number(uid), gid: Number(gid), home }
}

/** The user that runs this process; null: it is not in the user database. */
export function ownUser(): SystemUser | null {
  try {
    const { username, uid, gid, homedir } = userInfo()
    return { name: username, uid, gid, home: homedir }
  } catch {
    // Containers often run as a number that has no name.
    return null
  }
}
