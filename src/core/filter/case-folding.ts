/** How one character of a pattern may be spelt in a record. */
export interface Spelling {
  readonly lower: string
  readonly upper: string
}

/**
 * Case is ignored as event-ruler does it: character by character, each in its full lower or upper form by Unicode's rules
 * without a language. So `ß` takes `SS`, while `SS` does not take `ß`, and a title case letter takes its other two forms only.
 */
export function spellings(text: string): Spelling[] {
  return Array.from(text, character => ({ lower: character.toLowerCase(), upper: character.toUpperCase() }))
}

/** Where the spelling of all of `pattern` that begins at `from` ends in `text`; -1 when there is none. */
export function foldedEnd(pattern: readonly Spelling[], text: string, from: number): number {
  let at = from
  for (const { lower, upper } of pattern) {
    if (text.startsWith(lower, at)) at += lower.length
    else if (text.startsWith(upper, at)) at += upper.length
    else return -1
  }
  return at
}

/** Where the spelling of all of `pattern` that ends at the end of `text` begins; -1 when there is none. */
export function foldedStart(pattern: readonly Spelling[], text: string): number {
  let at = text.length
  for (const { lower, upper } of pattern.toReversed()) {
    if (text.endsWith(lower, at)) at -= lower.length
    else if (text.endsWith(upper, at)) at -= upper.length
    else return -1
  }
  return at
}
