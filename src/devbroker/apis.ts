import type { Api } from './api.ts'
import { apiVersions } from './handlers/api-versions.ts'
import { describeCluster, describeLogDirs, listPartitionReassignments, saslHandshake } from './handlers/cluster.ts'
import { alterConfigs, describeConfigs, incrementalAlterConfigs } from './handlers/configs.ts'
import { consumerGroupDescribe, consumerGroupHeartbeat } from './handlers/consumer-groups.ts'
import { fetch } from './handlers/fetch.ts'
import { deleteGroups, describeGroups, listGroups } from './handlers/group-admin.ts'
import { findCoordinator, heartbeat, joinGroup, leaveGroup, syncGroup } from './handlers/group-membership.ts'
import { offsetCommit, offsetDelete, offsetFetch } from './handlers/group-offsets.ts'
import { listOffsets, offsetForLeaderEpoch } from './handlers/list-offsets.ts'
import { metadata } from './handlers/metadata.ts'
import { produce } from './handlers/produce.ts'
import { initProducerId } from './handlers/producer-ids.ts'
import { createPartitions, createTopics, deleteRecords, deleteTopics } from './handlers/topic-admin.ts'

const all: readonly Api[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  saslHandshake,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
  describeConfigs,
  alterConfigs,
  describeLogDirs,
  createPartitions,
  deleteGroups,
  incrementalAlterConfigs,
  listPartitionReassignments,
  offsetDelete,
  describeCluster,
  consumerGroupHeartbeat,
  consumerGroupDescribe
]

/** Every request this broker understands, by its key. */
export const apis: ReadonlyMap<number, Api> = new Map([...all, apiVersions(all)].map(api => [api.key, api]))

const shortNames: Readonly<Record<string, string>> = {
  commit: 'OffsetCommit',
  join: 'JoinGroup',
  sync: 'SyncGroup',
  leave: 'LeaveGroup'
}

/** Finds an API by Kafka's name for it, in any case, or by a short name. Throws when there is none. */
export function apiNamed(name: string): Api {
  const wanted = (shortNames[name.toLowerCase()] ?? name).toLowerCase()
  const found = [...apis.values()].find(api => api.name.toLowerCase() === wanted)
  if (found !== undefined) return found
  const known = [...apis.values()].map(api => api.name).join(', ')
  throw new Error(`no API is called "${name}"; known: ${known}`)
}
