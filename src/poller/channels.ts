import { channel } from 'node:diagnostics_channel'
import type { CloseReason } from '../core/batch/assembler.ts'

/** What tracing subscribes to in production is what tests wait for. Messages are plain data; see the interfaces. */
export interface BatchMessage {
  readonly mapping: string
  readonly requestId: string
  readonly records: number
  readonly reason: CloseReason
}

export interface RetryMessage extends BatchMessage {
  readonly error: string
  readonly waitMs: number
}

/** Two halves of a batch go their own ways. */
export interface SplitMessage extends BatchMessage {
  readonly cause: 'bisect' | 'size'
  readonly error: string
}

export interface GivenUpMessage {
  readonly mapping: string
  /** Of the last call; one of its own where there was none. */
  readonly requestId: string
  readonly condition: 'retries' | 'size' | 'age'
  readonly records: number
  /** Calls of them that ran and failed. */
  readonly calls: number
  /** `first` and `last` offset; what lies between need not be part of it. */
  readonly partitions: readonly {
    readonly topic: string
    readonly partition: number
    readonly first: number
    readonly last: number
  }[]
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

export interface PartitionMessage {
  readonly mapping: string
  readonly topic: string
  readonly partition: number
}

export const batchSettled = channel('millrace:batch:settled')
export const batchRetried = channel('millrace:batch:retried')
export const batchSplit = channel('millrace:batch:split')
export const recordsGivenUp = channel('millrace:records:given-up')
export const destinationHeld = channel('millrace:destination:held')
export const offsetsCommitted = channel('millrace:offsets:committed')
export const partitionAssigned = channel('millrace:partition:assigned')
export const partitionReleased = channel('millrace:partition:released')
