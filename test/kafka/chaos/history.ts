import type { GroupCommit } from '../../support/kafka/group-commits.ts'
import type { ChaosEvent } from './schedule.ts'

/** Times are milliseconds since 1970: all clocks are the machine's. */
export interface CallEntry {
  /** From 1, in the order in which calls came. */
  readonly number: number
  /** Whose mapping called. */
  readonly mapping: string
  readonly beganMs: number
  /** `returned`: what is not in `failed` succeeded. `gone`: the caller went away, so whether it succeeded nobody knows. */
  readonly end: { readonly atMs: number; readonly state: 'returned' | 'failed' | 'gone' } | undefined
  /** By partition, ascending. */
  readonly records: ReadonlyMap<number, readonly number[]>
  /** `partition@offset` of those that the answer named as failed. */
  readonly failed: ReadonlySet<string>
}

export interface EventEntry {
  readonly event: ChaosEvent
  /** Mapping of the event's node. */
  readonly mapping?: string
  readonly beganMs: number
  readonly endedMs: number
}

/** All that happened in a run, as far as the checker looks at it. */
export interface History {
  /** Offsets of the topic that a reader of committed records sees, by partition, ascending. */
  readonly log: ReadonlyMap<number, readonly number[]>
  /** Kafka said that these were written: `partition@offset`. */
  readonly acknowledged: ReadonlySet<string>
  /** Kafka said that these will never be seen. */
  readonly aborted: ReadonlySet<string>
  /** In the order in which they began. */
  readonly calls: readonly CallEntry[]
  /** What the foreign member printed: it commits by itself. */
  readonly printed: readonly { readonly partition: number; readonly offset: number }[]
  /** Every commit of the group, in the coordinator's order. */
  readonly commits: readonly GroupCommit[]
  readonly events: readonly EventEntry[]
}

export const place = (partition: number, offset: number): string => `${partition}@${offset}`
