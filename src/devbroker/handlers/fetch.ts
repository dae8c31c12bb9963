import { codeOf, defineApi } from '../api.ts'
import type { RequestContext } from '../api.ts'
import { errorCodes, KafkaError } from '../error-codes.ts'
import type { AskedPartition, OfTopic, SessionTurn } from '../fetch-sessions.ts'
import type { ErrorName } from '../error-codes.ts'
import type { PartitionLog } from '../partition-log.ts'
import * as s from '../wire-schema.ts'

const partitionRequest = s.struct({
  partition: s.int32,
  currentLeaderEpoch: s.since(9, s.int32, -1),
  fetchOffset: s.int64,
  lastFetchedEpoch: s.since(12, s.int32, -1),
  logStartOffset: s.since(5, s.int64, -1),
  partitionMaxBytes: s.int32
})

const topicRequest = s.struct({
  topic: s.until(12, s.string),
  topicId: s.since(13, s.uuid),
  partitions: s.array(partitionRequest)
})

const request = s.struct({
  replicaId: s.until(14, s.int32, -1),
  maxWaitMs: s.int32,
  minBytes: s.int32,
  maxBytes: s.since(3, s.int32, 0x7fff_ffff),
  isolationLevel: s.since(4, s.int8),
  sessionId: s.since(7, s.int32),
  sessionEpoch: s.since(7, s.int32, -1),
  topics: s.array(topicRequest),
  forgottenTopics: s.since(
    7,
    s.array(s.struct({ topic: s.until(12, s.string), topicId: s.since(13, s.uuid), partitions: s.array(s.int32) }))
  ),
  rackId: s.since(11, s.string)
})

const partitionAnswer = s.struct({
  partitionIndex: s.int32,
  errorCode: s.int16,
  highWatermark: s.int64,
  lastStableOffset: s.since(4, s.int64, -1),
  logStartOffset: s.since(5, s.int64, -1),
  abortedTransactions: s.since(4, s.nullableArray(s.struct({ producerId: s.int64, firstOffset: s.int64 }))),
  preferredReadReplica: s.since(11, s.int32, -1),
  records: s.batches
})

const response = s.struct({
  throttleTimeMs: s.since(1, s.int32),
  errorCode: s.since(7, s.int16),
  sessionId: s.since(7, s.int32),
  topics: s.array(
    s.struct({ topic: s.until(12, s.string), topicId: s.since(13, s.uuid), partitions: s.array(partitionAnswer) })
  )
})

type Request = s.Reading<typeof request>
type Topics = readonly OfTopic<AskedPartition>[]
type PartitionAnswer = s.Writing<typeof partitionAnswer>
type Answers = readonly OfTopic<PartitionAnswer>[]

function refused(partitionIndex: number, errorCode: number, log?: PartitionLog): PartitionAnswer {
  const end = log?.endOffset ?? -1
  return {
    partitionIndex,
    errorCode,
    highWatermark: end,
    lastStableOffset: end,
    logStartOffset: log?.startOffset ?? -1,
    records: []
  }
}

/** Names the partitions of a request, once: the logs do not move while it waits. */
function locate(topics: Topics, { broker, version }: RequestContext) {
  const byId = version >= 13
  return topics.map(({ topic: name, topicId, partitions }) => {
    const topic = byId ? broker.topics.byId(topicId) : broker.topics.get(name)
    const unknown: ErrorName = byId && topic === undefined ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'
    return {
      name,
      topicId,
      partitions: partitions.map(asked => ({
        asked,
        // A topic that was deleted while the request waited is unknown from then on.
        log: () =>
          topic !== undefined && broker.topics.get(topic.name) === topic
            ? topic.partitions[asked.partition]
            : undefined,
        unknown
      }))
    }
  })
}
type Located = ReturnType<typeof locate>

/** Reads what is there now. `failed` when a partition has an error, which is to be told at once. */
function read(located: Located, request: Request, now: number): { topics: Answers; bytes: number; failed: boolean } {
  let bytes = 0
  let failed = false
  const readOne = ({ asked, log: find, unknown }: Located[number]['partitions'][number]): PartitionAnswer => {
    const log = find()
    try {
      if (log === undefined) throw new KafkaError(unknown)
      log.checkEpoch(asked.currentLeaderEpoch)
      log.expire(now)
      const maxBytes = Math.min(asked.partitionMaxBytes, request.maxBytes - bytes)
      // However small the limits, the first batch of an answer goes out whole, or the reader could never go on (KIP-74).
      const found = log.read(asked.fetchOffset, maxBytes, bytes === 0)
      bytes += found.bytes
      return { ...refused(asked.partition, errorCodes.NONE, log), records: found.batches }
    } catch (error) {
      failed = true
      return refused(asked.partition, codeOf(error), log)
    }
  }
  const topics = located.map(({ name, topicId, partitions }) => {
    return { topic: name, topicId, partitions: partitions.map(readOne) }
  })
  return { topics, bytes, failed }
}

/** Or the error of the whole answer. */
function beginTurn(request: Request, { broker, version }: RequestContext): SessionTurn | number {
  try {
    return broker.fetchSessions.turn(request, version >= 13)
  } catch (error) {
    return codeOf(error)
  }
}

/** Resolves at the next change of one of the logs, after `ms`, or when nobody waits any more. */
function nextChange(logs: readonly PartitionLog[], ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(done, ms)
    const forget = logs.map(log => log.onChange(done))
    signal.addEventListener('abort', done)
    function done() {
      clearTimeout(timer)
      for (const stop of forget) stop()
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}

export const fetch = defineApi({
  key: 1,
  name: 'Fetch',
  versions: [0, 17],
  flexibleFrom: 12,
  request,
  response,
  async handle(request, context) {
    const turn = beginTurn(request, context)
    if (typeof turn === 'number') return { errorCode: turn, topics: [] }
    const located = locate(turn.topics, context)
    // Real time, whatever the broker's clock says: it is the client that waits.
    const deadline = performance.now() + request.maxWaitMs
    for (;;) {
      const { topics, bytes, failed } = read(located, request, context.broker.now())
      const leftMs = deadline - performance.now()
      const isEnough = bytes >= request.minBytes || failed || located.length === 0
      if (isEnough || leftMs <= 0 || context.signal.aborted)
        return { sessionId: turn.sessionId, topics: turn.news(topics) }
      const logs = located.flatMap(({ partitions }) => partitions.flatMap(({ log }) => log() ?? []))
      await nextChange(logs, leftMs, context.signal)
    }
  },
  refuse: ({ topics }, errorCode) => ({
    errorCode,
    topics: topics.map(({ topic, topicId, partitions }) => ({
      topic,
      topicId,
      partitions: partitions.map(({ partition }) => refused(partition, errorCode))
    }))
  })
})
