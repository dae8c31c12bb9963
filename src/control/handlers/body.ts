import { MillraceError } from '../../core/errors.ts'

/** Nothing that the API takes nests this deep. */
const defaultDepth = 64

/**
 * The JSON of a body; an empty body is an empty object, as AWS reads it. Of members that come twice the last counts, as
 * with AWS. Throws `MILL_BODY_NOT_JSON`.
 */
export function readJson(body: Uint8Array, maxDepth = defaultDepth): unknown {
  if (body.byteLength === 0) return {}
  if (isDeeper(body, maxDepth)) throw new MillraceError('MILL_BODY_NOT_JSON', [`it nests deeper than ${maxDepth}`])
  try {
    // `fatal`: text that is not UTF-8 is refused and not repaired into something else.
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    throw new MillraceError('MILL_BODY_NOT_JSON', [error instanceof Error ? error.message : String(error)])
  }
}

const [quote, backslash, bracket, brace, endBracket, endBrace] = Buffer.from('"\\[{]}')

/** Looked at before parsing, which would hold up everybody else for a body that is nothing but brackets. */
function isDeeper(body: Uint8Array, maxDepth: number): boolean {
  let depth = 0
  let isText = false
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]
    if (isText) {
      if (byte === backslash) at++
      else if (byte === quote) isText = false
    } else if (byte === quote) isText = true
    else if (byte === bracket || byte === brace) {
      if (++depth > maxDepth) return true
    } else if (byte === endBracket || byte === endBrace) depth--
  }
  return false
}
