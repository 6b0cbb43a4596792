/**
 * The listeners that are open, changed all or nothing: new ones are opened first, and only when
 * all of them listen are the ones that are no longer wanted closed.
 */
import type { Socket } from 'node:net'
import { Listener } from './listener.ts'
import type { ListenerSettings } from './settings.ts'

export interface ListenerSetParts {
  /** `key` is the url of the settings. */
  readonly onConnection: (socket: Socket, key: string) => void
  readonly onFault: (key: string, error: Error) => void
}

export class ListenerSet {
  readonly #parts: ListenerSetParts
  #open = new Map<string, Listener>()

  constructor(parts: ListenerSetParts) {
    this.#parts = parts
  }

  /** Compares by url; an open one is kept as it is. Rejects and changes nothing if one cannot be opened. */
  async change(wanted: readonly ListenerSettings[]): Promise<void> {
    const next = new Map<string, Listener>()
    const opened: Listener[] = []
    try {
      for (const settings of wanted) {
        const kept = this.#open.get(settings.url)
        const listener = kept ?? this.#make(settings)
        if (kept === undefined) {
          await listener.open()
          opened.push(listener)
        }
        next.set(settings.url, listener)
      }
    } catch (fault) {
      for (const listener of opened) listener.close()
      throw fault
    }
    for (const [key, listener] of this.#open) if (!next.has(key)) listener.close()
    this.#open = next
  }

  close(): void {
    for (const listener of this.#open.values()) listener.close()
  }

  /** `url` has the port that is really in use. */
  all(): readonly { readonly key: string; readonly url: string }[] {
    return [...this.#open].map(([key, listener]) => ({ key, url: listener.url }))
  }

  #make(settings: ListenerSettings): Listener {
    return new Listener({ settings, onConnection: (socket) => this.#parts.onConnection(socket, settings.url), onFault: this.#parts.onFault })
  }
}
