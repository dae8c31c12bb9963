import { MillraceError } from '../errors.ts'
import { checkTogether, parsePattern, PatternError, type Pattern } from './language.ts'

/** `FilterCriteria` of a mapping, as it was read from a request. */
export interface FilterCriteria {
  readonly Filters?: readonly { readonly Pattern?: string }[]
}

export interface FilterRules {
  /** Refuse what AWS refuses: everything but `value`. */
  readonly strictAws: boolean
  /** AWS: 5, on request 10. */
  readonly maxFilters: number
}

/** Lambda's limit for the text of one pattern. */
export const maxPatternLength = 4_096

/** What of a record can be filtered besides its value, as the event delivers it (reference 2.3, 4.1). */
export const metadataFields = ['topic', 'partition', 'offset', 'timestamp', 'timestampType', 'key', 'headers'] as const
export type MetadataField = (typeof metadataFields)[number]

/**
 * Reads the filters of a mapping; none take every record. Throws MillraceError with AWS's text, and as its cause a
 * PatternError with the place and the reason for the log.
 */
export function parseFilterCriteria(criteria: FilterCriteria, rules: FilterRules): Pattern[] {
  const filters = criteria.Filters ?? []
  if (filters.length > rules.maxFilters)
    throw new MillraceError('MILL_PARAMETER_INVALID', [
      `FilterCriteria may hold at most ${rules.maxFilters} Filters, got ${filters.length}.`
    ])
  const patterns: Pattern[] = []
  for (const [index, { Pattern: text }] of filters.entries()) {
    try {
      patterns.push(parseRecordPattern(text, rules))
      if (index > 0 && patterns.length === filters.length)
        checkTogether(patterns.flatMap(({ conditions }) => conditions))
    } catch (error) {
      if (!(error instanceof PatternError)) throw error
      const place = `Filters[${index}].Pattern`
      const cause = new PatternError(error.path === '' ? place : `${place} at ${error.path}`, error.reason)
      throw new MillraceError('MILL_FILTER_INVALID', [], { cause })
    }
  }
  return patterns
}

function parseRecordPattern(text: string | undefined, { strictAws }: FilterRules): Pattern {
  if (text === undefined) throw new PatternError('', 'is missing')
  if (text.length > maxPatternLength)
    throw new PatternError('', `must have at most ${maxPatternLength} characters, got ${text.length}`)
  const pattern = parsePattern(text)
  const known = strictAws ? ['value'] : ['value', ...metadataFields]
  for (const { path, place } of pattern.conditions) {
    if (!known.includes(path[0]!))
      throw new PatternError(place, `records have no field '${path[0]}' to filter by: use ${known.join(', ')}`)
  }
  return pattern
}
