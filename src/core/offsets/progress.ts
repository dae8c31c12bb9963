/** Why records are given up, and what their report says of the last call. Decided once, also when owners change. */
export interface GiveUp {
  readonly condition: 'retries' | 'size' | 'age'
  /** Of the last call; one of its own where there was none. */
  readonly requestId: string
  /** What the function's answer was; absent: there was none that counts. */
  readonly response?: { readonly executedVersion: string; readonly functionError: string | null }
}

/** Offsets `first` (included) to `next` (excluded): the unfinished records in there are called together. */
export interface Piece {
  readonly first: number
  readonly next: number
  /** Calls of them that ran and failed. */
  readonly failures: number
  readonly giveUp?: GiveUp
}

/** Offsets `first` (included) to `next` (excluded). */
export interface OffsetRange {
  readonly first: number
  readonly next: number
}

/**
 * What the committed offset alone does not say of a partition: pieces that are being retried, ascending and disjoint,
 * and what is finished of their batch. Travels in the commit's metadata (`metadata.ts`), from owner to owner.
 */
export interface Progress {
  /** The committed offset this goes with. */
  readonly offset: number
  readonly pieces: readonly Piece[]
  /** Finished offsets above `offset`, ascending, disjoint. */
  readonly done: readonly OffsetRange[]
  /**
   * The newest leader epoch that its owner had read a record of. Records of a newer one were written later: where they have
   * these offsets, the log was cut meanwhile. Absent: not known.
   */
  readonly leaderEpoch?: number
}
