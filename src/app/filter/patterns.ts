import { parseFilterCriteria } from '../../core/filter/criteria.ts'
import { parsePattern, PatternError, type Pattern } from '../../core/filter/language.ts'
import { MillraceError } from '../../core/errors.ts'

/** Patterns that are applied to a document itself. Throws `MILL_FILTER_PATTERN` with the place and the reason. */
export const documentPatterns = (texts: readonly string[]): Pattern[] =>
  texts.map((text, index) => told(index, () => parsePattern(text)))

/**
 * Patterns as a mapping has them, with what of the record they look at around them. How many a mapping may have is the
 * server's to say. Throws `MILL_FILTER_PATTERN` with the place and the reason.
 */
export const recordPatterns = (texts: readonly string[]): Pattern[] =>
  texts.flatMap((text, index) =>
    told(index, () => parseFilterCriteria({ Filters: [{ Pattern: text }] }, { strictAws: false, maxFilters: 1 }))
  )

function told<T>(index: number, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const cause = error instanceof MillraceError ? error.cause : error
    if (!(cause instanceof PatternError)) throw error
    // Each is read alone, whatever its place among the others.
    const place = cause.path.replace(/^Filters\[0\]\.Pattern(?: at )?/, '')
    throw new MillraceError(
      'MILL_FILTER_PATTERN',
      [index + 1, place === '' ? `it ${cause.reason}` : `${place} ${cause.reason}`],
      { cause }
    )
  }
}
