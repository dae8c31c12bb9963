import { MillraceError } from '../../core/errors.ts'

/** The JSON of a body; an empty body is an empty object, as AWS reads it. Throws `MILL_BODY_NOT_JSON`. */
export function readJson(body: Uint8Array): unknown {
  if (body.byteLength === 0) return {}
  try {
    // `fatal`: text that is not UTF-8 is refused and not repaired into something else.
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    throw new MillraceError('MILL_BODY_NOT_JSON', [error instanceof Error ? error.message : String(error)])
  }
}
