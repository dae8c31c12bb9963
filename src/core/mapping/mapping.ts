/** AWS's states of a mapping (reference 1.6). There is no failed state. */
export const mappingStates = [
  'Creating',
  'Enabling',
  'Enabled',
  'Disabling',
  'Disabled',
  'Updating',
  'Deleting'
] as const
export type MappingState = (typeof mappingStates)[number]

export type EventSource =
  | { readonly kind: 'msk'; readonly arn: string }
  | { readonly kind: 'self-managed'; readonly bootstrapServers: readonly string[] }

export type StartingPosition =
  | { readonly kind: 'TRIM_HORIZON' }
  | { readonly kind: 'LATEST' }
  | { readonly kind: 'AT_TIMESTAMP'; readonly timestampMs: number }

export interface SourceAccess {
  readonly Type: string
  readonly URI: string
}

/** What the user wants, checked: nobody downstream checks again. */
export interface MappingSpec {
  /** As FunctionArn is returned: with the qualifier that was written, none added (reference 1.4). */
  readonly functionArn: string
  /** The bare name, to look the function up by. */
  readonly functionName: string
  /** Version or alias, when one was written. */
  readonly qualifier?: string
  readonly source: EventSource
  readonly topic: string
  readonly consumerGroupId: string
  readonly startingPosition: StartingPosition
  readonly batchSize: number
  /** Absent: AWS's 500 ms, which cannot be set (reference 3.2). */
  readonly windowSeconds?: number
  readonly enabled: boolean
  /** Batches in flight over different partitions of a poller; absent: 5 (reference 15, 2). */
  readonly parallelizationFactor?: number
  /** Echoed as sent; absent when never given. */
  readonly sourceAccess?: readonly SourceAccess[]
  /** Tries after the first; -1: for ever. Absent: -1. */
  readonly maximumRetryAttempts?: number
  /** -1 or 60 to 604,800; absent: -1, no limit. */
  readonly maximumRecordAgeSeconds?: number
  readonly bisectBatchOnFunctionError?: boolean
  readonly functionResponseTypes?: readonly string[]
  /** Texts of the patterns of which a record must match one; absent: all pass. Never empty. */
  readonly filters?: readonly string[]
  /** Where what is given up goes, as it was written and checked; absent: nowhere. */
  readonly destination?: string
  readonly tags: Readonly<Record<string, string>>
}

/** A mapping as the store keeps it. */
export interface Mapping {
  readonly uuid: string
  /** Grows with every change; an update names the version it read (compare and set). */
  readonly version: number
  /** Grows only when `spec` changes: what a running poller compares. */
  readonly specVersion: number
  readonly spec: MappingSpec
  readonly state: MappingState
  readonly stateTransitionReason: string
  readonly lastProcessingResult: string
  /** Epoch milliseconds. */
  readonly lastModifiedMs: number
}

export const defaultBatchSize = 100
export const defaultWindowMs = 500
export const defaultParallelizationFactor = 5

export const windowMs = (spec: MappingSpec): number =>
  spec.windowSeconds === undefined ? defaultWindowMs : spec.windowSeconds * 1000

/** As AWS words it for a mapping that has not processed anything (reference 9.6). */
export const noRecordsProcessed = 'No records processed'
export const processedOk = 'OK'
export const userInitiated = 'USER_INITIATED'
