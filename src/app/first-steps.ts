/**
 * What `postern serve` says on a terminal when it is ready: where it listens, where mail goes, and
 * what to do next. Nothing here decides anything.
 */
import { styleText } from 'node:util'

export interface FirstStepsFacts {
  readonly listeners: readonly string[]
  readonly dataFolder: string
  readonly configFile: string | null
  /** How the command is called here: `npx postern` in a clone, `postern` when installed. */
  readonly command: string
  /** Through what mail leaves the machine: names of relays, `the recipients' own servers`. */
  readonly ways: readonly string[]
  /** Some route leads into mailboxes of this machine. */
  readonly delivers: boolean
  /** Some route keeps mail instead of sending it. */
  readonly captures: boolean
  readonly warnings: readonly string[]
}

export function firstSteps(facts: FirstStepsFacts): string {
  const bold = (text: string): string => styleText('bold', text)
  const [first = 'smtp://127.0.0.1:2525'] = facts.listeners
  const lines = [
    `${bold('Postern is running.')} Hand mail to ${bold(facts.listeners.join(', '))}.`,
    `Queue: ${facts.dataFolder}   Configuration: ${facts.configFile ?? 'none, built-in defaults'}`,
    '',
  ]
  if (facts.ways.length === 0) lines.push(`${bold('Nothing leaves this machine:')} ${whatBecomes(facts)}`, '')
  else lines.push(`Mail leaves through: ${facts.ways.join(', ')}${whatStays(facts)}`, '')
  lines.push(...sample(facts, first))
  for (const warning of facts.warnings) lines.push(styleText('yellow', `Warning: ${warning}`))
  return `${lines.join('\n')}\n`
}

function whatBecomes({ delivers, captures }: FirstStepsFacts): string {
  if (!delivers) return captures ? 'every message is captured and can be read.' : 'every message is held or thrown away, as the routes say.'
  return captures ? 'mail goes into the mailboxes of its users, or is captured and can be read.' : 'mail goes into the mailboxes of its users.'
}

function whatStays({ delivers, captures }: FirstStepsFacts): string {
  const places = [...(delivers ? ['in mailboxes of this machine'] : []), ...(captures ? ['captured'] : [])]
  return places.length === 0 ? '' : `; some stays here, as the routes say: ${places.join(', ')}`
}

function sample(facts: FirstStepsFacts, first: string): string[] {
  const { command } = facts
  const lines = [
    'Send a first mail (in another terminal):',
    `  ${command} test --from jira@example.com --to you@example.com`,
    `  or: printf 'Subject: Hello\\r\\n\\r\\nIt works.\\r\\n' | curl -sS ${first} --mail-from jira@example.com --mail-rcpt you@example.com -T -`,
    'See what became of it:',
    `  ${command} ${facts.ways.length === 0 ? 'captured list' : 'queue list'}`,
    `  ${command} trace you@example.com`,
  ]
  if (facts.configFile === null) {
    lines.push('Deliver for real, through your relay or without one:', `  ${command} init      asks a few questions and writes postern.yaml; then start again`)
  }
  return [...lines, '']
}
