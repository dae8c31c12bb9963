import { parsePattern, PatternError, type Pattern } from '../../core/filter/language.ts'
import type { Case } from './case-line.ts'
import { DocumentMatcher, type BothWays } from './document-matcher.ts'

/** What came of a case that did not come out as it says. */
export interface Disagreement {
  readonly line: number
  readonly name: string
  readonly expected: Outcome
  readonly got: Outcome
  /** Why; for an invalid pattern its place and the reason. */
  readonly why: string
}

export type Outcome = 'match' | 'no match' | 'invalid pattern' | 'valid pattern' | 'undecided' | 'two answers'

/** Holds cases to what the matchers say: both of them, each time. Keeps the pattern of the last case, which often comes again. */
export class CaseChecker {
  #pattern: string | undefined
  #compiled: DocumentMatcher | PatternError | undefined

  /** Undefined when the case comes out as it says. */
  check({ line, name, pattern, expected }: Case): Disagreement | undefined {
    const matcher = this.#matcher(pattern)
    const wanted = expected === 'invalid' ? 'invalid pattern' : outcomeOf(expected.match)
    const answer = (got: Outcome, why: string): Disagreement | undefined =>
      got === wanted ? undefined : { line, name, expected: wanted, got, why }
    if (matcher instanceof PatternError)
      return answer('invalid pattern', `${matcher.path === '' ? 'the pattern' : matcher.path} ${matcher.reason}`)
    if (expected === 'invalid') return answer('valid pattern', 'the pattern was taken')
    const [both] = matcher.look(expected.event)
    // Why is asked for only where it is told.
    return both!.plain === expected.match && both!.scanned === expected.match ? undefined : answer(...told(both!))
  }

  #matcher(text: string): DocumentMatcher | PatternError {
    if (this.#compiled !== undefined && this.#pattern === text) return this.#compiled
    this.#pattern = text
    this.#compiled = compile(text)
    return this.#compiled
  }
}

function compile(text: string): DocumentMatcher | PatternError {
  let pattern: Pattern
  try {
    pattern = parsePattern(text)
  } catch (error) {
    if (error instanceof PatternError) return error
    throw error
  }
  return new DocumentMatcher([pattern])
}

const outcomeOf = (match: boolean): Outcome => (match ? 'match' : 'no match')

function told({ plain, scanned, explain }: BothWays): [got: Outcome, why: string] {
  if (plain === undefined && scanned === undefined)
    return ['undecided', 'too many combinations of repeated names to try']
  if (plain !== undefined && scanned !== undefined && plain !== scanned)
    return ['two answers', `plain matcher: ${outcomeOf(plain)}, scanner: ${outcomeOf(scanned)}`]
  const explanation = explain()
  if (explanation.matched) return ['match', 'every condition holds']
  const { path, wanted, found } = explanation
  return [outcomeOf(scanned ?? plain ?? false), `${path === '' ? 'the event' : path}: wanted ${wanted}, found ${found}`]
}
