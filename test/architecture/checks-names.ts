/** Check of names: no file and no identifier of ours holds a word that says nothing. */
import type { Node } from 'typescript/unstable/ast'
import { SyntaxKind } from 'typescript/unstable/ast'
import { BANNED_WORDS } from './rules.ts'
import type { ParsedFile } from './tree.ts'
import { identifierOf, lineOf, visit } from './tree.ts'
import type { Violation } from './violation.ts'

/** Only names that we give: keys of object literals are often a library's. */
const DECLARATIONS: readonly SyntaxKind[] = [
  SyntaxKind.VariableDeclaration,
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.ClassDeclaration,
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.TypeAliasDeclaration,
  SyntaxKind.TypeParameter,
  SyntaxKind.Parameter,
  SyntaxKind.PropertyDeclaration,
  SyntaxKind.PropertySignature,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.MethodSignature,
  SyntaxKind.GetAccessor,
  SyntaxKind.BindingElement,
]

export function checkWords(files: readonly ParsedFile[]): readonly Violation[] {
  return files.flatMap((file) => [...fileNameFaults(file), ...identifierFaults(file)])
}

function fileNameFaults(file: ParsedFile): readonly Violation[] {
  const words = file.path
    .replace(/^src\//, '')
    .replace(/\.ts$/, '')
    .split(/[/-]/)
  return words
    .filter((word) => BANNED_WORDS.includes(word))
    .map((word) => ({ rule: 'words', path: file.path, line: 1, what: word, text: `the file's name says "${word}"` }))
}

function identifierFaults(file: ParsedFile): readonly Violation[] {
  const violations: Violation[] = []
  visit(file.tree, (node) => {
    if (!DECLARATIONS.includes(node.kind)) return
    const name = identifierOf((node as unknown as { name?: Node }).name)
    const word = wordsOf(name ?? '').find((one) => BANNED_WORDS.includes(one))
    if (name === null || word === undefined) return
    violations.push({ rule: 'words', path: file.path, line: lineOf(file.tree, node), what: name, text: `${name} says "${word}"` })
  })
  return violations
}

/** `parseTLSData` -> parse, tls, data. */
export function wordsOf(identifier: string): readonly string[] {
  return identifier
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase())
}
