/**
 * What a DKIM signature costs: CPU of all threads and of the main one, for a message of so many octets.
 *
 *   node bench/dkim-cost.ts [OCTETS]     (4096 unless told otherwise)
 *
 * Signs as intake does: content in one piece, prefix at the end, ten messages at a time.
 */
import { generateKeyPairSync } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { createSigner } from '../src/app/signer.ts'
import type { EpochMs } from '../src/core/brand.ts'
import type { Clock } from '../src/core/clock.ts'
import { signedNames } from '../src/message/dkim-fields.ts'
import type { DkimKey } from '../src/message/dkim-keyring.ts'

const AT_A_TIME = 10
const WARM_UP = 1500
const MESSAGES = 2000

const clock: Clock = { now: () => Date.now() as EpochMs, monotonicMs: () => performance.now(), after: () => () => undefined }
const PREFIX = Buffer.from(
  'Received: from app.example.com ([127.0.0.1])\r\n\tby mail.example.com with ESMTP id 0B0REF00000\r\n\tfor <ann@receiver.example>;\r\n\tSun, 22 Nov 2026 18:00:00 +0000\r\nDate: Sun, 22 Nov 2026 18:00:00 +0000\r\nMessage-ID: <0B0REF00000@mail.example.com>\r\n',
)
const HEADER =
  'From: Jira <jira@example.com>\r\nTo: Ann <ann@receiver.example>\r\nSubject: [JIRA] (ABC-123) The build is broken again\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\nList-Unsubscribe: <https://example.com/u/1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nPrecedence: bulk\r\nAuto-Submitted: auto-generated\r\n\r\n'

function message(octets: number, line: string): Buffer {
  return Buffer.from((HEADER + line.repeat(Math.ceil(octets / line.length))).slice(0, octets - 2).concat('\r\n'))
}

function keyOf(type: 'rsa' | 'ed25519', bits = 2048): DkimKey {
  const { privateKey } = type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: bits }) : generateKeyPairSync('ed25519')
  return { domain: 'example.com', selector: type, type, key: privateKey, active: true, notBefore: null, notAfter: null }
}

async function measure(name: string, keys: readonly DkimKey[], content: Buffer): Promise<void> {
  const keyring = { domains: new Map([['example.com', keys]]), defaultDomain: null, subdomains: true }
  const signer = createSigner({ keyring, names: signedNames([]), validMs: null, onFailure: 'refuse' }, { clock, journal: { note: () => undefined } })
  const one = async (): Promise<void> => {
    const pass = signer.begin()
    if (pass === null) throw new Error('there are keys')
    pass.push(content)
    await pass.sign(PREFIX)
  }
  const many = async (count: number): Promise<void> => {
    let left = count
    const worker = async (): Promise<void> => {
      while (left-- > 0) await one()
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, worker))
  }
  await many(WARM_UP)
  const count = content.length > 100_000 ? MESSAGES / 10 : MESSAGES
  const cpu = process.cpuUsage()
  const main = process.threadCpuUsage()
  const from = performance.now()
  await many(count)
  const wallMs = performance.now() - from
  const { user, system } = process.cpuUsage(cpu)
  const own = process.threadCpuUsage(main)
  const each = (micros: number): string => (micros / 1000 / count).toFixed(3).padStart(8)
  console.log(
    `${name.padEnd(26)}${each(user + system)} ms CPU${each(own.user + own.system)} ms of it main thread${(count / (wallMs / 1000)).toFixed(0).padStart(8)} messages/s`,
  )
}

const octets = Number(process.argv[2] ?? 4096)
const text = message(octets, 'The quick brown fox jumps over the lazy dog, again and again.\r\n')
const html = message(octets, '    <td>\tThe quick  brown fox</td>  \r\n\r\n')
console.log(`one message of ${octets} octets, ${AT_A_TIME} at a time, Node ${process.version}`)
const rsa = keyOf('rsa')
await measure('rsa-2048, text', [rsa], text)
await measure('rsa-2048, indented HTML', [rsa], html)
await measure('rsa-3072, text', [keyOf('rsa', 3072)], text)
await measure('ed25519, text', [keyOf('ed25519')], text)
await measure('rsa-2048 and ed25519, text', [rsa, keyOf('ed25519')], text)
await measure('no key for this domain', [{ ...rsa, active: false }], text)
