/** Checks of size and shape: lines, parameters, header comments, state at top level, inheritance. */
import type { Node } from 'typescript/unstable/ast'
import { isFunctionLikeDeclaration, SyntaxKind } from 'typescript/unstable/ast'
import { LIMITS } from './rules.ts'
import type { ParsedFile } from './tree.ts'
import { countLines, identifierOf, lastLineOf, lineOf, readText, visit } from './tree.ts'
import type { Violation } from './violation.ts'

export function checkFileLines(paths: readonly string[]): readonly Violation[] {
  return paths.flatMap((path): readonly Violation[] => {
    const lines = countLines(readText(path))
    const most = path.startsWith('test/') ? LIMITS.testFileLines : LIMITS.fileLines
    return lines <= most ? [] : [{ rule: 'file-lines', path, line: lines, what: path, text: `${lines} lines, ${most} at most` }]
  })
}

export function checkFunctions(files: readonly ParsedFile[]): readonly Violation[] {
  const violations: Violation[] = []
  for (const file of files) {
    visit(file.tree, (node, parents) => {
      if (!isFunctionLikeDeclaration(node)) return
      const name = nameOf(node, parents.at(-1))
      const line = lineOf(file.tree, node)
      const lines = lastLineOf(file.tree, node) - line + 1
      const parameters = node.parameters.filter((parameter) => identifierOf(parameter.name as Node) !== 'this').length
      const at = { path: file.path, line, what: name }
      if (lines > LIMITS.functionLines) violations.push({ ...at, rule: 'function-lines', text: `${name} has ${lines} lines, ${LIMITS.functionLines} at most` })
      if (parameters > LIMITS.parameters)
        violations.push({ ...at, rule: 'parameters', text: `${name} has ${parameters} parameters, ${LIMITS.parameters} at most` })
    })
  }
  return violations
}

function nameOf(node: Node, parent: Node | undefined): string {
  if (node.kind === SyntaxKind.Constructor) return 'constructor'
  const own = identifierOf((node as unknown as { name?: Node }).name)
  return own ?? identifierOf((parent as unknown as { name?: Node } | undefined)?.name) ?? 'a function'
}

/** Every file says at its head what it is for, in at most ten lines. */
export function checkHeaders(paths: readonly string[]): readonly Violation[] {
  return paths.flatMap((path): readonly Violation[] => {
    const text = readText(path).replace(/^#!.*\n/, '')
    const end = text.indexOf('*/')
    const at = { rule: 'documents', path, line: 1, what: path } as const
    if (!text.startsWith('/**') || end === -1) return [{ ...at, text: 'does not open with a header comment' }]
    const lines = text
      .slice(3, end)
      .split('\n')
      .map((line) => line.replace(/^\s*\*? ?/, '').trim())
    while (lines.at(0) === '') lines.shift()
    while (lines.at(-1) === '') lines.pop()
    return lines.length <= LIMITS.headerLines ? [] : [{ ...at, text: `header comment of ${lines.length} lines, ${LIMITS.headerLines} at most` }]
  })
}

/** No module holds state, and importing one does nothing. */
export function checkTopLevel(files: readonly ParsedFile[]): readonly Violation[] {
  return files.flatMap((file) => file.tree.statements.flatMap((statement) => topLevelFaults(file, statement)))
}

function topLevelFaults(file: ParsedFile, statement: Node): readonly Violation[] {
  const at = { path: file.path, line: lineOf(file.tree, statement) }
  if (statement.kind === SyntaxKind.VariableStatement) {
    const source = file.text.split('\n')[at.line - 1] ?? ''
    const constant = /: Readonly(Map|Set|Array|<)|: readonly /.test(source)
    const mutable =
      /^(export )?(let|var) /.test(source) || /= new (Map|Set|WeakMap|WeakSet|Array)(<.*>)?\(\)\s*$/.test(source) || /= (\[\]|\{\})\s*$/.test(source)
    const what = /(?:let|var|const) (\w+)/.exec(source)?.[1] ?? ''
    return mutable && !constant ? [{ ...at, rule: 'module-state', what, text: `${what} is state at top level` }] : []
  }
  const acts = [SyntaxKind.ExpressionStatement, SyntaxKind.IfStatement, SyntaxKind.ForStatement, SyntaxKind.ForOfStatement, SyntaxKind.TryStatement]
  return acts.includes(statement.kind) ? [{ ...at, rule: 'side-effects', what: '', text: 'something happens when this module is imported' }] : []
}

export function checkInheritance(files: readonly ParsedFile[]): readonly Violation[] {
  const violations: Violation[] = []
  for (const file of files) {
    visit(file.tree, (node, parents) => {
      const isExtends = node.kind === SyntaxKind.HeritageClause && (node as unknown as { token: SyntaxKind }).token === SyntaxKind.ExtendsKeyword
      const owner = parents.at(-1)?.kind
      if (!isExtends || (owner !== SyntaxKind.ClassDeclaration && owner !== SyntaxKind.ClassExpression)) return
      const [base] = (node as unknown as { types: readonly { expression: Node }[] }).types
      const name = identifierOf(base?.expression) ?? ''
      if (name === 'Error') return
      violations.push({ rule: 'inheritance', path: file.path, line: lineOf(file.tree, node), what: name, text: `a class extends ${name}` })
    })
  }
  return violations
}
