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
import { tlsDemandFor } from './tls-demand.ts'

export type RouteQuestion = Parameters<ServerControl['explainRoute']>[0]

export async function explainRoute(context: DeliveryContext, direct: DirectRoutes, question: RouteQuestion): Promise<RouteExplanation> {
  const query = queryOf(question)
  const mailbox = parseMailbox(question.to, { smtputf8: true })
  const { tlsDemands } = context.settings
  const demand = tlsDemands === undefined ? null : tlsDemandFor(tlsDemands, { ...query, requireTls: false })
  const { route } = context.router.decide(query)
  const bound = mailbox === null ? route : direct.bind(route, mailbox, demand)
  const tlsDemand = bound.kind === 'relay' || bound.kind === 'mx' ? bound.tlsDemand : undefined
  const explanation = { ...context.router.explain(query), ...(tlsDemand === undefined ? {} : { tlsDemand }) }
  if (bound.kind !== 'mx' || mailbox === null) return explanation
  const answer = await direct.find(mailbox, tlsDemand)
  if (answer.kind === 'found') {
    const { destination } = answer
    const { closed } = destination
    const lane = laneOf(direct.to(bound, destination))
    return { ...explanation, lane, hosts: destination.hosts.map(shownHost), ...(closed === undefined ? {} : { closed }) }
  }
  const { status, reason } = answer.judgement
  return { ...explanation, lane: laneOf(bound), obstacle: `${formatStatus(status)} ${reason}` }
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
