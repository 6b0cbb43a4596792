/** Lines of a log that is being written: what has no end yet is left out, it may be half a line. */
export function completeLines(text: string): readonly string[] {
  return text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
}

/** Those of them that are JSON. */
export function jsonLines(text: string): readonly Readonly<Record<string, string>>[] {
  return completeLines(text).flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, string>] : []))
}
