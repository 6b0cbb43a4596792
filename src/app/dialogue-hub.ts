/**
 * Hands SMTP dialogue lines to whoever watches, and costs nothing while nobody does.
 *
 * A watcher that throws or is slow loses lines; mail never waits for it.
 */
import { compileGlob } from '../core/pattern.ts'
import type { DialogueLine, DialogueTap } from '../ports/journal.ts'
import type { DialogueFilter } from '../ports/server-control.ts'

export interface DialogueHub extends DialogueTap {
  /** Calls back for each matching line until the returned function is called. */
  watch(filter: DialogueFilter, line: (line: DialogueLine) => void): () => void
}

export function createDialogueHub(): DialogueHub {
  const watchers = new Set<(line: DialogueLine) => void>()
  return {
    get active() {
      return watchers.size > 0
    },
    line(line) {
      for (const watcher of watchers) watcher(line)
    },
    watch(filter, callback) {
      const matches = compileFilter(filter)
      const watcher = (line: DialogueLine): void => {
        if (matches(line)) callback(line)
      }
      watchers.add(watcher)
      return () => {
        watchers.delete(watcher)
      }
    },
  }
}

function compileFilter(filter: DialogueFilter): (line: DialogueLine) => boolean {
  const isPeer = filter.relay === null ? null : compilePeer(filter.relay.toLowerCase())
  const from = filter.from === null ? null : compileGlob(filter.from)
  const to = filter.to === null ? null : compileGlob(filter.to)
  return (line) => {
    if (isPeer !== null && !isPeer(line)) return false
    if (filter.queueId !== null && line.queueId !== filter.queueId) return false
    if (from !== null && (line.from === undefined || !from(line.from))) return false
    return to === null || line.to.some(to)
  }
}

/** A relay (`google`), one of its logins (`google/jira`), a lane (`smtp:google/jira`), or part of a listener's URL. */
function compilePeer(name: string): (line: DialogueLine) => boolean {
  const relay = name.replace(/^smtp:(?!\/\/)/, '').replace(/\/-$/, '')
  return ({ side, peer }) => {
    const theirs = peer.toLowerCase()
    return side === 'intake' ? theirs.includes(name) : theirs === relay || theirs.startsWith(`${relay}/`)
  }
}
