import { attempt, defineApi } from '../api.ts'
import type { RequestContext } from '../api.ts'
import { KafkaError } from '../error-codes.ts'
import type { RecordTime } from '../record-times.ts'
import * as s from '../wire-schema.ts'

/** Timestamps with a meaning of their own; −4 and −5 are about tiered storage (KIP-405), −6 about both. */
const special = { latest: -1, earliest: -2, maxTimestamp: -3, earliestLocal: -4, latestTiered: -5 } as const

const partitionRequest = s.struct({
  partitionIndex: s.int32,
  currentLeaderEpoch: s.since(4, s.int32, -1),
  timestamp: s.int64
})

const request = s.struct({
  replicaId: s.int32,
  isolationLevel: s.since(2, s.int8),
  topics: s.array(s.struct({ name: s.string, partitions: s.array(partitionRequest) })),
  timeoutMs: s.since(10, s.int32)
})

const partitionAnswer = s.struct({
  partitionIndex: s.int32,
  errorCode: s.int16,
  timestamp: s.int64,
  offset: s.int64,
  leaderEpoch: s.since(4, s.int32, -1)
})

const response = s.struct({
  throttleTimeMs: s.since(2, s.int32),
  topics: s.array(s.struct({ name: s.string, partitions: s.array(partitionAnswer) }))
})

const nothing = { timestamp: -1, offset: -1, leaderEpoch: -1 }

function find(
  topic: string,
  { partitionIndex, timestamp, currentLeaderEpoch }: s.Reading<typeof partitionRequest>,
  { broker }: RequestContext
): { timestamp: number; offset: number; leaderEpoch: number } {
  const log = broker.topics.log(topic, partitionIndex)
  log.checkEpoch(currentLeaderEpoch)
  const at = (found: RecordTime | undefined) =>
    found === undefined ? nothing : { ...found, leaderEpoch: log.epochBefore(found.offset + 1) }
  log.expire(broker.now())
  switch (timestamp) {
    case special.latest:
      return at({ timestamp: -1, offset: log.endOffset })
    case special.earliest:
    case special.earliestLocal:
      return at({ timestamp: -1, offset: log.startOffset })
    case special.maxTimestamp:
      return at(log.latestByTime())
    case special.latestTiered:
      return nothing
    default:
      if (timestamp < 0)
        throw new KafkaError('UNSUPPORTED_VERSION', `no meaning is known for the timestamp ${timestamp}`)
      return at(log.firstSince(timestamp))
  }
}

export const listOffsets = defineApi({
  key: 2,
  name: 'ListOffsets',
  versions: [1, 10],
  flexibleFrom: 6,
  request,
  response,
  handle: ({ topics }, context) => ({
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(asked => {
        let found = nothing
        const { errorCode } = attempt(() => (found = find(name, asked, context)))
        const { partitionIndex } = asked
        return { partitionIndex, errorCode, ...found }
      })
    }))
  }),
  refuse: ({ topics }, errorCode) => ({
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode, ...nothing }))
    }))
  })
})

const epochRequest = s.struct({
  replicaId: s.since(3, s.int32, -2),
  topics: s.array(
    s.struct({
      topic: s.string,
      partitions: s.array(
        s.struct({ partition: s.int32, currentLeaderEpoch: s.since(2, s.int32, -1), leaderEpoch: s.int32 })
      )
    })
  )
})

const epochResponse = s.struct({
  throttleTimeMs: s.since(2, s.int32),
  topics: s.array(
    s.struct({
      topic: s.string,
      partitions: s.array(
        s.struct({
          errorCode: s.int16,
          partition: s.int32,
          leaderEpoch: s.since(1, s.int32, -1),
          endOffset: s.defaulting(s.int64, -1)
        })
      )
    })
  )
})

/** Where an epoch ended (KIP-320). */
export const offsetForLeaderEpoch = defineApi({
  key: 23,
  name: 'OffsetForLeaderEpoch',
  versions: [0, 4],
  flexibleFrom: 4,
  request: epochRequest,
  response: epochResponse,
  handle: ({ topics }, { broker }) => ({
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(asked => {
        let end = { leaderEpoch: -1, endOffset: -1 }
        const { errorCode } = attempt(() => {
          const log = broker.topics.log(topic, asked.partition)
          log.checkEpoch(asked.currentLeaderEpoch)
          end = log.epochEnd(asked.leaderEpoch)
        })
        return { errorCode, partition: asked.partition, ...end }
      })
    }))
  }),
  refuse: ({ topics }, errorCode) => ({
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => ({ errorCode, partition }))
    }))
  })
})
