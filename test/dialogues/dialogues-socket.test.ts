/**
 * The same dialogues through a socket: a real listener, real time, a store in memory.
 */
import { connect, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRealClock } from '../../src/app/real-clock.ts'
import { formatMailbox, formatReversePath } from '../../src/core/address.ts'
import { createQueueIds } from '../../src/core/queue-id.ts'
import { createIntake, type Intake } from '../../src/intake/intake.ts'
import type { IntakeSettings, ListenerSettings } from '../../src/intake/settings.ts'
import { cheapHash, LIMITS as INTAKE_LIMITS, makeListener, makeSettings, makeUser } from '../intake/harness.ts'
import { LANE } from '../support/make-message.ts'
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts'
import { LIMITS } from '../support/server-session.ts'
import { SILENT_JOURNAL } from '../support/silent-journal.ts'
import { createTestAuthority, type TestAuthority, type TestCertificate } from '../support/test-certificates.ts'
import { waitUntil } from '../support/wait-for-signal.ts'
import { type Dialogue, type DialoguePeer, parseDialogue, playDialogue, readDialogues, type StoredFacts } from './run-dialogues.ts'

const dialogues = readDialogues(dirname(fileURLToPath(import.meta.url)))
/** The policy of these files is made up for the story; intake has its own. */
const hasOwnPolicy = (dialogue: Dialogue): boolean => dialogue.refusals.some(({ what }) => what !== 'auth')
const SAY_NOTHING_MS = 5_000

let authority: TestAuthority
let certificate: TestCertificate
beforeAll(() => {
  authority = createTestAuthority()
  certificate = authority.issue({ names: 'DNS:mx.test' })
})
afterAll(() => authority.remove())

interface Played {
  readonly intake: Intake
  readonly store: MemoryStore
}

async function play(dialogue: Dialogue, bytewise: boolean): Promise<string | null> {
  const played = await startIntake(dialogue)
  const peer = new SocketPeer(played)
  try {
    return await playDialogue(dialogue, peer, bytewise)
  } finally {
    peer.destroy()
    await played.intake.stop(0)
  }
}

async function startIntake(dialogue: Dialogue): Promise<Played> {
  const clock = createRealClock()
  const store = createMemoryStore({ now: clock.now })
  const intake = createIntake({ settings: settingsOf(dialogue), clock, journal: SILENT_JOURNAL, tap: { active: false, line: () => undefined } })
  await intake.bind()
  intake.serve({
    store: store.queue,
    bodies: store.bodies,
    admission: {
      place: (message) => message.envelope.recipients.map(() => ({ kind: 'queued', lane: LANE, dueAt: message.acceptedAt })),
      committed: () => undefined,
      abandoned: () => undefined,
    },
    newQueueId: createQueueIds(clock.now, null),
  })
  return { intake, store }
}

function settingsOf({ settings }: Dialogue): IntakeSettings {
  const isOn = (name: string): boolean => settings.get(name) === 'on'
  const ofSocket: Record<string, number> = { ...LIMITS }
  for (const [name, value] of settings) if (name in LIMITS) ofSocket[name] = Number(value)
  const auth = settings.get('auth') ?? 'off'
  const limits = { ...INTAKE_LIMITS, ...ofSocket }
  const listener: Partial<ListenerSettings> = {
    pipelining: isOn('pipelining'),
    requireTls: isOn('requireTls'),
    requireAuth: isOn('requireAuth'),
    authWithoutTls: auth === 'always',
    tls: isOn('startTls') ? certificate : null,
    bareLineEnds: settings.get('bareLineEnds') === 'normalize' ? 'normalize' : 'refuse',
  }
  const users = auth === 'off' ? [] : [makeUser('u', cheapHash('p'))]
  return makeSettings({ hostname: 'mx.test', listeners: [makeListener(listener)], users, limits, limitsUnderPressure: limits })
}

/** The client's side of one connection. */
class SocketPeer implements DialoguePeer {
  readonly #store: MemoryStore
  #socket: Socket
  #text = ''
  #said: string[] = []
  #ended = false
  #seen = 0

  constructor({ intake, store }: Played) {
    this.#store = store
    const port = Number(/:(\d+)$/.exec(intake.status()[0]?.url ?? '')?.[1])
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true })
    this.#listen(this.#socket)
  }

  send(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()))
  }

  async read(count: number): Promise<readonly string[]> {
    await this.#wait(() => this.#said.length >= count)
    return this.#said.splice(0, count)
  }

  async rest(): Promise<readonly string[]> {
    this.#socket.end()
    await this.#wait(() => false)
    return this.#said
  }

  async startTls(): Promise<void> {
    const plain = this.#socket
    plain.removeAllListeners()
    const secure = connectTls({ socket: plain, rejectUnauthorized: false })
    this.#socket = secure
    this.#listen(secure)
    await new Promise<void>((resolve, reject) => {
      secure.once('secureConnect', resolve)
      secure.once('close', () => reject(new Error('no handshake')))
    })
  }

  stored(): StoredFacts | null {
    const message = [...this.#store.state.messages.values()][this.#seen++]
    if (message === undefined) return null
    const { envelope, bodyRef } = message
    return {
      from: formatReversePath(envelope.reversePath),
      to: envelope.recipients.map(({ forwardPath }) => formatMailbox(forwardPath)),
      // Intake puts an empty line before content without a header; no dialogue begins with one.
      content: Buffer.concat(this.#store.state.contents.get(bodyRef)?.chunks ?? [])
        .toString('latin1')
        .replace(/^\r\n/, ''),
    }
  }

  async closed(): Promise<string | null> {
    await this.#wait(() => false)
    return this.#ended ? 'closed' : null
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Ends without it, too, when the server says nothing any more. */
  async #wait(condition: () => boolean): Promise<void> {
    await waitUntil(() => this.#ended || condition(), 'the server', SAY_NOTHING_MS).catch(() => undefined)
  }

  #listen(socket: Socket): void {
    const over = () => {
      this.#ended = true
    }
    socket.on('data', (bytes: Buffer) => {
      const lines = `${this.#text}${bytes.toString('latin1')}`.split('\r\n')
      this.#text = lines.pop() ?? ''
      this.#said.push(...lines)
    })
    socket.on('error', over)
    socket.on('end', over)
    socket.on('close', over)
  }
}

describe('dialogues through a socket', () => {
  const played = dialogues.filter((dialogue) => !hasOwnPolicy(dialogue))
  it('are all but those whose policy no server has', () => {
    expect(dialogues.filter(hasOwnPolicy).map(({ name }) => name)).toEqual(['data-refused.smtp', 'policy-421.smtp', 'policy-refusals.smtp'])
  })
  for (const dialogue of played) {
    it(`${dialogue.name}: ${dialogue.story}`, async () => {
      expect(await play(dialogue, false)).toBeNull()
      if (!dialogue.onlyWhole) expect(await play(dialogue, true)).toBeNull()
    })
  }
})

describe('the socket', () => {
  const greeting = 'S: 220 *\n'
  const failures: readonly (readonly [name: string, text: string, fault: RegExp])[] = [
    ['another reply', `${greeting}C: NOOP\nS: 251 *`, /x:3: wanted "251 \*", the server said "250 2.0.0 Ok"/],
    ['a reply too many', `${greeting}C: NOOP`, /also said "250/],
    ['a message that is not there', `${greeting}STORED u@y v@z: x`, /there is null/],
  ]
  it.each(failures)('shows %s', async (_, text, fault) => {
    expect(await play(parseDialogue('x', text), false)).toMatch(fault)
  })
})
