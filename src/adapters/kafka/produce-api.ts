import { createAPI, Writer } from '@platformatic/kafka'
import type { API, Reader } from '@platformatic/kafka'
import type { ApiFamily } from './apis.ts'

/** One topic partition's batch, encoded. */
export interface PartitionBatch {
  readonly partition: number
  readonly batch: Buffer
}

export type ProduceRequest = [timeoutMs: number, topics: ReadonlyMap<string, readonly PartitionBatch[]>]

export interface ProducedPartition {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  /** -1 with an error, and where the broker does not know it any more. */
  readonly baseOffset: number
  /** The broker's words; '' from older ones. */
  readonly message: string
}

export interface ProduceResponse {
  readonly partitions: readonly ProducedPartition[]
  /** How long the broker wants to be left alone. */
  readonly throttleTimeMs: number
}

const produceKey = 0
const allInSyncReplicas = -1
const firstFlexible = 9
/** From 13 on topics go by their id; Kafka 4 serves 3 and up. */
const newest = 12

/**
 * Produce with batches of our own: the library's codec would encode the records itself, each time it is sent anew.
 * Source of the layout: ProduceRequest.json and ProduceResponse.json of Apache Kafka.
 */
export const produceApi: ApiFamily<ProduceRequest, ProduceResponse> = {
  name: 'produce',
  key: produceKey,
  codecs: new Map([3, 4, 5, 6, 7, 8, 9, 10, 11, newest].map(version => [version, produceCodec(version)]))
}

function produceCodec(version: number): API<ProduceRequest, ProduceResponse> {
  const flexible = version >= firstFlexible
  const request = (...[timeoutMs, topics]: ProduceRequest): Writer => writeRequest(timeoutMs, [...topics], flexible)
  const response = (_correlationId: number, _key: number, _version: number, reader: Reader): ProduceResponse =>
    readResponse(reader, version, flexible)
  return createAPI(produceKey, version, request, response, flexible, flexible)
}

function writeRequest(
  timeoutMs: number,
  topics: (readonly [string, readonly PartitionBatch[]])[],
  flexible: boolean
): Writer {
  const writer = Writer.create()
    .appendString(null, flexible) // no transaction
    .appendInt16(allInSyncReplicas)
    .appendInt32(timeoutMs)
    .appendArray(
      topics,
      (w, [topic, partitions]) => {
        w.appendString(topic, flexible).appendArray(
          [...partitions],
          (w, { partition, batch }) => w.appendInt32(partition).appendBytes(batch, flexible),
          flexible,
          flexible
        )
      },
      flexible,
      flexible
    )
  return flexible ? writer.appendTaggedFields() : writer
}

function readResponse(reader: Reader, version: number, flexible: boolean): ProduceResponse {
  const topics = reader.readArray(
    r => {
      const topic = r.readString(flexible)
      return r.readArray(r => readPartition(r, topic, version, flexible), flexible, flexible)
    },
    flexible,
    flexible
  )
  return { partitions: topics.flat(), throttleTimeMs: reader.readInt32() }
}

function readPartition(r: Reader, topic: string, version: number, flexible: boolean): ProducedPartition {
  const partition = r.readInt32()
  const errorCode = r.readInt16()
  const baseOffset = Number(r.readInt64())
  r.skip(8) // time of appending
  if (version >= 5) r.skip(8) // start of the log
  let message = ''
  if (version >= 8) {
    const ofRecords = r.readArray(
      r => {
        r.skip(4)
        return r.readNullableString(flexible)
      },
      flexible,
      flexible
    )
    message = r.readNullableString(flexible) ?? ofRecords.find(each => each !== null) ?? ''
  }
  return { topic, partition, errorCode, baseOffset, message }
}
