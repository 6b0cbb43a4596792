/**
 * Reads the sources once, as text and as syntax trees (TypeScript's own parser), for the checks.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Node, SourceFile } from 'typescript/unstable/ast'
import { SyntaxKind } from 'typescript/unstable/ast'
import { API } from 'typescript/unstable/sync'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export interface ImportFact {
  /** `src/core/brand.ts` for ours, `node:fs` or a package name for others. */
  readonly target: string
  readonly typeOnly: boolean
  readonly line: number
}
export interface ParsedFile {
  /** From the root: `src/core/brand.ts`. */
  readonly path: string
  /** `core` for `src/core/...`. */
  readonly folder: string
  readonly text: string
  readonly lineCount: number
  readonly tree: SourceFile
  readonly imports: readonly ImportFact[]
}

/** Every file below a folder of the project that ends in one of the endings. */
export function filesBelow(folder: string, endings: readonly string[]): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.some((ending) => name.endsWith(ending)) && !name.includes('node_modules'))
    .map((name) => `${folder}/${name}`)
    .sort()
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

export function countLines(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
}

/** Parses all TypeScript files below `src`. */
export function parseSources(): readonly ParsedFile[] {
  const api = new API({ cwd: ROOT })
  const program = api.updateSnapshot({ openProject: join(ROOT, 'tsconfig.json') }).getProjects()[0]?.program
  if (program === undefined) throw new Error('tsconfig.json could not be opened')
  const files = filesBelow('src', ['.ts']).map((path) => {
    const tree = program.getSourceFile(join(ROOT, path))
    if (tree === undefined) throw new Error(`${path} is not part of tsconfig.json`)
    const text = readText(path)
    return { path, folder: path.split('/')[1] ?? '', text, lineCount: countLines(text), tree, imports: importsOf(path, tree) }
  })
  return files
}

function importsOf(path: string, tree: SourceFile): readonly ImportFact[] {
  const found: ImportFact[] = []
  visit(tree, (node) => {
    const specifier = specifierOf(node)
    if (specifier === null) return
    const target = specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : specifier
    found.push({ target, typeOnly: isTypeOnly(node), line: lineOf(tree, node) })
  })
  return found
}

function specifierOf(node: Node): string | null {
  const held = node as unknown as {
    moduleSpecifier?: { text: string }
    expression?: Node
    arguments?: readonly { text?: string }[]
    argument?: { literal?: { text: string } }
  }
  if (node.kind === SyntaxKind.ImportDeclaration || node.kind === SyntaxKind.ExportDeclaration) return held.moduleSpecifier?.text ?? null
  if (node.kind === SyntaxKind.CallExpression && held.expression?.kind === SyntaxKind.ImportKeyword) return held.arguments?.[0]?.text ?? null
  if (node.kind === SyntaxKind.ImportType) return held.argument?.literal?.text ?? null
  return null
}

function isTypeOnly(node: Node): boolean {
  if (node.kind === SyntaxKind.ImportType) return true
  const clause = (node as unknown as { importClause?: { phaseModifier?: SyntaxKind; isTypeOnly?: boolean } }).importClause
  return clause?.isTypeOnly === true || clause?.phaseModifier === SyntaxKind.TypeKeyword || (node as unknown as { isTypeOnly?: boolean }).isTypeOnly === true
}

/** Calls back for the node and everything below it; `parents` is the way down, nearest last. */
export function visit(node: Node, see: (node: Node, parents: readonly Node[]) => void, parents: readonly Node[] = []): void {
  see(node, parents)
  const below = [...parents, node]
  node.forEachChild((child) => {
    visit(child, see, below)
  })
}

/** Line of the node's first token, from 1. */
export function lineOf(tree: SourceFile, node: Node): number {
  return lineAt(tree, node.getStart())
}

export function lastLineOf(tree: SourceFile, node: Node): number {
  return lineAt(tree, node.end)
}

function lineAt(tree: SourceFile, position: number): number {
  const starts = tree.getLineStarts()
  let low = 0
  let high = starts.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((starts[middle] ?? 0) <= position) low = middle
    else high = middle
  }
  return low + 1
}

/** The text of a node that is an identifier (or a private name), else null. */
export function identifierOf(node: Node | undefined): string | null {
  if (node?.kind !== SyntaxKind.Identifier && node?.kind !== SyntaxKind.PrivateIdentifier) return null
  return (node as unknown as { text: string }).text
}
