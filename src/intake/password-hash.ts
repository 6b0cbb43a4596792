/**
 * Password hashes: `$scrypt$ln=15,r=8,p=1$SALT$HASH`, base64 without padding (RFC 7914).
 *
 * Asynchronous, in Node's thread pool. How many run at once is the caller's matter.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

interface ScryptHash {
  readonly cost: number
  readonly blockSize: number
  readonly parallelization: number
  readonly salt: Uint8Array
  readonly hash: Uint8Array
}

const LOG_COST = 15
const SALT_OCTETS = 16
const HASH_OCTETS = 32
const FORMAT = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{4,128})={0,2}\$([A-Za-z0-9+/]{22,128})={0,2}$/
/** A configured hash must not be able to take all memory: 2^20 with r=8 takes 1 GiB. */
const MEMORY_OCTETS_MAX = 256 * 1024 * 1024

/** As the configuration wants it; about 80 ms and 32 MiB. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_OCTETS)
  const hash = await derive(password, { cost: 2 ** LOG_COST, blockSize: 8, parallelization: 1, salt, hash: new Uint8Array(HASH_OCTETS) })
  return `$scrypt$ln=${LOG_COST},r=8,p=1$${unpadded(salt)}$${unpadded(hash)}`
}

/** Whether a text is a hash that `verifyPassword` can check. */
export function isPasswordHash(text: string): boolean {
  return parseHash(text) !== null
}

/** False as well for a hash that cannot be read. Takes as long for a wrong password as for the right one. */
export async function verifyPassword(password: string, passwordHash: string): Promise<boolean> {
  const parsed = parseHash(passwordHash)
  if (parsed === null) return false
  return timingSafeEqual(await derive(password, parsed), parsed.hash)
}

function parseHash(text: string): ScryptHash | null {
  const match = FORMAT.exec(text)
  if (match === null) return null
  const [, ln, r, p, salt = '', hash = ''] = match
  const parsed = {
    cost: 2 ** Number(ln),
    blockSize: Number(r),
    parallelization: Number(p),
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  }
  const sound = parsed.cost > 1 && parsed.blockSize > 0 && parsed.parallelization > 0
  return sound && memoryOctets(parsed) <= MEMORY_OCTETS_MAX ? parsed : null
}

function memoryOctets(of: ScryptHash): number {
  return 128 * of.blockSize * (of.cost + of.parallelization + 2)
}

function derive(password: string, of: ScryptHash): Promise<Buffer> {
  const options = { N: of.cost, r: of.blockSize, p: of.parallelization, maxmem: memoryOctets(of) + 1024 }
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), of.salt, of.hash.length, options, (error, derived) => (error === null ? resolve(derived) : reject(error)))
  })
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '')
}
