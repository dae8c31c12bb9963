import { attempt, defineApi } from '../api.ts'
import type { RequestContext } from '../api.ts'
import { KafkaError } from '../error-codes.ts'
import type { Topic } from '../topics.ts'
import * as s from '../wire-schema.ts'

const request = s.struct({
  transactionalId: s.since(3, s.nullableString),
  acks: s.int16,
  timeoutMs: s.int32,
  topics: s.array(
    s.struct({
      name: s.until(12, s.string),
      topicId: s.since(13, s.uuid),
      partitions: s.array(s.struct({ index: s.int32, records: s.nullableBytes }))
    })
  )
})

const partitionAnswer = s.struct({
  index: s.int32,
  errorCode: s.int16,
  baseOffset: s.int64,
  logAppendTimeMs: s.since(2, s.int64, -1),
  logStartOffset: s.since(5, s.int64, -1),
  recordErrors: s.since(8, s.array(s.struct({ batchIndex: s.int32, message: s.nullableString }))),
  errorMessage: s.since(8, s.nullableString)
})

const response = s.struct({
  topics: s.array(
    s.struct({ name: s.until(12, s.string), topicId: s.since(13, s.uuid), partitions: s.array(partitionAnswer) })
  ),
  throttleTimeMs: s.since(1, s.int32)
})

type PartitionAnswer = s.Writing<typeof partitionAnswer>

function append(
  topic: Topic | undefined,
  unknown: 'UNKNOWN_TOPIC_ID' | 'UNKNOWN_TOPIC_OR_PARTITION',
  { index, records }: { index: number; records: Buffer | null },
  { broker }: RequestContext
): PartitionAnswer {
  let appended = { baseOffset: -1, logAppendTime: -1 }
  const log = topic?.partitions[index]
  const result = attempt(() => {
    if (topic === undefined) throw new KafkaError(unknown)
    if (log === undefined) throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `${topic.name} has no partition ${index}`)
    if (records === null) throw new KafkaError('INVALID_RECORD', 'a produce request must carry a record batch')
    appended = log.append(records, broker.now())
  })
  return {
    index,
    ...result,
    baseOffset: appended.baseOffset,
    logAppendTimeMs: appended.logAppendTime,
    logStartOffset: log?.startOffset ?? -1
  }
}

function refuse(topics: s.Reading<typeof request>['topics'], errorCode: number): s.Writing<typeof response> {
  return {
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ index }) => ({ index, errorCode, baseOffset: -1 }))
    }))
  }
}

export const produce = defineApi({
  key: 0,
  name: 'Produce',
  versions: [0, 13],
  flexibleFrom: 9,
  request,
  response,
  handle(request, context) {
    const { topics } = context.broker
    if (request.transactionalId !== null) throw new KafkaError('TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
    if (![-1, 0, 1].includes(request.acks)) throw new KafkaError('INVALID_REQUIRED_ACKS')
    const byId = context.version >= 13
    const unknown = byId ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'
    const answers = request.topics.map(({ name, topicId, partitions }) => {
      const topic = byId ? topics.byId(topicId) : topics.get(name)
      return { name, topicId, partitions: partitions.map(partition => append(topic, unknown, partition, context)) }
    })
    return request.acks === 0 ? undefined : { topics: answers }
  },
  refuse: ({ acks, topics }, error) => (acks === 0 ? undefined : refuse(topics, error))
})
