/**
 * Changes one key in the text of a configuration and leaves every other octet as it was.
 *
 * A change is spliced into the text and then proved: the result, read back, must equal the old
 * values with that one change. Where no simple splice passes, the YAML library rewrites the file;
 * comments survive that, too, but its spacing may change. Pure: reads and writes no file.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Document, isCollection, isMap, isNode, isPair, isScalar, isSeq, type Pair, parseDocument, stringify, type YAMLMap } from 'yaml'
import { formatKeyPath, type KeyPath, valueAt } from './config-path.ts'

/** The text with that value; throws a RangeError if the path leads through something that is no mapping or list. */
export function setInText(text: string, path: KeyPath, value: unknown): string {
  const rewritten = parsed(text)
  if (rewritten.contents === null) rewritten.contents = rewritten.createNode({}) as unknown as typeof rewritten.contents
  setIn(rewritten, path, value)
  const wanted: unknown = rewritten.toJS()
  return proved([spliceScalar(text, path, value), insertKey(text, path, value), appendItem(text, path, value)], wanted) ?? rewritten.toString({ lineWidth: 0 })
}

/** The text without that key; null: there is no such key. */
export function unsetInText(text: string, path: KeyPath): string | null {
  const rewritten = parsed(text)
  if (path.length === 0 || !rewritten.hasIn(path)) return null
  rewritten.deleteIn(path)
  const wanted: unknown = rewritten.toJS()
  return proved([cutKey(text, path)], wanted) ?? rewritten.toString({ lineWidth: 0 })
}

function parsed(text: string): Document {
  const document = parseDocument(text, { prettyErrors: false })
  if (document.errors.length > 0) throw new RangeError('the file is not valid YAML')
  return document as Document
}

function setIn(document: Document, path: KeyPath, value: unknown): void {
  for (let depth = 1; depth < path.length; depth++) {
    const above = path.slice(0, depth)
    const step = path[depth]
    const node = document.getIn(above, true)
    const isEmpty = node === undefined || (isScalar(node) && node.value === null)
    if (isEmpty) document.setIn(above, document.createNode(typeof step === 'number' ? [] : {}))
    else if (!isCollection(node)) throw new RangeError(shortForm(above, step))
    else if (isSeq(node) && !(typeof step === 'number' && step <= node.items.length))
      throw new RangeError(`the list ${above.join('.')} has ${node.items.length} entries; give the number of one, from 0`)
  }
  document.setIn(path, document.createNode(value))
}

/** `tls: verify` has no keys below it, though what it stands for has. */
function shortForm(above: KeyPath, step: KeyPath[number] | undefined): string {
  const key = formatKeyPath(above)
  return `${key} is a single value here, with nothing below it; set the whole of ${key}, such as '{ ${step}: VALUE }'`
}

/** The first candidate that says exactly what is wanted. */
function proved(candidates: readonly (string | null)[], wanted: unknown): string | null {
  const good = candidates.find((candidate) => {
    if (candidate === null) return false
    const document = parseDocument(candidate, { prettyErrors: false })
    return document.errors.length === 0 && isDeepStrictEqual(document.toJS(), wanted)
  })
  return good ?? null
}

const isPlain = (value: unknown): boolean => value === null || typeof value !== 'object'

/** One single value in the place of another: the comment behind it stays where it is. */
function spliceScalar(text: string, path: KeyPath, value: unknown): string | null {
  const node = parsed(text).getIn(path, true)
  if (!isScalar(node) || node.range === null || node.range === undefined || !isPlain(value)) return null
  const [from, to] = node.range
  const written = inFlow(value)
  return from === to
    ? `${text.slice(0, from)}${/\s$/.test(text.slice(0, from)) ? '' : ' '}${written}${text.slice(to)}`
    : text.slice(0, from) + written + text.slice(to)
}

/** A scalar in a form that is right in block and in flow mappings. */
function inFlow(value: unknown): string {
  const written = stringify([value], { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim()
  return written.slice(1, -1).trim()
}

/** A new key as new lines behind the last key of the nearest mapping around it. */
function insertKey(text: string, path: KeyPath, value: unknown): string | null {
  const document = parsed(text)
  let depth = path.length - 1
  while (depth > 0 && !isFilledMap(document.getIn(path.slice(0, depth), true))) depth--
  const map = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true)
  const below = path.slice(depth)
  if (below.some((step) => typeof step === 'number')) return null
  const nested = below.toReversed().reduce<unknown>((inner, key) => ({ [key]: inner }), value)
  if (map === null) return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${stringify(nested, { lineWidth: 0 })}`
  if (!isFilledMap(map) || valueAt(document.toJS(), path.slice(0, depth + 1)) !== undefined) return null
  const indent = columnOf(text, map)
  const end = endOfLine(text, endOf(map))
  if (indent === null || end === null) return null
  const lines = stringify(nested, { lineWidth: 0 })
    .trimEnd()
    .split('\n')
    .map((line) => ' '.repeat(indent) + line)
  const before = text.slice(0, end)
  return `${before}${before.endsWith('\n') ? '' : '\n'}${lines.join('\n')}\n${text.slice(end)}`
}

/** A new entry as new lines behind the last one of its list. */
function appendItem(text: string, path: KeyPath, value: unknown): string | null {
  const list = path.length < 2 ? null : parsed(text).getIn(path.slice(0, -1), true)
  if (!isSeq(list) || list.flow === true || list.items.length === 0 || path.at(-1) !== list.items.length) return null
  const [first] = list.items
  const from = isNode(first) ? (first.range?.[0] ?? null) : null
  const end = endOfLine(text, endOf(list))
  if (from === null || end === null) return null
  const lineStart = text.lastIndexOf('\n', from - 1) + 1
  const [, indent] = /^( *)- +$/.exec(text.slice(lineStart, from)) ?? []
  if (indent === undefined) return null
  const lines = stringify([value], { lineWidth: 0 }).trimEnd().replace(/^/gm, indent)
  const before = text.slice(0, end)
  return `${before}${before.endsWith('\n') ? '' : '\n'}${lines}\n${text.slice(end)}`
}

/** Removes the lines of a key; comments above and behind other keys stay. */
function cutKey(text: string, path: KeyPath): string | null {
  const map = path.length === 1 ? parsed(text).contents : parsed(text).getIn(path.slice(0, -1), true)
  if (!isMap(map) || map.flow === true || map.items.length < 2) return null
  const pair = map.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(path.at(-1)))
  const from = pair === undefined ? null : startOf(pair)
  const end = pair === undefined ? null : endOfPair(pair)
  if (from === null || end === null) return null
  const lineStart = text.lastIndexOf('\n', from - 1) + 1
  const lineEnd = endOfLine(text, end)
  return lineEnd === null || text.slice(lineStart, from).trim() !== '' ? null : text.slice(0, lineStart) + text.slice(lineEnd)
}

function isFilledMap(node: unknown): node is YAMLMap {
  return isMap(node) && node.flow !== true && node.items.length > 0
}
function startOf(pair: Pair): number | null {
  return isScalar(pair.key) ? (pair.key.range?.[0] ?? null) : null
}
function endOfPair(pair: Pair): number | null {
  const { key, value } = pair
  if (isScalar(value)) return value.range?.[1] ?? null
  if (isMap(value) || isSeq(value)) return endOf(value)
  return value === null && isScalar(key) ? (key.range?.[1] ?? null) : null
}

/** Behind the last character of a value of the collection, before any comment. */
function endOf(node: unknown): number | null {
  if (isScalar(node)) return node.range?.[1] ?? null
  if (!isMap(node) && !isSeq(node)) return null
  if (node.flow === true || node.items.length === 0) return node.range?.[1] ?? null
  const last = node.items.at(-1)
  return isPair(last) ? endOfPair(last) : endOf(last)
}

function columnOf(text: string, map: YAMLMap): number | null {
  const [first] = map.items
  const from = first === undefined ? null : startOf(first)
  return from === null ? null : from - (text.lastIndexOf('\n', from - 1) + 1)
}

/** Behind the line break that ends the line; null if more than a comment stands in between. */
function endOfLine(text: string, from: number | null): number | null {
  if (from === null) return null
  if (from > 0 && text[from - 1] === '\n') return from
  const newline = text.indexOf('\n', from)
  const end = newline === -1 ? text.length : newline + 1
  return /^\s*(?:#.*)?$/.test(text.slice(from, end).trimEnd()) ? end : null
}
