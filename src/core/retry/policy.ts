import type { MappingSpec } from '../mapping/mapping.ts'
import type { Backoff } from './backoff.ts'
import { defaultBackoff } from './backoff.ts'

/** What a mapping wants when its function fails. */
export interface RetryPolicy {
  /** Further tries after the first; -1: for ever. */
  readonly maxRetries: number
  /** Records older than this are given up, by their own timestamp; -1: none is too old. */
  readonly maxAgeMs: number
  /** Split a failed batch in two. */
  readonly bisect: boolean
  /** The function names the records that failed. */
  readonly reportsItemFailures: boolean
  readonly backoff: Backoff
}

/** Retries without an end are ended after this many when what is given up has somewhere to go (reference 5.3). */
export const retriesBeforeDestination = 10

export function retryPolicy(spec: MappingSpec, backoff: Backoff = defaultBackoff): RetryPolicy {
  const { maximumRetryAttempts: retries = -1, maximumRecordAgeSeconds: ageSeconds = -1, destination } = spec
  return {
    maxRetries: retries < 0 && destination !== undefined ? retriesBeforeDestination : retries,
    maxAgeMs: ageSeconds < 0 ? -1 : ageSeconds * 1_000,
    bisect: spec.bisectBatchOnFunctionError ?? false,
    reportsItemFailures: spec.functionResponseTypes?.includes('ReportBatchItemFailures') ?? false,
    backoff
  }
}
