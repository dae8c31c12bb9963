import type { Author, HistoryEntry } from '../core/mapping/history.ts'
import type { Mapping, MappingSpec } from '../core/mapping/mapping.ts'

export interface MappingFilter {
  /** Exact FunctionArn, qualifier included. */
  readonly functionArn?: string
  /** Exact ARN of an MSK source. */
  readonly eventSourceArn?: string
}

export interface MappingPage {
  readonly mappings: readonly Mapping[]
  /** Opaque: give it back to go on; absent on the last page. */
  readonly next?: string
}

export interface HistoryPage {
  /** Oldest first. */
  readonly entries: readonly HistoryEntry[]
  /** Opaque: give it back to go on; absent on the last page. */
  readonly next?: string
}

/** Changes to a stored mapping. Members left out stay. */
export interface MappingChange {
  /** Given: `specVersion` grows. */
  readonly spec?: MappingSpec
  /** Replaces the spec's tags and nothing else of it: `specVersion` stays. Of tags that a poller reads, give the `spec`. */
  readonly tags?: Readonly<Record<string, string>>
  readonly state?: Mapping['state']
  readonly stateTransitionReason?: string
  readonly lastProcessingResult?: string
  readonly lastModifiedMs?: number
}

/**
 * Where mappings live; the only meeting point of API and fleet. Fit for many processes: every write names the version
 * it read, changes are announced, and each is kept in the mapping's history together with it. All methods reject with `MILL_STORE_UNAVAILABLE` when the store cannot be used.
 */
export interface MappingStore extends AsyncDisposable {
  /** Keeps a new mapping. The store decides races: `MILL_MAPPING_CONFLICT` (same function, topic and a common source), `MILL_GROUP_CONFLICT`. */
  insert(mapping: Mapping, author: Author): Promise<void>
  get(uuid: string): Promise<Mapping | undefined>
  /** In the order of creation; at most `limit` (1 to 10,000). */
  list(filter: MappingFilter, limit: number, after?: string): Promise<MappingPage>
  /** Compare and set: the mapping as it is now, or undefined when `version` is not the present one (or it has gone). */
  update(uuid: string, version: number, change: MappingChange, author: Author): Promise<Mapping | undefined>
  /** True when it was removed at that version. */
  remove(uuid: string, version: number, author: Author): Promise<boolean>
  /** Who changed what, also of a mapping that has gone; at most `limit` (1 to 1,000). Kept as `keptEntries` says. */
  history(uuid: string, limit: number, after?: string): Promise<HistoryPage>
  /** Calls `listener` after each change with the mapping's UUID; returns how to stop. */
  watch(listener: (uuid: string) => void): () => void
}
