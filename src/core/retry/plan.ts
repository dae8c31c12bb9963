import { backoffMs, throttleCapMs } from './backoff.ts'
import type { Outcome } from './outcome.ts'

/** How often a batch has been tried. */
export interface Attempt {
  /** Calls that ran and failed. */
  readonly failures: number
  /** Calls in a row that did not run (busy or unreachable). */
  readonly misses: number
}

export const firstAttempt: Attempt = { failures: 0, misses: 0 }

/** What to do with a batch after one invocation. */
export type Step =
  | { readonly kind: 'settle' }
  | { readonly kind: 'again'; readonly attempt: Attempt; readonly waitMs: number; readonly error: string }
  /** The event did not fit: again with half of the records; a single record is discarded. */
  | { readonly kind: 'halve'; readonly error: string }
  /** Not ours any more: neither settle nor try again. */
  | { readonly kind: 'leave' }

/** What follows an outcome. Same attempt, outcome and `chance` (0 to 1): same step. Failures are retried for ever (reference 5.2). */
export function plan(attempt: Attempt, outcome: Outcome, chance: number): Step {
  switch (outcome.kind) {
    case 'ok':
      return { kind: 'settle' }
    case 'failed': {
      const next = { failures: attempt.failures + 1, misses: 0 }
      return { kind: 'again', attempt: next, waitMs: backoffMs(attempt.failures, chance), error: outcome.error }
    }
    case 'busy': {
      const next = { failures: attempt.failures, misses: attempt.misses + 1 }
      const waitMs = Math.max(outcome.waitMs ?? 0, backoffMs(attempt.misses, chance, throttleCapMs))
      return { kind: 'again', attempt: next, waitMs, error: outcome.error }
    }
    case 'unreachable': {
      const next = { failures: attempt.failures, misses: attempt.misses + 1 }
      return { kind: 'again', attempt: next, waitMs: backoffMs(attempt.misses, chance), error: outcome.error }
    }
    case 'too-large':
      return { kind: 'halve', error: outcome.error }
    case 'aborted':
      return { kind: 'leave' }
    default:
      throw new Error(`no plan for outcome ${JSON.stringify(outcome satisfies never)}`)
  }
}
