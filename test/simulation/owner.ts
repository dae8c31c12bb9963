import type { Call } from './checker.ts'
import type { Tenure } from './tenure.ts'
import type { Life } from './virtual-time.ts'

/** One poller as the checker knows it: its limits, and what it does now. */
export interface Owner {
  readonly name: string
  readonly life: Life
  readonly batchSize: number
  readonly windowMs: number
  readonly maxCalls: number
  readonly drainMs: number
  readonly graceMs: number
  /** What is its own now. */
  readonly tenures: Map<number, Tenure>
  calls: number
  /** Calls that failed and will be made again: they hold their place among `maxCalls`. */
  readonly held: Set<Call>
  /** As many calls in flight or held as there may be. */
  full: boolean
  /** Since when it may have made another call. */
  slotFreeSinceMs: number
  commitsOpen: number
  commitAskedMs: number
  commitEndedMs: number
  commitFailedMs: number
  /** Infinity: it was not asked to stop. */
  stopAskedMs: number
}
