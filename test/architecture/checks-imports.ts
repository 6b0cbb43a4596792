/** Checks of the arrows: who imports whom, no cycles, no tests, nothing banned by folder. */
import type { Node } from 'typescript/unstable/ast'
import { SyntaxKind } from 'typescript/unstable/ast'
import { IMPORTS, PROCESS_FOLDERS, PURE_BANNED, PURE_FOLDERS, SHELL_BANNED, TERMINAL_FOLDERS } from './rules.ts'
import type { ParsedFile } from './tree.ts'
import { identifierOf, lineOf, visit } from './tree.ts'
import type { Violation } from './violation.ts'

export function checkImports(files: readonly ParsedFile[]): readonly Violation[] {
  return files.flatMap((file) =>
    file.imports.flatMap(({ target, line }): readonly Violation[] => {
      const reason = importFault(file.folder, target)
      return reason === null ? [] : [{ rule: 'imports', path: file.path, line, what: target, text: reason }]
    }),
  )
}

function importFault(folder: string, target: string): string | null {
  const rule = IMPORTS[folder]
  if (rule === undefined) return `src/${folder} is not in the table of imports`
  if (target.startsWith('src/')) {
    const inner = target.slice('src/'.length)
    const allowed = inner.startsWith(`${folder}/`) || rule.folders.some((name) => inner.startsWith(name.includes('/') ? name : `${name}/`))
    return allowed ? null : `${folder} may not import ${inner}`
  }
  if (target.startsWith('test/') || target.startsWith('..')) return `${folder} may not import ${target}`
  const name = target.replace(/^node:/, '').replace(/^((?:@[^/]+\/)?[^/]+).*$/, '$1')
  return rule.modules.includes(name) ? null : `${folder} may not import ${target}`
}

/** Each cycle once, as the way round. */
export function checkCycles(files: readonly ParsedFile[]): readonly Violation[] {
  const targets = new Map(files.map((file) => [file.path, file.imports.map((one) => one.target).filter((target) => target.startsWith('src/'))]))
  const finished = new Set<string>()
  const violations: Violation[] = []
  const descend = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path)
    if (at !== -1) {
      violations.push({ rule: 'cycles', path, line: 1, what: path, text: `imports go round: ${[...way.slice(at), path].join(' -> ')}` })
      return
    }
    if (finished.has(path)) return
    for (const target of targets.get(path) ?? []) descend(target, [...way, path])
    finished.add(path)
  }
  for (const file of files) descend(file.path, [])
  return violations
}

export function checkGlobals(files: readonly ParsedFile[]): readonly Violation[] {
  const violations: Violation[] = []
  for (const file of files) {
    const banned = bannedIn(file.folder)
    visit(file.tree, (node, parents) => {
      const used = globalOf(node, parents.at(-1))
      if (used === null || !banned.includes(used)) return
      violations.push({
        rule: 'globals',
        path: file.path,
        line: lineOf(file.tree, node),
        what: used,
        text: `${used} is not for ${file.folder}: let it come in through a port`,
      })
    })
  }
  return violations
}

function bannedIn(folder: string): readonly string[] {
  if (PURE_FOLDERS.includes(folder)) return PURE_BANNED
  const banned = PROCESS_FOLDERS.includes(folder) ? SHELL_BANNED.filter((name) => name !== 'process') : SHELL_BANNED
  return TERMINAL_FOLDERS.includes(folder) ? banned.filter((name) => name === 'Math.random') : banned
}

/** What the node asks of the world, as it is written in the lists of rules.ts; null: nothing. */
function globalOf(node: Node, parent: Node | undefined): string | null {
  const held = node as unknown as { expression?: Node; name?: Node; arguments?: readonly Node[] }
  if (node.kind === SyntaxKind.NewExpression) {
    return identifierOf(held.expression) === 'Date' && (held.arguments ?? []).length === 0 ? 'new Date()' : null
  }
  if (node.kind === SyntaxKind.PropertyAccessExpression) return `${identifierOf(held.expression) ?? ''}.${identifierOf(held.name) ?? ''}`
  const name = identifierOf(node)
  return name !== null && parent !== undefined && isValueUse(node, parent) ? name : null
}

const USES: readonly SyntaxKind[] = [
  SyntaxKind.CallExpression,
  SyntaxKind.BinaryExpression,
  SyntaxKind.ReturnStatement,
  SyntaxKind.ArrowFunction,
  SyntaxKind.ElementAccessExpression,
  SyntaxKind.TypeOfExpression,
]

/** An identifier that is read, not one that is declared or names a member. */
function isValueUse(node: Node, parent: Node): boolean {
  const held = parent as unknown as { expression?: Node; initializer?: Node; name?: Node }
  if (parent.kind === SyntaxKind.PropertyAccessExpression) return held.expression === node
  if (parent.kind === SyntaxKind.VariableDeclaration || parent.kind === SyntaxKind.PropertyAssignment || parent.kind === SyntaxKind.Parameter)
    return held.initializer === node
  return USES.includes(parent.kind)
}
