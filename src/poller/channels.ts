import { channel } from 'node:diagnostics_channel'
import type { CloseReason } from '../core/batch/assembler.ts'

import type { RecordRange } from '../ports/poller-event.ts'

export type {
  AssignedMessage,
  CallEndedMessage,
  CallMessage,
  CommitMessage,
  FetchedMessage,
  GivenUpMessage,
  HeldMessage,
  PartitionMessage
} from '../ports/poller-event.ts'

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
  /** What is split, a range for each partition. */
  readonly partitions: readonly RecordRange[]
  readonly cause: 'bisect' | 'size'
  readonly error: string
}

export const recordsFetched = channel('millrace:records:fetched')
export const callStarted = channel('millrace:call:started')
export const callEnded = channel('millrace:call:ended')
export const batchSettled = channel('millrace:batch:settled')
export const batchRetried = channel('millrace:batch:retried')
export const batchSplit = channel('millrace:batch:split')
export const recordsGivenUp = channel('millrace:records:given-up')
export const destinationHeld = channel('millrace:destination:held')
export const offsetsCommitted = channel('millrace:offsets:committed')
export const partitionAssigned = channel('millrace:partition:assigned')
export const partitionReleased = channel('millrace:partition:released')
