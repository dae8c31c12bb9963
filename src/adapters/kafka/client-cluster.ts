import type { Clock } from '../../ports/clock.ts'
import type { ClusterAddress } from '../../ports/consumer.ts'
import { BufferPool } from './buffer-pool.ts'
import { Cluster } from './cluster.ts'

export interface ClientClusterOptions {
  readonly address: ClusterAddress
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  /** Default: answers are not pooled. */
  readonly pool?: BufferPool
}

/** The cluster as those see it who are in no group: producers, and readers of a topic. */
export function openClientCluster(options: ClientClusterOptions, deps: { readonly clock: Clock }): Cluster {
  const { address, clientId, connectTimeoutMs, requestTimeoutMs, pool = new BufferPool(0) } = options
  const { bootstrapServers } = address
  return new Cluster({ bootstrapServers, clientId, connectTimeoutMs, requestTimeoutMs }, { clock: deps.clock, pool })
}
