import { backoffMs } from './backoff.ts'
import type { Outcome } from './outcome.ts'
import type { RetryPolicy } from './policy.ts'

/** How often records have been tried together. */
export interface Attempt {
  /** Calls that ran and failed. */
  readonly failures: number
  /** Calls in a row that did not run (busy or unreachable). */
  readonly misses: number
}

export const firstAttempt: Attempt = { failures: 0, misses: 0 }

/** Indexes into the records of the call, ascending. */
export type FailedItems = readonly number[]

/** What follows one call. */
export type Step =
  | { readonly kind: 'settle' }
  /** With `failed`: only those, the others are settled. */
  | {
      readonly kind: 'again'
      readonly attempt: Attempt
      readonly waitMs: number
      readonly error: string
      readonly failed?: FailedItems
    }
  /** Each half by itself, the first to its end before the second: no try is spent (reference 7.2). */
  | { readonly kind: 'split'; readonly cause: 'bisect' | 'size'; readonly error: string }
  /** Given up. With `failed`: only those, the others are settled. */
  | {
      readonly kind: 'discard'
      readonly condition: 'retries' | 'size'
      readonly attempt: Attempt
      readonly error: string
      readonly failed?: FailedItems
    }
  /** Not ours any more: neither settle nor try again. */
  | { readonly kind: 'leave' }

/**
 * What follows the outcome of a call with `records` records. Same arguments, same step; `chance`: 0 to 1.
 *
 * | outcome        | counts | follows                                                                                      |
 * | -------------- | ------ | -------------------------------------------------------------------------------------------- |
 * | ok             | –      | settle                                                                                       |
 * | partial        | yes    | the failed ones again, the others are settled; past the limit the failed ones are given up   |
 * | failed         | yes    | with bisect and more than one record: split, not counted; else again; past the limit give up |
 * | busy           | no     | again, soon                                                                                  |
 * | unreachable    | no     | again                                                                                        |
 * | too large      | no     | split; one record alone is given up                                                          |
 * | aborted        | –      | leave                                                                                        |
 *
 * AWS: reference 5.1, 6.2, 7.2, 3.6.
 */
export function plan(policy: RetryPolicy, records: number, attempt: Attempt, outcome: Outcome, chance: number): Step {
  switch (outcome.kind) {
    case 'ok':
      return { kind: 'settle' }
    case 'partial':
      return afterFailure(policy, attempt, outcome.error, chance, outcome.failed)
    case 'failed':
      if (policy.bisect && records > 1) return { kind: 'split', cause: 'bisect', error: outcome.error }
      return afterFailure(policy, attempt, outcome.error, chance)
    case 'busy': {
      const waitMs = backoffMs(attempt.misses, chance, { ...policy.backoff, capMs: policy.backoff.throttleCapMs })
      return missed(attempt, Math.max(outcome.waitMs ?? 0, waitMs), outcome.error)
    }
    case 'unreachable':
      return missed(attempt, backoffMs(attempt.misses, chance, policy.backoff), outcome.error)
    case 'too-large':
      return records > 1
        ? { kind: 'split', cause: 'size', error: outcome.error }
        : { kind: 'discard', condition: 'size', attempt, error: outcome.error }
    case 'aborted':
      return { kind: 'leave' }
    default:
      throw new Error(`no plan for outcome ${JSON.stringify(outcome satisfies never)}`)
  }
}

/** Tries are used up: nothing more is to be called, whatever the policy was before. */
export const isExhausted = ({ maxRetries }: RetryPolicy, { failures }: Attempt): boolean =>
  maxRetries >= 0 && failures > maxRetries

function afterFailure(policy: RetryPolicy, before: Attempt, error: string, chance: number, failed?: FailedItems): Step {
  const attempt = { failures: before.failures + 1, misses: 0 }
  const part = failed === undefined ? {} : { failed }
  if (isExhausted(policy, attempt)) return { kind: 'discard', condition: 'retries', attempt, error, ...part }
  return { kind: 'again', attempt, waitMs: backoffMs(before.failures, chance, policy.backoff), error, ...part }
}

/** Nothing ran: no try is spent. */
function missed({ failures, misses }: Attempt, waitMs: number, error: string): Step {
  return { kind: 'again', attempt: { failures, misses: misses + 1 }, waitMs, error }
}
