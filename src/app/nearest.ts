/**
 * What somebody may have meant: the nearest of some words by edit distance.
 */

/** The choice that is at most a third of its letters away, or begins alike (`warning`, `warn`); null: none is near. */
export function nearest(text: string, choices: readonly string[]): string | null {
  const [best] = choices.map((choice) => ({ choice, distance: distanceOf(text.toLowerCase(), choice.toLowerCase()) })).sort((a, b) => a.distance - b.distance)
  if (best === undefined) return null
  if (best.distance <= Math.max(1, Math.floor(Math.max(best.choice.length, text.length) / 3))) return best.choice
  return choices.find((choice) => choice.length >= 3 && text.toLowerCase().startsWith(choice.toLowerCase())) ?? null
}

/** Edit distance with swapped neighbours counted once (Damerau), on at most 64 characters. */
function distanceOf(left: string, right: string): number {
  const a = left.slice(0, 64)
  const b = right.slice(0, 64)
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + same, swapped))
    }
    before = above
    above = row
  }
  return above[b.length] ?? 0
}
