import type { TopicPartition } from '../../core/record.ts'
import { EpochHistory } from './epoch-history.ts'

/** Why a position leads nowhere: the log does not have it, or the topic was deleted and made anew. */
export type ResetReason = 'out-of-range' | 'recreated'

/** Reading position of one partition that is ours. A new object per assignment: late answers find another one. */
export interface Position {
  readonly target: TopicPartition
  offset: number
  /** Grows when not even one batch fits. */
  maxBytes: number
  /** The broker that is asked about it now. */
  inFlightAt: number | undefined
  /** The last answer brought nothing: there is no hurry to ask again. */
  quiet: boolean
  retryAtMs: number
  /** Failures in a row. */
  tries: number
  /** The offset leads nowhere; another one is to be found first. */
  reset: ResetReason | undefined
  /** A replica that the leader sent us to, because it stands in our rack (KIP-392). */
  follower: { readonly node: number; readonly untilMs: number } | undefined
  /** Until then only the leader is asked: a follower failed. */
  leaderUntilMs: number
  readonly epochs: EpochHistory
  /** The leader epoch under which the offset is known to be in the log (KIP-320); -1: none. */
  checkedEpoch: number
}

/** `epoch`: of the last record before `offset`, -1 when nobody knows. */
export const positionAt = (target: TopicPartition, offset: number, maxBytes: number, epoch: number): Position => ({
  target,
  offset,
  maxBytes,
  inFlightAt: undefined,
  quiet: false,
  retryAtMs: 0,
  tries: 0,
  reset: undefined,
  follower: undefined,
  leaderUntilMs: 0,
  epochs: new EpochHistory(offset, epoch),
  checkedEpoch: -1
})

/**
 * The leader has changed since the offset was last known to be in the log: what was read may have been cut off. Records of
 * one epoch are written by one leader, so that within it nothing is.
 */
export function mustCheck({ epochs, checkedEpoch }: Position, leaderEpoch: number): boolean {
  return leaderEpoch > checkedEpoch && epochs.last >= 0 && epochs.last !== leaderEpoch
}
