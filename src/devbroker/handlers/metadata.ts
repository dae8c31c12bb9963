import { defineApi } from '../api.ts'
import type { RequestContext } from '../api.ts'
import { nodeId } from '../broker-state.ts'
import { codeOf } from '../api.ts'
import { errorCodes } from '../error-codes.ts'
import type { Topic } from '../topics.ts'
import * as s from '../wire-schema.ts'

/** "Not asked for", where an answer would list authorized operations. */
export const noOperations = -2_147_483_648
const noId = s.uuid.absent

const request = s.struct({
  topics: s.nullableArray(s.struct({ topicId: s.since(10, s.uuid), name: s.nullableString })),
  allowAutoTopicCreation: s.since(4, s.bool, true),
  includeClusterAuthorizedOperations: s.between(8, 10, s.bool),
  includeTopicAuthorizedOperations: s.since(8, s.bool)
})

const partition = s.struct({
  errorCode: s.int16,
  partitionIndex: s.int32,
  leaderId: s.int32,
  leaderEpoch: s.since(7, s.int32, -1),
  replicaNodes: s.array(s.int32),
  isrNodes: s.array(s.int32),
  offlineReplicas: s.since(5, s.array(s.int32))
})

const topic = s.struct({
  errorCode: s.int16,
  name: s.nullableString,
  topicId: s.since(10, s.uuid),
  isInternal: s.since(1, s.bool),
  partitions: s.array(partition),
  topicAuthorizedOperations: s.since(8, s.int32, noOperations)
})

const response = s.struct({
  throttleTimeMs: s.since(3, s.int32),
  brokers: s.array(s.struct({ nodeId: s.int32, host: s.string, port: s.int32, rack: s.since(1, s.nullableString) })),
  clusterId: s.since(2, s.nullableString),
  controllerId: s.since(1, s.int32, -1),
  topics: s.array(topic),
  clusterAuthorizedOperations: s.between(8, 10, s.int32, noOperations),
  errorCode: s.since(13, s.int16)
})

function describe({ name, id, partitions }: Topic): s.Writing<typeof topic> {
  return {
    errorCode: errorCodes.NONE,
    name,
    topicId: id,
    partitions: partitions.map(({ leaderEpoch }, partitionIndex) => ({
      errorCode: errorCodes.NONE,
      partitionIndex,
      leaderId: nodeId,
      leaderEpoch,
      replicaNodes: [nodeId],
      isrNodes: [nodeId]
    }))
  }
}

function find(
  asked: { topicId: string; name: string | null },
  mayCreate: boolean,
  { broker }: RequestContext
): s.Writing<typeof topic> {
  const { topics, options } = broker
  const { topicId, name } = asked
  if (name === null) {
    const found = topics.byId(topicId)
    if (found !== undefined) return describe(found)
    return { errorCode: errorCodes.UNKNOWN_TOPIC_ID, name: null, topicId, partitions: [] }
  }
  const found = topics.get(name)
  if (found !== undefined) return describe(found)
  try {
    const created = topics.create(name, options.defaultPartitions, new Map(), !mayCreate)
    if (mayCreate) return describe(created)
    return { errorCode: errorCodes.UNKNOWN_TOPIC_OR_PARTITION, name, topicId: noId, partitions: [] }
  } catch (error) {
    return { errorCode: codeOf(error), name, topicId: noId, partitions: [] }
  }
}

export const metadata = defineApi({
  key: 3,
  name: 'Metadata',
  versions: [0, 13],
  flexibleFrom: 9,
  request,
  response,
  handle(request, context) {
    const { broker, version } = context
    // Version 0 had no null: an empty list asked for all.
    const wantsAll = request.topics === null || (version === 0 && request.topics.length === 0)
    const mayCreate = request.allowAutoTopicCreation && broker.options.autoCreateTopics
    return {
      brokers: [{ nodeId, ...context.advertised }],
      clusterId: broker.clusterId,
      controllerId: nodeId,
      topics: wantsAll
        ? broker.topics.all().map(describe)
        : (request.topics ?? []).map(asked => find(asked, mayCreate, context))
    }
  },
  refuse: ({ topics }, errorCode, context) => ({
    brokers: [{ nodeId, ...context.advertised }],
    topics: (topics ?? []).map(({ name, topicId }) => ({ errorCode, name, topicId, partitions: [] })),
    errorCode
  })
})
