import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { composeConfigDocument } from '../../src/app/config-document.ts'
import { CONFIG_PROBLEMS } from '../../src/app/config-errors.ts'
import { configJsonSchema, type SchemaNode } from '../../src/app/config-json-schema.ts'

const DOCUMENT = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')

describe('docs/configuration.md', () => {
  it('is what the schema says now; else run: node scripts/make-configuration-doc.ts', () => expect(composeConfigDocument()).toBe(DOCUMENT))

  it('says what each problem means', () => {
    for (const code of Object.keys(CONFIG_PROBLEMS)) expect(DOCUMENT).toContain(`| \`${code}\` |`)
  })
})

it('every key has a description', () => {
  const missing: string[] = []
  const walk = (node: SchemaNode, path: string): void => {
    for (const [key, inner] of Object.entries(node.properties ?? {})) {
      if ((inner.description ?? '') === '') missing.push(`${path}.${key}`)
      walk(inner, `${path}.${key}`)
    }
    for (const inner of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) walk(inner, path)
    if (node.items !== undefined) walk(node.items, `${path}[]`)
    if (typeof node.additionalProperties === 'object') walk(node.additionalProperties, `${path}.NAME`)
  }
  walk(configJsonSchema(), '')
  expect(missing).toEqual([])
})
