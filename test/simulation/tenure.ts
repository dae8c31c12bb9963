import type { Call } from './checker.ts'
import type { Owner } from './owner.ts'
import type { SimRecord } from './partition-log.ts'

/**
 * One poller's ownership of one partition, as the poller was told of it.
 *
 * open     delivering                                                                    → leaving, over
 * leaving  its poller was asked to give it up: calls in flight may end, none may begin   → over
 * over     what still comes back settles nothing
 */
export interface Tenure {
  readonly owner: Owner
  readonly partition: number
  phase: 'open' | 'leaving' | 'over'
  /** The coordinator has given the partition to another, which this owner may not know yet. */
  fenced: boolean
  /** The offset that the next new call begins at, or above. */
  next: number
  /** Calls in flight. */
  calls: number
  /** Where the log was cut meanwhile. */
  readonly cuts: number[]
  /** When it was told of a cut last. */
  cutToldMs: number
  /** When its records were fetched. */
  readonly fetched: Map<SimRecord, number>
  /** Records in flight. */
  readonly sent: Set<SimRecord>
  /** A call that failed: the next has the same records. */
  retry: { readonly call: Call; readonly cuts: number; readonly ids: readonly number[] } | undefined
  /** One past the highest offset it has sent. */
  sentUpTo: number
  /** One past the highest offset that it settled. */
  settledUpTo: number
  leavingSinceMs: number
  /** When a call with it ended last. */
  freeSinceMs: number
}
