import type { Unit } from './debt.ts'
import type { Owner } from './owner.ts'
import type { SimRecord } from './partition-log.ts'
import type { Tenure } from './tenure.ts'

/** One call of the function, as the function saw it. */
export interface Call {
  readonly owner: Owner
  readonly requestId: string
  readonly event: Uint8Array
  /** Of the event's bytes when it was sent: they must not change until the answer. */
  readonly sample: number
  readonly parts: readonly CallPart[]
  readonly records: number
}

/** What a call has of one partition. */
export interface CallPart {
  readonly tenure: Tenure
  /** How often the log had been cut when the call began. */
  readonly cuts: number
  readonly records: readonly SimRecord[]
  /** Absent: nobody outside can say. */
  unit?: Unit
}

/** What an answer of the function means for what it was called with. */
export type Meaning =
  | { readonly kind: 'done' }
  /** It named these. */
  | { readonly kind: 'part-failed'; readonly failed: ReadonlySet<SimRecord> }
  | { readonly kind: 'failed' }
  /** Nothing is known to have run. */
  | { readonly kind: 'missed' }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'aborted' }
