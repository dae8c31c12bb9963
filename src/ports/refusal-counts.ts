import type { SampledRefusals } from '../core/filter/refusals.ts'

export interface CountedRefusals extends SampledRefusals {
  /** Epoch milliseconds. */
  readonly sinceMs: number
}

/** Why filters refuse records, as far as it was counted. */
export interface RefusalCounts {
  /** Undefined when nothing was counted for these filters of the mapping. */
  of(mapping: string, filters: readonly string[]): CountedRefusals | undefined
}
