import type { AddressGuard } from '../../core/net/address-guard.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ClusterSecrets } from '../../ports/cluster-security.ts'
import type { ClusterAddress } from '../../ports/consumer.ts'
import type { Log } from '../../ports/log.ts'
import type { LoginTurns } from '../../ports/login-turns.ts'
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

export interface ClientDeps {
  readonly clock: Clock
  readonly log: Log
  /** With any security but plaintext. */
  readonly secrets?: ClusterSecrets
  /** Shared by all who may show the same credentials; absent: they are nobody else's. */
  readonly logins?: LoginTurns
  /** Addresses not to connect to. Default: those of metadata services. */
  readonly guard?: AddressGuard
}

/** The cluster as those see it who are in no group: producers, and readers of a topic. */
export function openClientCluster(options: ClientClusterOptions, deps: ClientDeps): Cluster {
  const { address, clientId, connectTimeoutMs, requestTimeoutMs, pool = new BufferPool(0) } = options
  const { bootstrapServers, security } = address
  const settings = { bootstrapServers, clientId, connectTimeoutMs, requestTimeoutMs }
  return new Cluster(security === undefined ? settings : { ...settings, security }, { ...deps, pool })
}
