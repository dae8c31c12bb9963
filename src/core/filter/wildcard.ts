/** A wildcard pattern: literal pieces with a star between each two. `['a', '']` is `a*`. */
export type Pieces = readonly string[]

/** Reads `a*b`: `\*` and `\\` stand for themselves. A text instead of pieces says what is wrong. */
export function parseWildcard(text: string): Pieces | string {
  const pieces = ['']
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    if (character === '*') {
      if (text[at + 1] === '*') return `must not have two stars in a row (position ${at})`
      pieces.push('')
    } else if (character === '\\') {
      const escaped = text[at + 1]
      if (escaped !== '*' && escaped !== '\\') return `may escape only * and \\ by a backslash (position ${at})`
      pieces[pieces.length - 1] += escaped
      at++
    } else pieces[pieces.length - 1] += character
  }
  return pieces
}

/** Takes each piece where it first occurs: with stars between them an earlier place is never the worse one. */
export function wildcardMatches(pieces: Pieces, text: string): boolean {
  const first = pieces[0]!
  if (pieces.length === 1) return text === first
  const last = pieces.at(-1)!
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  let at = first.length
  const end = text.length - last.length
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at)
    if (found < 0 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}
