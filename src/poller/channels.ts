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

export interface DropMessage {
  readonly mapping: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly bytes: number
}

export interface CommitMessage {
  readonly mapping: string
  readonly offsets: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]
}

export interface PartitionMessage {
  readonly mapping: string
  readonly topic: string
  readonly partition: number
}

export const batchSettled = channel('millrace:batch:settled')
export const batchRetried = channel('millrace:batch:retried')
export const recordDropped = channel('millrace:record:dropped')
export const offsetsCommitted = channel('millrace:offsets:committed')
export const partitionAssigned = channel('millrace:partition:assigned')
export const partitionReleased = channel('millrace:partition:released')
