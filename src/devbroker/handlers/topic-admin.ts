import { attempt, defineApi } from '../api.ts'
import { nodeId } from '../broker-state.ts'
import type { BrokerState } from '../broker-state.ts'
import { errorCodes, KafkaError } from '../error-codes.ts'
import type { Topic } from '../topics.ts'
import * as s from '../wire-schema.ts'

const creatable = s.struct({
  name: s.string,
  numPartitions: s.int32,
  replicationFactor: s.int16,
  assignments: s.array(s.struct({ partitionIndex: s.int32, brokerIds: s.array(s.int32) })),
  configs: s.array(s.struct({ name: s.string, value: s.nullableString }))
})

/** How many partitions are asked for: a number, the broker's default (−1), or as many as are assigned by hand. */
function countPartitions(
  { assignments, numPartitions, replicationFactor }: s.Reading<typeof creatable>,
  broker: BrokerState
) {
  if (assignments.length > 0) {
    const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex))
    const isWhole = indexes.size === assignments.length && assignments.every((_one, i) => indexes.has(i))
    const isHere = assignments.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === nodeId)
    if (isWhole && isHere) return assignments.length
    throw new KafkaError(
      'INVALID_REPLICA_ASSIGNMENT',
      `partitions must be assigned from 0 on without gaps, each to broker ${nodeId} alone`
    )
  }
  if (replicationFactor !== 1 && replicationFactor !== -1) {
    throw new KafkaError(
      'INVALID_REPLICATION_FACTOR',
      `there is one broker, so the replication factor must be 1 (or -1), got ${replicationFactor}`
    )
  }
  return numPartitions === -1 ? broker.options.defaultPartitions : numPartitions
}

const configSource = { topic: 1, default: 5 } as const

function describeCreated(topic: Topic) {
  return {
    topicId: topic.id,
    numPartitions: topic.partitions.length,
    replicationFactor: 1,
    configs: topic.config.shown().map(({ name, value, own }) => {
      return { name, value, configSource: own ? configSource.topic : configSource.default }
    })
  }
}

function twice(names: readonly string[]): (name: string) => boolean {
  return name => names.indexOf(name) !== names.lastIndexOf(name)
}

export const createTopics = defineApi({
  key: 19,
  name: 'CreateTopics',
  versions: [0, 7],
  flexibleFrom: 5,
  request: s.struct({ topics: s.array(creatable), timeoutMs: s.int32, validateOnly: s.since(1, s.bool) }),
  response: s.struct({
    throttleTimeMs: s.since(2, s.int32),
    topics: s.array(
      s.struct({
        name: s.string,
        topicId: s.since(7, s.uuid),
        errorCode: s.int16,
        errorMessage: s.since(1, s.nullableString),
        numPartitions: s.since(5, s.int32, -1),
        replicationFactor: s.since(5, s.int16, -1),
        configs: s.since(
          5,
          s.nullableArray(
            s.struct({
              name: s.string,
              value: s.nullableString,
              readOnly: s.defaulting(s.bool, false),
              configSource: s.int8,
              isSensitive: s.defaulting(s.bool, false)
            })
          )
        )
      })
    )
  }),
  handle({ topics, validateOnly }, { broker }) {
    const isRepeated = twice(topics.map(({ name }) => name))
    return {
      topics: topics.map(asked => {
        let created: Topic | undefined
        const result = attempt(() => {
          if (isRepeated(asked.name)) throw new KafkaError('INVALID_REQUEST', `topic ${asked.name} is named twice`)
          const config = new Map(asked.configs.flatMap(({ name, value }) => (value === null ? [] : [[name, value]])))
          created = broker.topics.create(asked.name, countPartitions(asked, broker), config, validateOnly)
        })
        return { name: asked.name, ...result, ...(created === undefined ? {} : describeCreated(created)) }
      })
    }
  },
  refuse: ({ topics }, errorCode) => ({ topics: topics.map(({ name }) => ({ name, errorCode })) })
})

export const deleteTopics = defineApi({
  key: 20,
  name: 'DeleteTopics',
  versions: [0, 6],
  flexibleFrom: 4,
  request: s.struct({
    topics: s.since(6, s.array(s.struct({ name: s.nullableString, topicId: s.uuid }))),
    topicNames: s.until(5, s.array(s.string)),
    timeoutMs: s.int32
  }),
  response: s.struct({
    throttleTimeMs: s.since(1, s.int32),
    responses: s.array(
      s.struct({
        name: s.nullableString,
        topicId: s.since(6, s.uuid),
        errorCode: s.int16,
        errorMessage: s.since(5, s.nullableString)
      })
    )
  }),
  handle({ topics, topicNames }, { broker, version }) {
    const asked = version < 6 ? topicNames.map(name => ({ name, topicId: s.uuid.absent })) : topics
    return {
      responses: asked.map(({ name, topicId }) => {
        const topic = name === null ? broker.topics.byId(topicId) : broker.topics.get(name)
        if (topic === undefined) {
          const errorCode = name === null ? errorCodes.UNKNOWN_TOPIC_ID : errorCodes.UNKNOWN_TOPIC_OR_PARTITION
          return { name, topicId, errorCode }
        }
        broker.deleteTopic(topic)
        return { name: topic.name, topicId: topic.id, errorCode: errorCodes.NONE }
      })
    }
  },
  refuse: ({ topics, topicNames }, errorCode) => ({
    responses: [
      ...topicNames.map(name => ({ name, errorCode })),
      ...topics.map(({ name, topicId }) => ({ name, topicId, errorCode }))
    ]
  })
})

export const createPartitions = defineApi({
  key: 37,
  name: 'CreatePartitions',
  versions: [0, 3],
  flexibleFrom: 2,
  request: s.struct({
    topics: s.array(
      s.struct({
        name: s.string,
        count: s.int32,
        assignments: s.nullableArray(s.struct({ brokerIds: s.array(s.int32) }))
      })
    ),
    timeoutMs: s.int32,
    validateOnly: s.bool
  }),
  response: s.struct({
    throttleTimeMs: s.defaulting(s.int32, 0),
    results: s.array(
      s.struct({ name: s.string, errorCode: s.int16, errorMessage: s.defaulting(s.nullableString, null) })
    )
  }),
  handle: ({ topics, validateOnly }, { broker }) => ({
    results: topics.map(({ name, count }) => {
      const result = attempt(() => {
        const topic = broker.topics.get(name)
        if (topic === undefined) throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${name}`)
        broker.topics.grow(topic, count, validateOnly)
      })
      return { name, ...result }
    })
  }),
  refuse: ({ topics }, errorCode) => ({ results: topics.map(({ name }) => ({ name, errorCode })) })
})

export const deleteRecords = defineApi({
  key: 21,
  name: 'DeleteRecords',
  versions: [0, 2],
  flexibleFrom: 2,
  request: s.struct({
    topics: s.array(
      s.struct({ name: s.string, partitions: s.array(s.struct({ partitionIndex: s.int32, offset: s.int64 })) })
    ),
    timeoutMs: s.int32
  }),
  response: s.struct({
    throttleTimeMs: s.defaulting(s.int32, 0),
    topics: s.array(
      s.struct({
        name: s.string,
        partitions: s.array(s.struct({ partitionIndex: s.int32, lowWatermark: s.int64, errorCode: s.int16 }))
      })
    )
  }),
  handle: ({ topics }, { broker }) => ({
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, offset }) => {
        let lowWatermark = -1
        const { errorCode } = attempt(() => {
          const log = broker.topics.log(name, partitionIndex)
          // −1 stands for the high watermark: everything.
          log.deleteBefore(offset === -1 ? log.endOffset : offset)
          lowWatermark = log.startOffset
        })
        return { partitionIndex, lowWatermark, errorCode }
      })
    }))
  }),
  refuse: ({ topics }, errorCode) => ({
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, lowWatermark: -1, errorCode }))
    }))
  })
})
