import type { EventSourceMappingConfiguration } from '../core/mapping/render.ts'

export type { EventSourceMappingConfiguration } from '../core/mapping/render.ts'

/** Answer of ListEventSourceMappings. */
export interface EventSourceMappingList {
  readonly EventSourceMappings: readonly EventSourceMappingConfiguration[]
  readonly NextMarker?: string
}

/** AWS's FunctionConfiguration, as far as a function here has what it describes. */
export interface FunctionConfiguration {
  readonly FunctionName: string
  readonly FunctionArn: string
  readonly Description: string
  readonly Timeout: number
  readonly MemorySize: number
  readonly Version: string
  readonly State: 'Active'
  readonly LastUpdateStatus: 'Successful'
  readonly PackageType: 'Zip' | 'Image'
  readonly LastModified: string
}

/** Answer of GetFunction. */
export interface FunctionDescription {
  readonly Configuration: FunctionConfiguration
  /** Nobody can fetch the code from here; there because clients take it for granted. */
  readonly Code: Readonly<Record<string, never>>
  readonly Tags: Readonly<Record<string, string>>
}

/** Answer of ListFunctions. */
export interface FunctionList {
  readonly Functions: readonly FunctionConfiguration[]
  readonly NextMarker?: string
}

/** Answer of ListTags. */
export interface TagList {
  readonly Tags: Readonly<Record<string, string>>
}

/** Answer of GetAccountSettings. */
export interface AccountSettings {
  readonly AccountLimit: {
    readonly TotalCodeSize: number
    readonly CodeSizeUnzipped: number
    readonly CodeSizeZipped: number
    readonly ConcurrentExecutions: number
    readonly UnreservedConcurrentExecutions: number
  }
  readonly AccountUsage: { readonly TotalCodeSize: number; readonly FunctionCount: number }
}

/** One change of a mapping. `Changes` names members as the API does; `From` or `To` is absent where there was or is none. */
export interface MappingHistoryEntry {
  /** Epoch seconds. */
  readonly At: number
  /** The access key's id, or `fleet`. */
  readonly Who: string
  /** CloudTrail's name, or what the fleet did by itself. */
  readonly Operation: string
  readonly Changes: readonly { readonly Field: string; readonly From?: unknown; readonly To?: unknown }[]
}

/** Answer of our own operation GetEventSourceMappingHistory; newest last. */
export interface MappingHistory {
  readonly History: readonly MappingHistoryEntry[]
  readonly NextMarker?: string
}

/**
 * Answer of our own operation GetEventSourceMappingFilterExplanation: of refused records that were looked at, which condition
 * of each filter was the first that failed. Counted by the process that answers.
 */
export interface FilterExplanation {
  readonly UUID: string
  /** The mapping has the tag millrace:filter-explain=on. */
  readonly Enabled: boolean
  /** One refused record in so many is looked at. */
  readonly SampledEvery: number
  /** How many were. */
  readonly SampledEventCount: number
  /** Epoch seconds; absent while there were none. */
  readonly Since?: number
  readonly Filters: readonly {
    readonly Pattern: string
    /** Most first. */
    readonly RefusedBy: readonly { readonly Condition: string; readonly SampledEventCount: number }[]
  }[]
}

/** Every error. Some of AWS's types have `message`, some `Message` (reference 1.9). */
export interface ErrorBody {
  readonly Type?: 'User' | 'Service'
  readonly message?: string
  readonly Message?: string
  readonly Reason?: string
}
