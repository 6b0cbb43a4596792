/**
 * `postern rewrite`: what an address becomes, as a tree, and by which rules.
 */
import type { Command } from 'commander'
import type { RewriteExplanation, RewriteNode } from '../admin/api-types.ts'
import { type CliContext, EXIT, print } from './context.ts'
import { escapeText, toJson } from './escape.ts'
import { paint } from './format.ts'
import type { GlobalOptions } from './socket-path.ts'

interface RewriteOptions {
  readonly from?: string
}

export function registerRewrite(program: Command, context: CliContext): void {
  program
    .command('rewrite')
    .description('Say what an address becomes by the rules and aliases in force.')
    .argument('<address>', 'recipient; a name gets the local domain')
    .option('--from <address>', 'say what becomes of this sender, too')
    .addHelpText(
      'after',
      '\nExamples:\n  postern rewrite sales@example.com\n  postern rewrite root\n  postern rewrite you@example.org --from cron@app.example.com',
    )
    .action(async (address: string, options: RewriteOptions, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>()
      const { connectClient } = await import('./client.ts')
      const client = await connectClient(context, globals)
      const answer = await client.get<RewriteExplanation>('/v1/rewrite', { address, from: options.from })
      if (globals.json === true) print(context, toJson(answer, 2))
      else for (const line of describeRewriting(context, answer)) print(context, line)
      context.setExitCode(answer.refusal === null ? EXIT.ok : EXIT.failed)
    })
}

/** The tree, then the sender; one line if nothing is changed. */
export function describeRewriting(context: CliContext, { recipient, refusal, from, sender }: RewriteExplanation): readonly string[] {
  return [
    ...describeNode(context, recipient, ''),
    ...(refusal === null ? [] : [`${paint(context, 'yellow', 'Refused at RCPT:')} ${escapeText(refusal)}`]),
    ...(from === null ? [] : describeSender(context, from, sender)),
  ]
}

function describeSender(context: CliContext, from: string, steps: RewriteExplanation['sender']): readonly string[] {
  if (steps.length === 0) return [`Sender ${escapeText(from)} stays`]
  return [`Sender ${escapeText(from)}`, ...steps.map(({ rule, address }) => `  becomes ${escapeText(address)}  ${paint(context, 'dim', escapeText(rule))}`)]
}

function describeNode(context: CliContext, node: RewriteNode, indent: string): readonly string[] {
  const words = [node.address === '' ? null : escapeText(node.address), node.end === null || node.end === '' ? null : `(${escapeText(node.end)})`]
  const rule = node.rule === null ? '' : `  ${paint(context, 'dim', escapeText(node.rule))}`
  const line = `${indent}${words.filter((word) => word !== null).join(' ')}${rule}`
  return [line, ...node.children.flatMap((child) => describeNode(context, child, `${indent}  `))]
}
