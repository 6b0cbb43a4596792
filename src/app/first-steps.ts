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
  /** Ways that routes use: names of relays, `the recipients' own servers`. */
  readonly ways: readonly string[]
  readonly capturing: boolean
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
  if (facts.capturing) lines.push(`${bold('Nothing leaves this machine:')} every message is captured and can be read.`, '')
  else lines.push(`Mail leaves through: ${facts.ways.join(', ')}`, '')
  lines.push(...sample(facts, first))
  for (const warning of facts.warnings) lines.push(styleText('yellow', `Warning: ${warning}`))
  return `${lines.join('\n')}\n`
}

function sample(facts: FirstStepsFacts, first: string): string[] {
  const { command } = facts
  const lines = [
    'Send a first mail (in another terminal):',
    `  ${command} test --from jira@example.com --to you@example.com`,
    `  or: printf 'Subject: Hello\\r\\n\\r\\nIt works.\\r\\n' | curl -sS ${first} --mail-from jira@example.com --mail-rcpt you@example.com -T -`,
    'See what became of it:',
    `  ${command} ${facts.capturing ? 'captured list' : 'queue list'}`,
    `  ${command} trace you@example.com`,
  ]
  if (facts.configFile === null) {
    lines.push('Deliver for real, through your relay or without one:', `  ${command} init      asks a few questions and writes postern.yaml; then start again`)
  }
  return [...lines, '']
}
