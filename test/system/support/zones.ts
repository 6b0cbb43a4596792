/**
 * A DNS of the test's own: Debian's knot serves and signs the zones, unbound validates and answers.
 *
 *   const dns = await startZones({ folder, zones: [{ name: 'good.test', state: 'signed', records: ['@ MX 10 mx', 'mx A 127.0.0.2'] }] })
 *   // config: { dns: dns.config }, which is { servers: ['127.0.0.1:PORT'], validating: true }
 *   await dns.update('good.test', ['@ MX 0 .']); await dns.stop()
 *
 * States: see `ZoneState`. Names outside the zones do not exist (insecurely), the network is never asked. `ptr` makes
 * the reverse zones. Postern keeps answers for their TTL (1 s here); run as root for port 53.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import packet from 'dns-packet'
import { reverseName } from '../../../src/core/reverse-name.ts'
import { anchorOf, updateKnot, writeKnot } from './zones-knot.ts'
import { forgetInUnbound, writeUnbound } from './zones-unbound.ts'

/**
 * `signed`: answers are secure. `unsigned`: insecure. `wrongly-signed`: bogus, SERVFAIL for every name. `servfail`: not
 * signed where it should be, SERVFAIL, too. `refused`: REFUSED. `silent`: no answer at all. A zone below another one covers it: `_tcp.mx.good.test` as
 * `servfail` makes the TLSA look-up of a host fail that is itself secure.
 */
export type ZoneState = 'signed' | 'unsigned' | 'wrongly-signed' | 'servfail' | 'refused' | 'silent'
export interface Zone {
  /** No trailing dot. */
  readonly name: string
  readonly state: ZoneState
  /** Lines of a zone file, relative to the zone, without TTL and class: `@ MX 10 mx`, `mx A 127.0.0.2`. SOA and NS are added. */
  readonly records: readonly string[]
}
export interface ZonesOptions {
  /** For files, logs and sockets; must exist. */
  readonly folder: string
  readonly zones: readonly Zone[]
  /** Names of addresses: `{ '127.0.0.2': 'mx.good.test', '::1': 'six.good.test' }`. */
  readonly ptr?: Readonly<Record<string, string>>
  readonly ttlSeconds?: number
  /** Where the resolver listens; default 127.0.0.1 and a free port. Port 53 is for programs that cannot be told another. */
  readonly listen?: { readonly address?: string; readonly port?: number }
}
export interface Zones {
  /** The validating resolver. */
  readonly address: string
  readonly port: number
  /** For `dns:` of a configuration. */
  readonly config: { readonly servers: readonly [string]; readonly validating: true }
  /** The server that has the zones, without validation, cache or recursion. */
  readonly authority: { readonly address: string; readonly port: number }
  /** New records for a zone; resolves when the resolver tells them. */
  update(zone: string, records: readonly string[]): Promise<void>
  /** Drops and takes up answering, as a resolver that dies and comes back (SIGSTOP would keep its queue). */
  resolverDown(): Promise<void>
  resolverUp(): Promise<void>
  stop(): Promise<void>
}

const LIMIT_MS = 20_000

export async function startZones(options: ZonesOptions): Promise<Zones> {
  const folder = join(options.folder, 'dns')
  mkdirSync(folder, { recursive: true })
  const ttlSeconds = options.ttlSeconds ?? 1
  const address = options.listen?.address ?? '127.0.0.1'
  const authority = { address: '127.0.0.1', port: await freeDnsPort('127.0.0.1') }
  const port = options.listen?.port ?? (await freeDnsPort(address))
  const zones = [...options.zones, ...reverseZones(options.ptr ?? {})]
  const served = zones.filter(isServed)
  writeKnot({ folder, zones: served, ttlSeconds, ...authority })
  const signed = served.filter(({ state }) => state !== 'unsigned')
  const anchors = signed.map((zone) => anchorOf(folder, zone))
  writeUnbound({ folder, zones, anchors, address, port, authorityPort: authority.port })
  const knot = run('/usr/sbin/knotd', ['-c', join(folder, 'knot.conf')])
  const startUnbound = () => run('/usr/sbin/unbound', ['-d', '-p', '-c', join(folder, 'unbound.conf')])
  let unbound = startUnbound()
  const ready = async () => {
    for (const zone of served) await untilAnswer(authority, zone.name, knot)
    for (const zone of served) await untilAnswer({ address, port }, zone.name, unbound)
  }
  const stop = async (): Promise<void> => {
    await Promise.all([ended(knot), ended(unbound)])
  }
  try {
    await ready()
  } catch (fault) {
    await stop()
    throw fault
  }
  return {
    address,
    port,
    config: { servers: [address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`], validating: true },
    authority,
    async update(name, records) {
      const zone = served.find((one) => one.name === name)
      if (zone === undefined) throw new Error(`${name} is not served`)
      updateKnot(folder, { ...zone, records }, ttlSeconds)
      forgetInUnbound(folder, name)
    },
    resolverDown: () => ended(unbound),
    async resolverUp() {
      unbound = startUnbound()
      for (const zone of served) await untilAnswer({ address, port }, zone.name, unbound)
    },
    stop,
  }
}

/** A TXT record's data: in strings of 255 octets, quoted. */
export function txt(text: string): string {
  const strings = text.match(/.{1,255}/gsu) ?? ['']
  return `TXT ${strings.map((one) => `"${one.replace(/["\\]/g, '\\$&')}"`).join(' ')}`
}

function isServed({ state }: Zone): boolean {
  return state !== 'refused' && state !== 'silent'
}

/** One zone of each family, with whole names in it. */
function reverseZones(ptr: Readonly<Record<string, string>>): readonly Zone[] {
  const lines = Object.entries(ptr).map(([address, name]) => {
    const reverse = reverseName(address)
    if (reverse === null) throw new Error(`${address} is no address`)
    return `${reverse}. PTR ${name}.`
  })
  const zone = (name: string): readonly Zone[] => {
    const records = lines.filter((line) => line.includes(`.${name}. `))
    return records.length === 0 ? [] : [{ name, state: 'unsigned', records }]
  }
  return [...zone('in-addr.arpa'), ...zone('ip6.arpa')]
}

/** Free for datagrams and connections. */
async function freeDnsPort(address: string): Promise<number> {
  for (;;) {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    await new Promise<void>((resolve) => socket.bind(0, address, resolve))
    const { port } = socket.address()
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => server.once('error', () => resolve(false)).listen(port, address, () => resolve(true)))
    await new Promise<void>((resolve) => socket.close(resolve))
    if (!free) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}

function run(command: string, argv: readonly string[]): ChildProcess {
  return spawn(command, argv, { stdio: 'ignore' })
}

/** Asks for the SOA until anything but silence or a refusal comes back. */
async function untilAnswer(server: { readonly address: string; readonly port: number }, zone: string, child: ChildProcess): Promise<void> {
  const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4')
  const query = packet.encode({ type: 'query', id: 1, flags: 0x100, questions: [{ name: zone, type: 'SOA' }] })
  const [NO_ERROR, SERVFAIL] = [0, 2]
  let answered = false
  socket.on('error', () => undefined)
  socket.on('message', (bytes) => {
    const code = bytes.readUInt16BE(2) & 0x0f
    // Of a bogus zone the resolver says SERVFAIL, for good.
    answered ||= code === NO_ERROR || (code === SERVFAIL && child.spawnfile.endsWith('unbound'))
  })
  const end = performance.now() + LIMIT_MS
  try {
    while (!answered) {
      if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}; see its log`)
      if (performance.now() > end) throw new Error(`${server.address}:${server.port} does not answer for ${zone}`)
      socket.send(query, server.port, server.address)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  } finally {
    await new Promise<void>((resolve) => socket.close(resolve))
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await exit
  clearTimeout(late)
}
