/**
 * Answers `postern route explain`: the router's own decision, and for direct delivery the servers that
 * a look-up finds now. Nothing is dialled.
 */
import { parseMailbox, parseReversePath } from '../core/address.ts'
import { formatStatus } from '../core/reply.ts'
import { laneOf, type MxHost } from '../core/route.ts'
import { submitterOf } from '../core/submitter.ts'
import type { RouteExplanation, ServerControl } from '../ports/server-control.ts'
import type { DeliveryContext } from './context.ts'
import type { DirectRoutes } from './direct-routes.ts'
import type { RouteQuery } from './router.ts'

export type RouteQuestion = Parameters<ServerControl['explainRoute']>[0]

export async function explainRoute(context: DeliveryContext, direct: DirectRoutes, question: RouteQuestion): Promise<RouteExplanation> {
  const query = queryOf(question)
  const explanation = context.router.explain(query)
  const { route } = context.router.decide(query)
  const mailbox = parseMailbox(question.to, { smtputf8: true })
  if (route.kind !== 'mx' || mailbox === null) return explanation
  const answer = await direct.find(mailbox)
  if (answer.kind === 'found') {
    const { destination } = answer
    return { ...explanation, lane: laneOf(direct.to(route, destination)), hosts: destination.hosts.map(shownHost) }
  }
  const { status, reason } = answer.judgement
  return { ...explanation, lane: laneOf(direct.bind(route, mailbox)), obstacle: `${formatStatus(status)} ${reason}` }
}

function shownHost({ name, preference, addresses, tls }: MxHost): NonNullable<RouteExplanation['hosts']>[number] {
  return { name, preference, addresses: addresses.map(({ address }) => address), tls: tls.level }
}

function queryOf(question: RouteQuestion): RouteQuery {
  const from = question.from === '' ? '<>' : question.from
  const header = question.header.map(([name, value]) => [name.toLowerCase(), value] as const)
  const submitter = question.submitter ?? submitterOf(null, parseReversePath(from, { smtputf8: true }) ?? { kind: 'null' })
  return { from, to: question.to, submitter, header }
}
