import type { EventSource, MappingSpec } from '../core/mapping/mapping.ts'
import type { ClusterAddress } from './consumer.ts'

/** What of a mapping decides how its cluster is reached. */
export type SourceWish = Pick<MappingSpec, 'source' | 'sourceAccess' | 'tags'>

/** Finds the brokers of an event source, and how to prove to them who we are. */
export interface ClusterDirectory {
  /**
   * Rejects within seconds: with `MILL_CLUSTER_UNKNOWN`, `MILL_CLUSTER_UNFIT` or `MILL_PARAMETER_INVALID` when the mapping
   * or the cluster must be changed, with `MILL_AWS_…` or `MILL_ROLE_REFUSED` when AWS could not be asked, with
   * `MILL_CLUSTER_BUSY` when it is worth asking again.
   */
  address(wish: SourceWish): Promise<ClusterAddress>
  /** None of its brokers can be reached: they are asked for anew the next time. */
  gone(source: EventSource): void
}
