/**
 * Paths of keys: `relays.google.tls`, `routes[2].via`, `routes.2.header."X.Y"`.
 */
export type KeyPath = readonly (string | number)[]

const STEP = /^(?:\.?"([^"]*)"|\.?\[(\d{1,6})\]|\.?([^.[\]"]+))/

/** Null if it is no path. A number between dots is an index or a key; the value decides. */
export function parseKeyPath(text: string): (string | number)[] | null {
  const path: (string | number)[] = []
  let rest = text.trim()
  while (rest !== '') {
    const match = STEP.exec(rest)
    if (match === null || (path.length === 0 && rest.startsWith('.'))) return null
    const [whole, quoted, index, plain] = match
    if (index !== undefined) path.push(Number(index))
    else if (plain !== undefined && /^\d{1,6}$/.test(plain)) path.push(Number(plain))
    else path.push(quoted ?? plain ?? '')
    rest = rest.slice(whole.length)
  }
  return path
}

export function formatKeyPath(path: KeyPath): string {
  return path
    .map((step, at) => {
      if (typeof step === 'number') return `[${step}]`
      const name = /[.[\]"\s]/.test(step) || step === '' ? JSON.stringify(step) : step
      return at === 0 ? name : `.${name}`
    })
    .join('')
}

/** The value at a path of plain data; undefined if there is none. */
export function valueAt(root: unknown, path: KeyPath): unknown {
  let value = root
  for (const step of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string | number, unknown>)[step]
  }
  return value
}
