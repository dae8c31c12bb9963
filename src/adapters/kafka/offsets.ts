import type { StartingPosition } from '../../core/mapping/mapping.ts'
import { apis } from './apis.ts'
import type { Cluster, TopicInfo } from './cluster.ts'
import type { CoordinatorFinder } from './coordinator.ts'
import type { GroupIdentity } from './group-protocol.ts'
import { errorCode, KafkaRefusal } from './problems.ts'

/** What ListOffsets takes instead of a time. */
export const listAt = { latest: -1, earliest: -2 } as const

/** Sees committed data only: the end is the last stable offset. */
const readCommitted = 1

/** An offset, or why there is none. */
export type OffsetAnswer = number | Error

type OffsetFetchTopics = readonly {
  readonly partitions: readonly {
    readonly partitionIndex: number
    readonly committedOffset: bigint
    readonly errorCode: number
  }[]
}[]

/**
 * Asks the group's coordinator for committed offsets; -1: none. Transactional ones that are pending are waited for.
 * As a member of the protocol `consumer` (`as`) it is refused when the epoch is not the present one.
 */
export async function committedOffsets(
  cluster: Cluster,
  coordinator: CoordinatorFinder,
  group: Pick<GroupIdentity, 'groupId'>,
  topic: string,
  partitions: readonly number[],
  as?: GroupIdentity
): Promise<Map<number, OffsetAnswer>> {
  const wire = await coordinator.wire('commit')
  const topics = [{ name: topic, partitionIndexes: [...partitions] }]
  const member =
    as?.protocol === 'consumer'
      ? { memberId: as.memberId, memberEpoch: as.generation }
      : { memberId: null, memberEpoch: -1 }
  const request = { groupId: group.groupId, ...member, topics }
  const response = await cluster.call(wire, apis.offsetFetch, [[request], true])
  const what = `fetching committed offsets of group ${group.groupId}`
  // From version 8 on groups are asked together; before, the one group's answer is the whole response.
  const older = response as unknown as { readonly errorCode?: number; readonly topics?: OffsetFetchTopics }
  const whole = (response as Partial<typeof response>).groups?.[0] ?? older
  const code = whole.errorCode ?? errorCode.none
  if (code !== errorCode.none) {
    coordinator.forget()
    throw new KafkaRefusal(code, what)
  }
  const found = new Map<number, OffsetAnswer>()
  for (const each of whole.topics?.[0]?.partitions ?? [])
    found.set(
      each.partitionIndex,
      each.errorCode === errorCode.none ? Number(each.committedOffset) : new KafkaRefusal(each.errorCode, what)
    )
  return found
}

/** Asks each leader. `timestampMs`: epoch milliseconds, or one of `listAt`. -1 is answered when nothing is that young. */
export async function listOffsets(
  cluster: Cluster,
  topic: TopicInfo,
  wanted: ReadonlyMap<number, number>
): Promise<Map<number, OffsetAnswer>> {
  const byLeader = new Map<number, number[]>()
  const found = new Map<number, OffsetAnswer>()
  for (const partition of wanted.keys()) {
    const leader = topic.partitions.get(partition)?.leader ?? -1
    if (leader < 0) found.set(partition, new KafkaRefusal(errorCode.leaderNotAvailable, whatOf(topic, partition)))
    else byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition])
  }
  await Promise.all(
    [...byLeader].map(async ([leader, partitions]) => {
      try {
        const wire = await cluster.wireTo(leader, 'control')
        const asked = partitions.map(partitionIndex => ({
          partitionIndex,
          currentLeaderEpoch: -1,
          timestamp: BigInt(Math.ceil(wanted.get(partitionIndex)!))
        }))
        const response = await cluster.call(wire, apis.listOffsets, [
          -1,
          readCommitted,
          [{ name: topic.name, partitions: asked }]
        ])
        for (const each of response.topics[0]?.partitions ?? [])
          found.set(
            each.partitionIndex,
            each.errorCode === errorCode.none
              ? Number(each.offset)
              : new KafkaRefusal(each.errorCode, whatOf(topic, each.partitionIndex))
          )
      } catch (error) {
        for (const partition of partitions) found.set(partition, error as Error)
      }
    })
  )
  return found
}

const whatOf = (topic: TopicInfo, partition: number): string =>
  `finding an offset of partition ${partition} of ${topic.name}`

/** What the group had committed before this consumer joined it, to tell a new group from new partitions. */
export interface GroupHistory {
  /** Partitions the topic had then. */
  readonly partitionCount: number
  /** The group had committed for at least one of them. */
  readonly known: boolean
}

/**
 * What to ask ListOffsets for a partition without a committed offset. LATEST means the end as the group begins; a
 * partition that came later begins at its start, so that nothing written to it meanwhile is missed.
 */
export function startTimestamp(position: StartingPosition, partition: number, history: GroupHistory): number {
  switch (position.kind) {
    case 'TRIM_HORIZON':
      return listAt.earliest
    case 'AT_TIMESTAMP':
      return position.timestampMs
    case 'LATEST':
      return history.known || partition >= history.partitionCount ? listAt.earliest : listAt.latest
    default:
      throw new Error(`no start for ${position satisfies never}`)
  }
}

/** Where reading goes on when the log no longer has the offset (reference 3.10): never silently, the caller tells. */
export const resetTimestamp = (position: StartingPosition): number =>
  position.kind === 'LATEST' ? listAt.latest : listAt.earliest
