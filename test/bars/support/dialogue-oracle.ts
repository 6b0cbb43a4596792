/**
 * What a client may believe after a dialogue: replies matched to commands by order alone, as
 * RFC 5321 and RFC 2920 say, whatever the peer meant by them.
 *
 * Fed with every command the peer read and every octet the peer wrote; knows nothing of Postern.
 * `taken`: 2yz to the RCPT, 354 to DATA and 2yz to the final dot, the last one sent after the dot was
 * there. `kept`: the same, or the dot came and no clear answer to it went out (Q04).
 */
export type Step =
  | { readonly kind: 'other' | 'mail' | 'data' | 'reset' }
  | { readonly kind: 'rcpt'; readonly to: string }
  | { readonly kind: 'dot'; readonly id: string }

/** How often, by `takenKey`. */
export interface Ledger {
  readonly taken: Map<string, number>
  readonly kept: Map<string, number>
}
export const takenKey = (id: string, to: string): string => `${id} ${to}`

const LINE = /^([2-5][0-9]{2})(?:([ -]).*)?$/s
const REPLY_OCTETS_MAX = 65_536
const REPLY_LINES_MAX = 100

export class DialogueOracle {
  readonly #ledger: Ledger
  readonly #steps: Step[] = []
  readonly #replies: { readonly code: number; readonly stepsSeen: number }[] = []
  #at = 0
  #over = false
  #pending = ''
  #octets = 0
  #lines = 0
  #code = 0
  #mailTaken = false
  #taken: string[] = []
  #go = false

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  saw(step: Step): void {
    this.#steps.push(step)
    this.#advance()
  }

  said(octets: string): void {
    if (this.#over) return
    this.#pending += octets
    for (let at = this.#pending.indexOf('\n'); at !== -1 && !this.#over; at = this.#pending.indexOf('\n')) {
      const line = this.#pending.slice(0, at)
      this.#pending = this.#pending.slice(at + 1)
      this.#octets += at + 1
      this.#takeLine(line.endsWith('\r') ? line.slice(0, -1) : line)
    }
    if (this.#octets + this.#pending.length > REPLY_OCTETS_MAX) this.#over = true
    this.#advance()
  }

  #takeLine(line: string): void {
    const match = LINE.exec(line)
    const code = Number(match?.[1] ?? 0)
    this.#lines++
    if (match === null || (this.#code !== 0 && this.#code !== code) || this.#octets > REPLY_OCTETS_MAX || this.#lines > REPLY_LINES_MAX) {
      this.#over = true
      return
    }
    this.#code = code
    if (match[2] === '-') return
    this.#replies.push({ code, stepsSeen: this.#steps.length })
    this.#code = 0
    this.#octets = 0
    this.#lines = 0
  }

  /** Nothing more will be said. */
  ended(): void {
    const next = this.#steps[this.#at]
    if (next?.kind === 'dot' && this.#go) this.#count('kept', next.id)
    this.#stop()
  }

  #advance(): void {
    while (this.#at < this.#steps.length && this.#at < this.#replies.length) {
      const step = this.#steps[this.#at] as Step
      const reply = this.#replies[this.#at] as { readonly code: number; readonly stepsSeen: number }
      this.#at++
      this.#answer(step, reply.code, reply.stepsSeen >= this.#at)
      if (reply.code === 421) this.#stop()
    }
  }

  #answer(step: Step, code: number, afterStep: boolean): void {
    const yes = code >= 200 && code < 300
    const no = code >= 400
    if (step.kind === 'other') return
    if (step.kind === 'dot' && this.#go && (yes ? afterStep : !no)) {
      this.#count('kept', step.id)
      if (yes) this.#count('taken', step.id)
    }
    const answers = no || (step.kind === 'data' ? code === 354 : yes)
    if (!answers) this.#stop()
    else if (step.kind === 'mail' || step.kind === 'reset') {
      this.#mailTaken = step.kind === 'mail' && yes
      this.#taken = []
      this.#go = false
    } else if (step.kind === 'rcpt') {
      if (yes && this.#mailTaken) this.#taken.push(step.to)
    } else if (step.kind === 'data') this.#go = code === 354
    else {
      this.#mailTaken = false
      this.#taken = []
      this.#go = false
    }
  }

  #count(column: keyof Ledger, id: string): void {
    const counts = this.#ledger[column]
    for (const key of this.#taken.map((to) => takenKey(id, to))) counts.set(key, (counts.get(key) ?? 0) + 1)
  }

  /** A client in its right mind ends the session here. */
  #stop(): void {
    this.#over = true
    this.#at = Number.MAX_SAFE_INTEGER
  }
}
