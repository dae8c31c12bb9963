import { MillraceError } from '../core/errors.ts'

/**
 * The pairs of a raw query, decoded once. A plus is a plus: what was signed is what is read. Throws
 * `MILL_REQUEST_MALFORMED`.
 */
export function decodeQuery(query: string): [name: string, value: string][] {
  if (query === '') return []
  return query
    .split('&')
    .filter(pair => pair !== '')
    .map(pair => {
      const at = pair.indexOf('=')
      return at === -1 ? [unescape(pair), ''] : [unescape(pair.slice(0, at)), unescape(pair.slice(at + 1))]
    })
}

/** Decodes percent escapes once. */
export function unescape(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new MillraceError('MILL_REQUEST_MALFORMED', [`${text} holds a broken percent escape.`])
  }
}
