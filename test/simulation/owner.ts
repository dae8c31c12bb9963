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
  /** Who has no answer for so long may not be a member any more: a session, and before it the wait of a join for others. */
  readonly mostSilenceMs: number
  /** A commit that Kafka has not taken by then is given up. */
  readonly commitTimeoutMs: number
  /** Partitions that are not given up within this are taken from the poller. */
  readonly revokeTimeoutMs: number
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
  /** When Kafka last refused one for good. */
  commitRefusedMs: number
  /** When that was sent which the coordinator last answered as to a member. */
  heardMs: number
  /** When that answer came. */
  answeredMs: number
  /** When the coordinator last answered that it is none. */
  sentAwayMs: number
  /** When it last made no call because it had stood still, and had not asked yet whether its partitions are its own. */
  doubtedMs: number
  /** Infinity: it was not asked to stop. */
  stopAskedMs: number
}
