/**
 * Schema of `direct`: delivery to the recipients' own servers, for routes with `via: mx`.
 */
import * as z from 'zod'
import { duration, hostName, ipAddress, parsed } from './config-scalars.ts'
import { sessionLimitsSchema, timeoutsSchema } from './config-schema-relay.ts'
import { parseNetwork } from './config-values.ts'

const side = (family: string) =>
  z
    .strictObject({
      source: ipAddress.optional().describe(`Our ${family} address to connect from. Default: the system's choice.`),
      heloName: hostName.optional().describe(`Name in EHLO over ${family}: the one that the address leads back to. Default: hostname.`),
    })
    .prefault({})
    .describe(`Our side of connections over ${family}.`)

const limits = sessionLimitsSchema(
  { all: 'How much one receiver is asked to do at once.', sessions: 'Most sessions at once with one receiver, however many domains and hosts it has.' },
  '5s',
)

export const directSchema = z
  .strictObject({
    families: z.enum(['auto', 'ipv4', 'ipv6']).default('auto').describe('auto: both, IPv6 first, with a quick change to the other; or one of them only.'),
    ipv4: side('IPv4'),
    ipv6: side('IPv6'),
    allowPrivate: z
      .array(parsed(parseNetwork))
      .max(1000)
      .default([])
      .describe('Networks whose servers may be used although their addresses are private or of this machine. Strangers choose what their MX records say.'),
    ownAddresses: z
      .array(ipAddress)
      .max(1000)
      .default([])
      .describe('Addresses that lead to this machine beyond its own, such as those before a NAT. Mail for servers there loops and is refused.'),
    port: z.int().min(1).max(65_535).default(25).describe('Port of the servers. Anything but 25 is for tests.'),
    fallOver: duration('1s', '5m').default('5s').describe('How long to wait for a connection while another address is left to try.'),
    limits,
    timeouts: timeoutsSchema,
  })
  .prefault({})
  .describe("Delivery to the recipients' own servers, found by their MX records: for routes with via: mx.")
