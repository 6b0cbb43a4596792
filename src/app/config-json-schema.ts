/**
 * The schema as JSON Schema: for editors, for the generated document, and to ask which keys there are.
 */
import * as z from 'zod'
import type { KeyPath } from './config-path.ts'
import { configSchema } from './config-schema.ts'

/** The part of JSON Schema that we use. */
export interface SchemaNode {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly additionalProperties?: SchemaNode | boolean
  readonly required?: readonly string[]
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly 'x-kind'?: string
}

/** The schema as JSON Schema, for editors, documents and suggestions. */
export function configJsonSchema(): SchemaNode {
  return z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as SchemaNode
}

/** What the schema says of a key, all alternatives in one; null: there is no such key. */
export function schemaAt(path: KeyPath): SchemaNode | null {
  const nodes = alternativesAt(path)
  return nodes.length === 0 ? null : (Object.assign({}, ...nodes) as SchemaNode)
}

/** Each form that the value may take (text, list, mapping); empty: there is no such key. */
export function alternativesAt(path: KeyPath): readonly SchemaNode[] {
  let nodes: readonly SchemaNode[] = alternatives(configJsonSchema())
  for (const step of path) nodes = nodes.flatMap((node) => below(node, step)).flatMap(alternatives)
  return nodes
}
function below(node: SchemaNode, step: string | number): readonly SchemaNode[] {
  if (typeof step === 'number' && node.items !== undefined) return [node.items]
  const property = node.properties !== undefined && Object.hasOwn(node.properties, step) ? node.properties[step] : undefined
  if (property !== undefined) return [property]
  return typeof node.additionalProperties === 'object' ? [node.additionalProperties] : []
}
function alternatives(node: SchemaNode): readonly SchemaNode[] {
  const { anyOf, oneOf, ...own } = node
  const inner = anyOf ?? oneOf
  return inner === undefined ? [node] : [own, ...inner.flatMap(alternatives)]
}

/** Names that may stand in the mapping at this path. */
export function keysAt(path: KeyPath): readonly string[] {
  return Object.keys(schemaAt(path)?.properties ?? {})
}
