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
  /** As many calls in flight as there may be: what waits for its retry does not count. */
  full: boolean
  /** Since when it may have made another call. */
  slotFreeSinceMs: number
  commitsOpen: number
  commitAskedMs: number
  commitEndedMs: number
  commitFailedMs: number
  /** When it last made no call because it had stood still, and had not asked yet whether its partitions are its own. */
  doubtedMs: number
  /** Infinity: it was not asked to stop. */
  stopAskedMs: number
}
