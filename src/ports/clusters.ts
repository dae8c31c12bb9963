import type { EventSource } from '../core/mapping/mapping.ts'
import type { ClusterAddress } from './consumer.ts'

/** Finds the brokers of an event source. */
export interface ClusterDirectory {
  /** Rejects with `MILL_CLUSTER_UNKNOWN` when the ARN is not known. */
  address(source: EventSource): Promise<ClusterAddress>
}
