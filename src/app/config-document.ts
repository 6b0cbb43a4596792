/**
 * `docs/configuration.md`, made from the schema and the catalogue of problems, so that it cannot
 * go stale: `scripts/make-configuration-doc.ts` writes it, a test compares it.
 */
import { stringify } from 'yaml'
import { CONFIG_PROBLEMS } from './config-errors.ts'
import { configJsonSchema, type SchemaNode } from './config-json-schema.ts'

const HEAD = `# Configuration

<!-- Made by scripts/make-configuration-doc.ts from the schema. Do not edit: change src/app/config-schema*.ts instead. -->

One YAML file. It is looked for as \`--config PATH\`, then \`POSTERN_CONFIG\`, then \`./postern.yaml\`, then
\`/etc/postern/postern.yaml\`. Without any, Postern listens on \`smtp://127.0.0.1:2525\`, keeps its queue in \`./var\`, and
captures all mail: nothing leaves the machine.

| command | does |
|---|---|
| \`postern init\` | asks a few questions and writes the file |
| \`postern config check\` | says everything that is wrong: file, line, key, what is allowed, what to do |
| \`postern config get [KEY]\` | prints what is in force; \`--resolved\` works out what is implied |
| \`postern config set KEY VALUE\`, \`unset KEY\` | changes one key; comments stay; refuses what the schema refuses |
| \`postern config diff\`, \`defaults\` | what differs from the defaults, and the defaults |
| \`postern config schema\` | JSON Schema, for editors |
| \`postern config hash-password\` | reads a password, prints its hash for \`users\` |
| \`postern reload\` | makes a running server read the file again, all or nothing |

**Units.** Durations are numbers with \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`: \`90s\`, \`1h30m\`. Sizes are octets, or numbers with \`KB\`, \`MB\`,
\`GB\` (thousands) or \`KiB\`, \`MiB\`, \`GiB\` (1,024s): \`50 MB\`.

**Paths** that are relative start from the folder of the file.

**Secrets** never stand in the file, only where they are: \`{ file: secrets/google }\` (mode 0600), \`{ env: NAME }\`, or
\`{ credential: NAME }\` (systemd's LoadCredential). A changed password file counts at the next login, without a reload; a changed
DKIM key after a reload.

**Patterns** for addresses: \`user@example.com\`, \`*@example.com\`, \`example.com\` (any user there), \`*.example.com\` (any domain
below), \`<>\` (the null sender), \`*\`. Write those that begin with \`*\` in quotes: for YAML, \`*\` begins an alias.

**Unknown keys** are refused everywhere. Examples: [docs/examples](examples).
`

const PROBLEMS_HEAD = `## What can be wrong

Errors keep the server from starting, and a reload from changing anything; warnings do not. \`postern config check --json\`
gives these codes.

| code | | meaning |
|---|---|---|
`

export function composeConfigDocument(): string {
  const root = configJsonSchema()
  const sections = Object.entries(root.properties ?? {}).map(([key, node]) => section(key, node))
  const problems = Object.entries(CONFIG_PROBLEMS).map(([code, [severity, meaning]]) => `| \`${code}\` | ${severity} | ${meaning} |`)
  return `${HEAD}\n## Keys\n\n${sections.join('\n')}\n${PROBLEMS_HEAD}${problems.join('\n')}\n`
}

function section(key: string, node: SchemaNode): string {
  const rows = rowsBelow(key, node)
  const own = [node.description ?? '', facts(node)].filter((part) => part !== '').join(' ')
  const table = rows.length === 0 ? '' : `\n| key | value | default | |\n|---|---|---|---|\n${rows.join('\n')}\n`
  return `### ${key}\n\n${own}\n${table}`
}

function facts(node: SchemaNode): string {
  const parts = [kindOf(node), node.default === undefined || isEmptyMapping(node.default) ? '' : `default ${code(node.default)}`].filter((part) => part !== '')
  return parts.length === 0 || node.properties !== undefined ? '' : `(${parts.join('; ')})`
}

/** One row for each key below, with the names of lists and records as placeholders. */
function rowsBelow(path: string, node: SchemaNode): readonly string[] {
  const inner = [node, ...(node.anyOf ?? [])]
  return inner.flatMap((each) => [
    ...Object.entries(each.properties ?? {}).flatMap(([key, child]) => row(`${path}.${key}`, child)),
    ...(typeof each.additionalProperties === 'object' ? rowsBelow(`${path}.NAME`, each.additionalProperties) : []),
    ...(each.items === undefined ? [] : rowsBelow(`${path}[]`, each.items)),
  ])
}
function row(path: string, node: SchemaNode): readonly string[] {
  const standard = node.default === undefined || isEmptyMapping(node.default) ? '' : code(node.default)
  const own = `| \`${path}\` | ${cell(kindOf(node))} | ${standard} | ${cell(node.description ?? '')} |`
  return [own, ...rowsBelow(path, node)]
}

function kindOf(node: SchemaNode): string {
  if (node['x-kind'] !== undefined) return node['x-kind']
  if (node.enum !== undefined) return node.enum.map((choice) => `\`${choice}\``).join(' ')
  if (node.const !== undefined) return `\`${node.const}\``
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(kindOf))].join(' or ')
  if (node.items !== undefined) return `list of ${kindOf(node.items)}`
  if (node.minimum !== undefined && node.maximum !== undefined) return `${node.minimum} to ${node.maximum}`
  if (node.properties !== undefined) return 'mapping'
  if (node.additionalProperties !== undefined) return 'mapping by name'
  return node.type === 'boolean' ? 'true or false' : [node.type ?? ''].flat().join(' or ').replace('string', 'text')
}
function isEmptyMapping(value: unknown): boolean {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0
}
function code(value: unknown): string {
  return `\`${cell(stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim())}\``
}
function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
