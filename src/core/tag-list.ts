/**
 * Tag lists, `v=DKIM1; k=rsa; p=...`: the form of DKIM and DMARC records (RFC 6376 §3.2).
 */

/** Values without their white space, by name; the first of each name counts. */
export function readTagList(text: string): ReadonlyMap<string, string> {
  const tags = new Map<string, string>()
  for (const part of text.split(';')) {
    const at = part.indexOf('=')
    const name = part.slice(0, Math.max(at, 0)).trim()
    if (at !== -1 && !tags.has(name)) tags.set(name, part.slice(at + 1).replace(/\s+/g, ''))
  }
  return tags
}
