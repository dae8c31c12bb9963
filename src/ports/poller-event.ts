/** Records of a partition: `first` and `last` offset; what lies between need not be part of it. */
export interface RecordRange {
  readonly topic: string
  readonly partition: number
  readonly first: number
  readonly last: number
}

export interface PartitionMessage {
  readonly mapping: string
  readonly topic: string
  readonly partition: number
}

export interface AssignedMessage extends PartitionMessage {
  /** Where reading begins. */
  readonly startOffset: number
}

/** Records that were read. */
export interface FetchedMessage extends PartitionMessage {
  readonly first: number
  readonly last: number
  /** Of them for the function. */
  readonly records: number
  /** And those that no filter took. */
  readonly filteredOut: number
}

/** A call of the function begins. */
export interface CallMessage {
  readonly mapping: string
  readonly requestId: string
  readonly records: number
  readonly partitions: readonly RecordRange[]
}

/** A call has ended, and what follows for its records. */
export interface CallEndedMessage extends CallMessage {
  readonly step: 'settle' | 'again' | 'split' | 'discard'
  /** Absent when all went well. */
  readonly error?: string
  /** How many of its records the function named as failed; absent: all of them. */
  readonly failed?: number
  /** Until they are tried again. */
  readonly waitMs?: number
  /** Calls of them that ran and failed so far. */
  readonly failures?: number
}

export interface GivenUpMessage {
  readonly mapping: string
  /** Of the last call; one of its own where there was none. */
  readonly requestId: string
  readonly condition: 'retries' | 'size' | 'age'
  readonly records: number
  /** Calls of them that ran and failed. */
  readonly calls: number
  readonly partitions: readonly RecordRange[]
  /** Who took them; absent: nobody, they were dropped. */
  readonly destination?: string
}

/** The destination did not take them: their partitions wait. */
export interface HeldMessage extends GivenUpMessage {
  readonly error: string
  readonly waitMs: number
}

export interface CommitMessage {
  readonly mapping: string
  readonly offsets: readonly {
    readonly topic: string
    readonly partition: number
    readonly offset: number
    /** Progress above the offset (`core/offsets/metadata`). */
    readonly metadata?: string
  }[]
}

/** What befell a mapping's records, as it happens: for a live picture. Plain data: it crosses from a poller's thread. */
export type PollerEvent =
  | (AssignedMessage & { readonly kind: 'assigned' })
  | (PartitionMessage & { readonly kind: 'released' })
  | (FetchedMessage & { readonly kind: 'fetched' })
  | (CallMessage & { readonly kind: 'call-started' })
  | (CallEndedMessage & { readonly kind: 'call-ended' })
  | (GivenUpMessage & { readonly kind: 'given-up' })
  | (HeldMessage & { readonly kind: 'held' })
  | (CommitMessage & { readonly kind: 'committed' })
  /** What LastProcessingResult says now. */
  | { readonly kind: 'result'; readonly mapping: string; readonly text: string }

/** `atMs`: when it happened, epoch. Must not throw. */
export type OnPollerEvent = (event: PollerEvent, atMs: number) => void
