/**
 * Schema of `limits` and `limitsUnderPressure`: what one client may ask of intake.
 *
 * Under pressure the same rules hold with harsher numbers (Postfix's stress-adaptive limits):
 * what is not given there is taken from `limits`, or from the few harsh defaults.
 */
import * as z from 'zod'
import { duration, size } from './config-scalars.ts'

const shape = {
  messageSize: size(1000, 2_000_000_000).describe('Largest message.'),
  commandLine: size(512, 65_536).describe('Longest command line, an AUTH line included (RFC 4954 §4: 12,288).'),
  textLine: size(1000, 10_000_000).describe('Longest line of content.'),
  header: size(1000, 10_000_000).describe('Largest header of a message.'),
  recipients: z.int().min(1).max(100_000).describe('Most recipients of one transaction; servers must take 100 (RFC 5321 §4.5.3.1.8).'),
  hops: z.int().min(1).max(1000).describe('Most Received lines; a message with more is taken to be in a loop.'),
  connections: z.int().min(1).max(100_000).describe('Most connections at once.'),
  connectionsPerClient: z.int().min(1).max(100_000).describe('Most connections at once of one client address. All applications of this machine share one.'),
  errorsPerSession: z.int().min(1).max(10_000).describe('Refused commands after which a session is closed; a message that is taken begins the count anew.'),
  junkPerSession: z
    .int()
    .min(1)
    .max(100_000)
    .describe('Commands that lead nowhere (NOOP, RSET, VRFY ...) after which a session is closed; a message begins the count anew.'),
  commandTime: duration('1s', '1h').describe('Time for a whole command or line of content, not for a byte (RFC 5321 §4.5.3.2.7: 5 minutes).'),
  authGuessesPerSession: z.int().min(1).max(100).describe('Failed logins after which a session is closed.'),
  authGuessesPerClient: z.int().min(1).max(10_000).describe('Failed logins of one client address in 10 minutes, after which it is sent away.'),
  minRate: size(0, 10_000_000).describe('Least octets of content a second, after the first ten seconds.'),
  sessionTime: duration('10s', '30d').describe('Longest session.'),
} as const

const { shape: described } = z.strictObject(shape)

export const limitsSchema = z
  .strictObject({
    messageSize: described.messageSize.default('50 MB'),
    commandLine: described.commandLine.default('12 KiB'),
    textLine: described.textLine.default('64 KiB'),
    header: described.header.default('100 KiB'),
    recipients: described.recipients.default(1000),
    hops: described.hops.default(50),
    connections: described.connections.default(500),
    connectionsPerClient: described.connectionsPerClient.default(200),
    errorsPerSession: described.errorsPerSession.default(20),
    junkPerSession: described.junkPerSession.default(100),
    commandTime: described.commandTime.default('5m'),
    authGuessesPerSession: described.authGuessesPerSession.default(3),
    authGuessesPerClient: described.authGuessesPerClient.default(10),
    minRate: described.minRate.default(500),
    sessionTime: described.sessionTime.default('12h'),
  })
  .prefault({})
  .describe('What one client may ask for.')

export const limitsUnderPressureSchema = z
  .strictObject({
    ...z.strictObject(described).partial().shape,
    errorsPerSession: described.errorsPerSession.default(1),
    junkPerSession: described.junkPerSession.default(1),
    commandTime: described.commandTime.default('10s'),
  })
  .prefault({})
  .describe('The same limits when nearly all connections are taken or the disk is slow. What is missing here is as under limits.')

export type LimitsConfig = z.output<typeof limitsSchema>
export type LimitsUnderPressureConfig = z.output<typeof limitsUnderPressureSchema>
