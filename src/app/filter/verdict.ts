import type { Explanation } from '../../core/filter/matcher.ts'

/** What became of a document or record, and by pattern why. */
export interface Verdict {
  readonly match: boolean
  readonly patterns: readonly PatternVerdict[]
}

export interface PatternVerdict {
  readonly pattern: string
  readonly match: boolean
  /** The first condition that failed; absent when none did. */
  readonly path?: string
  readonly wanted?: string
  readonly found?: string
}

/** `patterns` and `explanations` belong together by their order. */
export const patternVerdicts = (
  patterns: readonly { readonly text: string }[],
  explanations: readonly Explanation[]
): PatternVerdict[] =>
  explanations.map(({ matched, ...refusal }, at) => ({ pattern: patterns[at]!.text, match: matched, ...refusal }))
