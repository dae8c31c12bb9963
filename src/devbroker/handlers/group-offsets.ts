import { defineApi } from '../api.ts'
import type { RequestContext } from '../api.ts'
import { errorCodes } from '../error-codes.ts'
import { maxMetadataLength } from '../offset-store.ts'
import type { OffsetStore } from '../offset-store.ts'
import * as s from '../wire-schema.ts'

const commitRequest = s.struct({
  groupId: s.string,
  generationIdOrMemberEpoch: s.since(1, s.int32, -1),
  memberId: s.since(1, s.string),
  groupInstanceId: s.since(7, s.nullableString),
  retentionTimeMs: s.between(2, 4, s.int64, -1),
  topics: s.array(
    s.struct({
      name: s.until(9, s.string),
      topicId: s.since(10, s.uuid),
      partitions: s.array(
        s.struct({
          partitionIndex: s.int32,
          committedOffset: s.int64,
          committedLeaderEpoch: s.since(6, s.int32, -1),
          committedMetadata: s.nullableString
        })
      )
    })
  )
})

const commitResponse = s.struct({
  throttleTimeMs: s.since(3, s.int32),
  topics: s.array(
    s.struct({
      name: s.until(9, s.string),
      topicId: s.since(10, s.uuid),
      partitions: s.array(s.struct({ partitionIndex: s.int32, errorCode: s.int16 }))
    })
  )
})

type CommitTopic = s.Reading<typeof commitRequest>['topics'][number]

function commitTopic(
  groupId: string,
  { name, topicId, partitions }: CommitTopic,
  { broker, version }: RequestContext
): s.Writing<typeof commitResponse>['topics'][number] {
  const byId = version >= 10
  const topic = byId ? broker.topics.byId(topicId) : broker.topics.get(name)
  const commit = ({ partitionIndex, ...committed }: CommitTopic['partitions'][number]): number => {
    if (topic === undefined && byId) return errorCodes.UNKNOWN_TOPIC_ID
    if (topic?.partitions[partitionIndex] === undefined) return errorCodes.UNKNOWN_TOPIC_OR_PARTITION
    const metadata = committed.committedMetadata ?? ''
    if (metadata.length > maxMetadataLength) return errorCodes.OFFSET_METADATA_TOO_LARGE
    const { committedOffset: offset, committedLeaderEpoch: leaderEpoch } = committed
    broker.groups.commit({ groupId, topic: topic.name, partition: partitionIndex, offset, metadata }, leaderEpoch)
    return errorCodes.NONE
  }
  return {
    name,
    topicId,
    partitions: partitions.map(one => ({ partitionIndex: one.partitionIndex, errorCode: commit(one) }))
  }
}

function refuseCommit(topics: readonly CommitTopic[], errorCode: number): s.Writing<typeof commitResponse> {
  return {
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode }))
    }))
  }
}

export const offsetCommit = defineApi({
  key: 8,
  name: 'OffsetCommit',
  versions: [1, 10],
  flexibleFrom: 8,
  request: commitRequest,
  response: commitResponse,
  handle({ groupId, memberId, groupInstanceId: instanceId, generationIdOrMemberEpoch: generation, topics }, context) {
    const error = context.broker.groups.checkCommit(groupId, { memberId, instanceId, generation })
    if (error !== errorCodes.NONE) return refuseCommit(topics, error)
    return { topics: topics.map(topic => commitTopic(groupId, topic, context)) }
  },
  refuse: ({ topics }, error) => refuseCommit(topics, error)
})

const fetchedPartition = s.struct({
  partitionIndex: s.int32,
  committedOffset: s.int64,
  committedLeaderEpoch: s.since(5, s.int32, -1),
  metadata: s.nullableString,
  errorCode: s.int16
})

const askedTopic = s.struct({
  name: s.until(9, s.string),
  topicId: s.since(10, s.uuid),
  partitionIndexes: s.array(s.int32)
})
const answeredTopic = s.struct({
  name: s.until(9, s.string),
  topicId: s.since(10, s.uuid),
  partitions: s.array(fetchedPartition)
})

const fetchRequest = s.struct({
  groupId: s.until(7, s.string),
  topics: s.until(7, s.nullableArray(askedTopic)),
  groups: s.since(
    8,
    s.array(
      s.struct({
        groupId: s.string,
        memberId: s.since(9, s.nullableString),
        memberEpoch: s.since(9, s.int32, -1),
        topics: s.nullableArray(askedTopic)
      })
    )
  ),
  requireStable: s.since(7, s.bool)
})

const fetchResponse = s.struct({
  throttleTimeMs: s.since(3, s.int32),
  topics: s.until(7, s.array(answeredTopic)),
  errorCode: s.between(2, 7, s.int16),
  groups: s.since(8, s.array(s.struct({ groupId: s.string, topics: s.array(answeredTopic), errorCode: s.int16 })))
})

type AskedTopics = readonly s.Reading<typeof askedTopic>[] | null

/** The asked partitions, or (asked for `null`) all that have a commit. Without a commit the offset is −1. */
function lookUp(
  offsets: OffsetStore | undefined,
  asked: AskedTopics,
  { broker, version }: RequestContext
): s.Writing<typeof answeredTopic>[] {
  const all = () => (offsets?.all() ?? []).map(({ topic, partitions }) => ({ topic, partitions, id: idOf(topic) }))
  const idOf = (name: string) => broker.topics.get(name)?.id ?? s.uuid.absent
  const nameOf = (id: string) => broker.topics.byId(id)?.name
  const wanted =
    asked?.map(({ name, topicId, partitionIndexes }) => {
      return { topic: version < 10 ? name : nameOf(topicId), partitions: partitionIndexes, id: topicId }
    }) ?? all()
  return wanted.map(({ topic, partitions, id }) => ({
    name: topic ?? '',
    topicId: id,
    partitions: partitions.map(partitionIndex => {
      const found = topic === undefined ? undefined : offsets?.get(topic, partitionIndex)
      return {
        partitionIndex,
        committedOffset: found?.offset ?? -1,
        committedLeaderEpoch: found?.leaderEpoch ?? -1,
        metadata: found?.metadata ?? '',
        errorCode: topic === undefined ? errorCodes.UNKNOWN_TOPIC_ID : errorCodes.NONE
      }
    })
  }))
}

function refuseFetch(topics: AskedTopics, errorCode: number): s.Writing<typeof answeredTopic>[] {
  return (topics ?? []).map(({ name, topicId, partitionIndexes }) => ({
    name,
    topicId,
    partitions: partitionIndexes.map(partitionIndex => {
      return { partitionIndex, committedOffset: -1, metadata: '', errorCode }
    })
  }))
}

export const offsetFetch = defineApi({
  key: 9,
  name: 'OffsetFetch',
  versions: [1, 10],
  flexibleFrom: 6,
  request: fetchRequest,
  response: fetchResponse,
  handle(request, context) {
    const { groups } = context.broker
    if (context.version < 8) {
      return { topics: lookUp(groups.offsets(request.groupId), request.topics, context), errorCode: errorCodes.NONE }
    }
    return {
      groups: request.groups.map(({ groupId, memberId, memberEpoch, topics }) => {
        const errorCode = groups.get(groupId)?.checkFetch(memberId, memberEpoch) ?? errorCodes.NONE
        if (errorCode !== errorCodes.NONE) return { groupId, topics: [], errorCode }
        return { groupId, topics: lookUp(groups.offsets(groupId), topics, context), errorCode }
      })
    }
  },
  refuse: (request, errorCode) => ({
    // Before version 2 there was no error for the whole; each partition carries it.
    topics: refuseFetch(request.topics, errorCode),
    errorCode,
    groups: request.groups.map(({ groupId }) => ({ groupId, topics: [], errorCode }))
  })
})

export const offsetDelete = defineApi({
  key: 47,
  name: 'OffsetDelete',
  versions: [0, 0],
  flexibleFrom: Infinity,
  request: s.struct({
    groupId: s.string,
    topics: s.array(s.struct({ name: s.string, partitions: s.array(s.struct({ partitionIndex: s.int32 })) }))
  }),
  response: s.struct({
    errorCode: s.int16,
    throttleTimeMs: s.defaulting(s.int32, 0),
    topics: s.array(
      s.struct({ name: s.string, partitions: s.array(s.struct({ partitionIndex: s.int32, errorCode: s.int16 })) })
    )
  }),
  handle({ groupId, topics }, { broker }) {
    const group = broker.groups.get(groupId)
    if (group === undefined) return { errorCode: errorCodes.GROUP_ID_NOT_FOUND, topics: [] }
    const offsets = broker.groups.offsets(groupId)
    const remove = (topic: string, partition: number): number => {
      if (broker.topics.get(topic)?.partitions[partition] === undefined) return errorCodes.UNKNOWN_TOPIC_OR_PARTITION
      // Which topics a member reads stands in metadata that is its protocol's own; with members, all are in use.
      if (group.state !== 'Empty') return errorCodes.GROUP_SUBSCRIBED_TO_TOPIC
      offsets?.delete(topic, partition)
      return errorCodes.NONE
    }
    return {
      errorCode: errorCodes.NONE,
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => {
          return { partitionIndex, errorCode: remove(name, partitionIndex) }
        })
      }))
    }
  },
  refuse: (_request, errorCode) => ({ errorCode, topics: [] })
})
