import { defineApi } from '../api.ts'
import { nodeId } from '../broker-state.ts'
import { errorCodes } from '../error-codes.ts'
import { noOperations } from './metadata.ts'
import * as s from '../wire-schema.ts'

const brokersEndpoint = 1

export const describeCluster = defineApi({
  key: 60,
  name: 'DescribeCluster',
  versions: [0, 2],
  flexibleFrom: 0,
  request: s.struct({
    includeClusterAuthorizedOperations: s.bool,
    endpointType: s.since(1, s.int8, brokersEndpoint),
    includeFencedBrokers: s.since(2, s.bool)
  }),
  response: s.struct({
    throttleTimeMs: s.defaulting(s.int32, 0),
    errorCode: s.int16,
    errorMessage: s.defaulting(s.nullableString, null),
    endpointType: s.since(1, s.int8, brokersEndpoint),
    clusterId: s.string,
    controllerId: s.int32,
    brokers: s.array(
      s.struct({
        brokerId: s.int32,
        host: s.string,
        port: s.int32,
        rack: s.defaulting(s.nullableString, null),
        isFenced: s.since(2, s.bool)
      })
    ),
    clusterAuthorizedOperations: s.defaulting(s.int32, noOperations)
  }),
  handle({ endpointType }, { broker, advertised }) {
    // Controllers have endpoints of their own in Kafka (KIP-919); here there is nothing behind them.
    const errorCode = endpointType === brokersEndpoint ? errorCodes.NONE : errorCodes.UNSUPPORTED_ENDPOINT_TYPE
    const brokers = [{ brokerId: nodeId, ...advertised }]
    return { errorCode, clusterId: broker.clusterId, controllerId: nodeId, brokers }
  },
  refuse: (_request, errorCode) => ({ errorCode, clusterId: '', controllerId: -1, brokers: [] })
})

/** Nothing is ever moved between brokers: there is one. Kafka's topic tool asks before it describes. */
export const listPartitionReassignments = defineApi({
  key: 46,
  name: 'ListPartitionReassignments',
  versions: [0, 0],
  flexibleFrom: 0,
  request: s.struct({
    timeoutMs: s.int32,
    topics: s.nullableArray(s.struct({ name: s.string, partitionIndexes: s.array(s.int32) }))
  }),
  response: s.struct({
    throttleTimeMs: s.defaulting(s.int32, 0),
    errorCode: s.int16,
    errorMessage: s.defaulting(s.nullableString, null),
    topics: s.array(s.struct({ name: s.string, partitions: s.array(s.struct({ partitionIndex: s.int32 })) }))
  }),
  handle: () => ({ errorCode: errorCodes.NONE, topics: [] }),
  refuse: (_request, errorCode) => ({ errorCode, topics: [] })
})

/** Nobody logs in here. A client that tries is told what Kafka says on a listener without SASL. */
export const saslHandshake = defineApi({
  key: 17,
  name: 'SaslHandshake',
  versions: [0, 1],
  flexibleFrom: Infinity,
  request: s.struct({ mechanism: s.string }),
  response: s.struct({ errorCode: s.int16, mechanisms: s.array(s.string) }),
  handle: () => ({ errorCode: errorCodes.ILLEGAL_SASL_STATE, mechanisms: [] }),
  refuse: (_request, errorCode) => ({ errorCode, mechanisms: [] })
})

const logDir = s.struct({
  errorCode: s.int16,
  logDir: s.string,
  topics: s.array(
    s.struct({
      name: s.string,
      partitions: s.array(
        s.struct({
          partitionIndex: s.int32,
          partitionSize: s.int64,
          offsetLag: s.defaulting(s.int64, 0),
          isFutureKey: s.defaulting(s.bool, false)
        })
      )
    })
  ),
  totalBytes: s.since(4, s.int64, -1),
  usableBytes: s.since(4, s.int64, -1)
})

/** How many bytes each partition holds. The directory is memory, and its size the limit on all records. */
export const describeLogDirs = defineApi({
  key: 35,
  name: 'DescribeLogDirs',
  versions: [0, 4],
  flexibleFrom: 2,
  request: s.struct({
    topics: s.nullableArray(s.struct({ topic: s.string, partitions: s.array(s.int32) }))
  }),
  response: s.struct({
    throttleTimeMs: s.defaulting(s.int32, 0),
    errorCode: s.since(3, s.int16),
    results: s.array(logDir)
  }),
  handle({ topics }, { broker }) {
    const wanted = topics === null ? undefined : new Map(topics.map(({ topic, partitions }) => [topic, partitions]))
    const described = broker.topics.all().flatMap(({ name, partitions }) => {
      if (wanted !== undefined && !wanted.has(name)) return []
      const indexes = wanted?.get(name) ?? []
      const sizes = partitions.map((log, partitionIndex) => ({ partitionIndex, partitionSize: log.bytes }))
      // No indexes of a topic that is named: all of its partitions.
      const isAsked = ({ partitionIndex }: { partitionIndex: number }) =>
        indexes.length === 0 || indexes.includes(partitionIndex)
      return [{ name, partitions: sizes.filter(isAsked) }]
    })
    const totalBytes = broker.options.maxBytes
    const usableBytes = Math.max(0, totalBytes - broker.topics.bytes)
    return { results: [{ errorCode: errorCodes.NONE, logDir: '/memory', topics: described, totalBytes, usableBytes }] }
  },
  refuse: (_request, errorCode) => ({ errorCode, results: [{ errorCode, logDir: '/memory', topics: [] }] })
})
