/**
 * What becomes of root's mail, and which domains are ours, as the running server would decide it.
 *
 * Asks the rewriter and the router themselves; the tables are read once, and not watched.
 */
import type { Clock } from '../core/clock.ts'
import type { Route } from '../core/route.ts'
import { createRouter } from '../delivery/router.ts'
import type { LocalSubject, RootMail } from '../doctor/subject.ts'
import type { RewriteNode } from '../ports/server-control.ts'
import { explainRewriting } from './explain-rewriting.ts'
import { createRewriting } from './rewriting.ts'
import type { ServerSettings } from './settings.ts'

export function localFacts(settings: ServerSettings, clock: Clock): LocalSubject {
  const rewriting = createRewriting(settings.rewrite, { clock, journal: { note: () => undefined } })
  try {
    const explained = explainRewriting(rewriting.rewriter(), { address: 'root', from: null })
    const router = createRouter(settings.delivery, rewriting.localMail)
    const routeOf = (to: string): Route => router.decide({ from: '', to, submitter: '', header: [] }).route
    const domains = [...(settings.rewrite.local?.domains ?? [])]
    if (explained === null) return { domains, root: { kind: 'no-domain' } }
    if (explained.refusal !== null) return { domains, root: { kind: 'lost', why: `refused: ${explained.refusal}` } }
    return { domains, root: fateOf(leavesOf(explained.recipient), routeOf) }
  } finally {
    rewriting.close()
  }
}

function leavesOf(node: RewriteNode): readonly RewriteNode[] {
  return node.children.length === 0 ? [node] : node.children.flatMap(leavesOf)
}

/** One way that ends well is enough: somebody gets it. */
function fateOf(leaves: readonly RewriteNode[], routeOf: (to: string) => Route): RootMail {
  const unavailable = leaves.find(({ kind }) => kind === 'unavailable')
  if (unavailable !== undefined) return { kind: 'lost', why: unavailable.end ?? '' }
  const ends = leaves.filter(({ kind }) => kind === 'mailbox' || kind === 'local-user').map(({ address }) => endOf(address, routeOf(address)))
  const good = ends.flatMap((end) => (end.kind === 'goes' ? end.to : []))
  return good.length > 0 ? { kind: 'goes', to: [...new Set(good)] } : (ends[0] ?? { kind: 'lost', why: 'it becomes no address' })
}

function endOf(address: string, route: Route): RootMail {
  switch (route.kind) {
    case 'mailbox':
      if (route.user === 'root') return { kind: 'lost', why: 'it is not delivered to root, and waits until it expires' }
      return route.user === null ? { kind: 'lost', why: `${address} is nobody's mailbox` } : { kind: 'goes', to: [`the mailbox of ${route.user}`] }
    case 'hold':
      return { kind: 'lost', why: `it is held: ${route.reason}` }
    case 'discard':
      return { kind: 'lost', why: 'it is thrown away' }
    case 'capture':
      return { kind: 'goes', to: ['captured mail, to be read here'] }
    default:
      return { kind: 'goes', to: [address] }
  }
}
