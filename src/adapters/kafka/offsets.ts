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

/** What the group's coordinator keeps of a partition. */
export interface Committed {
  /** -1: nothing was committed. */
  readonly offset: number
  /** Of the last record before the offset; -1: nobody said. */
  readonly leaderEpoch: number
  /** Empty: none. */
  readonly metadata: string
}

/** As every version has it. */
interface OffsetFetchAnswer {
  readonly errorCode?: number
  readonly topics?: readonly {
    readonly partitions: readonly {
      readonly partitionIndex: number
      readonly committedOffset: bigint
      /** Told since version 5 only. */
      readonly committedLeaderEpoch?: number
      readonly metadata: string | null
      readonly errorCode: number
    }[]
  }[]
}

/**
 * Asks the group's coordinator for committed offsets. Transactional ones that are pending are waited for.
 * As a member of the protocol `consumer` (`as`) it is refused when the epoch is not the present one.
 */
export async function committedOffsets(
  cluster: Cluster,
  coordinator: CoordinatorFinder,
  group: Pick<GroupIdentity, 'groupId'>,
  topic: string,
  partitions: readonly number[],
  as?: GroupIdentity
): Promise<Map<number, Committed | Error>> {
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
  const older = response as unknown as OffsetFetchAnswer
  const whole = (response as unknown as { readonly groups?: readonly OffsetFetchAnswer[] }).groups?.[0] ?? older
  const code = whole.errorCode ?? errorCode.none
  if (code !== errorCode.none) {
    coordinator.forget()
    throw new KafkaRefusal(code, what)
  }
  const found = new Map<number, Committed | Error>()
  const answers = whole.topics?.[0]?.partitions ?? []
  for (const { partitionIndex, committedOffset, committedLeaderEpoch: leaderEpoch = -1, metadata, ...each } of answers)
    found.set(
      partitionIndex,
      each.errorCode === errorCode.none
        ? { offset: Number(committedOffset), leaderEpoch, metadata: metadata ?? '' }
        : new KafkaRefusal(each.errorCode, what)
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
          currentLeaderEpoch: topic.partitions.get(partitionIndex)!.leaderEpoch,
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

/** Where the log of a leader says that an epoch ended. */
export interface EpochEnd {
  /** The epoch that was asked for, or the last before it that the log has; -1: it has none of them. */
  readonly leaderEpoch: number
  /** One past the last record of that epoch. */
  readonly endOffset: number
}

/** Before, only brokers might ask (KIP-320). */
const firstForConsumers = 3

/**
 * Asks the leader `node` where epochs ended, by partition. Undefined: this broker tells no consumer.
 * Rejects with BrokerUnreachable; what is refused of one partition is its error.
 */
export async function epochEnds(
  cluster: Cluster,
  topic: TopicInfo,
  node: number,
  epochs: ReadonlyMap<number, number>
): Promise<Map<number, EpochEnd | Error> | undefined> {
  const wire = await cluster.wireTo(node, 'control')
  const offered = cluster.offered(wire).get(apis.offsetForLeaderEpoch.key)
  if (offered === undefined || offered.max < firstForConsumers) return undefined
  const partitions = [...epochs].map(([partitionIndex, leaderEpoch]) => ({
    partitionIndex,
    currentLeaderEpoch: topic.partitions.get(partitionIndex)?.leaderEpoch ?? -1,
    leaderEpoch
  }))
  const response = await cluster.call(wire, apis.offsetForLeaderEpoch, [-1, [{ name: topic.name, partitions }]])
  return new Map(
    (response.topics[0]?.partitions ?? []).map(({ partition, leaderEpoch, endOffset, ...each }) => [
      partition,
      each.errorCode === errorCode.none
        ? { leaderEpoch, endOffset: Number(endOffset) }
        : new KafkaRefusal(each.errorCode, whatOf(topic, partition))
    ])
  )
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
