import type { EventEncoder, EventSourceFields } from '../event/encoder.ts'
import { column, sliceRecords, type Block, type Slice } from '../record.ts'
import type { FailureMessage } from './message.ts'
import type { DestinationTarget } from './target.ts'

/** Why records were given up. */
export type FailureCondition = 'retries' | 'size' | 'age' | 'schema'

/** What the function's last answer was. */
export interface ResponseContext {
  /** Of the Invoke call: 200 although the function failed. */
  readonly statusCode: number
  readonly executedVersion: string
  /** `Unhandled` after an exception; null when the function answered, but reported failed items. */
  readonly functionError: string | null
}

/** Records that were given up together, and all that their documents tell. */
export interface Failure {
  readonly condition: FailureCondition
  /** Of the last call; undefined: there was none. */
  readonly requestId: string | undefined
  /** The mapping's, with the qualifier it was written with. */
  readonly functionArn: string
  /** UUID. */
  readonly mapping: string
  /** Calls that were made with these records. */
  readonly invokeCount: number
  /** Of the last call; undefined: nobody answered. */
  readonly response: ResponseContext | undefined
  /** Epoch milliseconds. */
  readonly nowMs: number
  /** A random UUID; the same for each delivery of this failure, so that repeated ones are recognised. */
  readonly uuid: string
  readonly source: EventSourceFields
  /** Of the mapping's events, but without their limit: a record too large for the function is told of too. */
  readonly encoder: Pick<EventEncoder, 'capacityFor' | 'encode'>
  /** In the order of the event. */
  readonly slices: readonly Slice[]
}

export interface DocumentOptions {
  /** AWS's sample for Kafka topics has a name of its own for used-up retries (reference 8.5, 15 row 19). */
  readonly exhaustedOnTopic?: 'RetriesExhausted' | 'RetryAttemptsExhausted'
}

/** How each condition is called, and what stands for the function's answer (reference 8.5). */
const conditions = {
  retries: { name: 'RetryAttemptsExhausted', response: 'answer' },
  size: { name: 'MaximumPayloadSizeExceeded', response: 'null' },
  age: { name: 'RecordAgeExceeded', response: 'missing' },
  schema: { name: 'SchemaValidationFailed', response: 'null' }
} as const satisfies Record<FailureCondition, { name: string; response: 'answer' | 'null' | 'missing' }>

/** Most bytes of a message (reference 8.1). */
const maxMessageBytes = { sqs: 1_048_576, sns: 262_144 } as const

/**
 * The messages that tell a destination of given-up records; each record is told of in exactly one. Same arguments, same
 * messages. AWS: reference 8.2 to 8.5.
 */
export function failureMessages(
  target: DestinationTarget,
  failure: Failure,
  options: DocumentOptions = {}
): FailureMessage[] {
  const groups = byPartition(failure.slices)
  if (groups.length === 0) return []
  switch (target.kind) {
    case 'sqs':
    case 'sns':
      return metadataMessages(failure, groups, maxMessageBytes[target.kind])
    case 's3':
      return [{ body: withEscapedPayload(failure, groups), objectKey: objectKey(failure, groups[0]!.name) }]
    case 'file':
      return [{ body: withEscapedPayload(failure, groups) }]
    case 'kafka':
      return recordMessages(failure, groups, options.exhaustedOnTopic ?? 'RetriesExhausted')
    default:
      throw new Error(`no documents for ${JSON.stringify(target satisfies never)}`)
  }
}

/** The records of one partition. */
interface Group {
  /** `topic-partition`. */
  readonly name: string
  readonly slices: Slice[]
}

/** Partitions in the order of their first slice: an event names each once. */
function byPartition(slices: readonly Slice[]): Group[] {
  const groups = new Map<string, Group>()
  for (const slice of slices) {
    if (sliceRecords(slice) <= 0) continue
    const name = `${slice.block.topic}-${slice.block.partition}`
    const group = groups.get(name)
    if (group === undefined) groups.set(name, { name, slices: [slice] })
    else group.slices.push(slice)
  }
  return [...groups.values()]
}

/** SQS and SNS get no payload; what tells of too many partitions for one message becomes two. */
function metadataMessages(failure: Failure, groups: readonly Group[], maxBytes: number): FailureMessage[] {
  const event = encodeEvent(failure, slicesOf(groups))
  const body = Buffer.from(JSON.stringify(batchDocument(failure, groups, event.length)))
  if (body.length <= maxBytes || groups.length === 1) return [{ body }]
  const half = groups.length >>> 1
  return [
    ...metadataMessages(failure, groups.slice(0, half), maxBytes),
    ...metadataMessages(failure, groups.slice(half), maxBytes)
  ]
}

/** S3: the whole event, as a JSON string within the document (reference 8.3). */
function withEscapedPayload(failure: Failure, groups: readonly Group[]): Buffer {
  const event = encodeEvent(failure, slicesOf(groups))
  const document = batchDocument(failure, groups, event.length)
  return Buffer.from(JSON.stringify({ ...document, payload: event.toString('utf8') }))
}

/** A Kafka topic gets each record by itself, with the record's key and the event it would be alone (reference 8.4). */
function recordMessages(failure: Failure, groups: readonly Group[], exhausted: string): FailureMessage[] {
  const { name } = conditions[failure.condition]
  const called = {
    functionArn: withVersion(failure.functionArn),
    condition: failure.condition === 'retries' ? exhausted : name
  }
  return slicesOf(groups).flatMap(({ block, from, to }) =>
    Array.from({ length: to - from }, (_, index) => {
      const record = from + index
      const event = encodeEvent(failure, [{ block, from: record, to: record + 1 }])
      const document = documentOf(failure, called, {
        ...batchInfo(failure, 1, event.length),
        recordInfo: { offset: String(block.offsets[record]!), timestamp: isoTime(block.timestamps[record]!) }
      })
      const opening = `${JSON.stringify(document).slice(0, -1)},"payload":`
      return { body: Buffer.concat([Buffer.from(opening), event, closing]), key: keyOf(block, record) }
    })
  )
}

const closing = Buffer.from('}')

/** A copy: the block's bytes are free again once the record is finished. */
function keyOf({ bytes, positions }: Block, record: number): Buffer | null {
  const row = record * column.stride
  const start = positions[row + column.keyStart]!
  return start < 0 ? null : Buffer.from(bytes.subarray(start, positions[row + column.keyEnd]))
}

const slicesOf = (groups: readonly Group[]): Slice[] => groups.flatMap(({ slices }) => slices)

function encodeEvent({ encoder }: Failure, slices: readonly Slice[]): Buffer {
  const out = Buffer.allocUnsafe(encoder.capacityFor(slices))
  const { bytes, records } = encoder.encode(slices, out)
  const wanted = slices.reduce((sum, slice) => sum + sliceRecords(slice), 0)
  if (records < wanted) throw new Error(`an encoder without a limit took ${records} of ${wanted} records`)
  return out.subarray(0, bytes)
}

function batchDocument(failure: Failure, groups: readonly Group[], payloadSize: number): object {
  const called = { functionArn: failure.functionArn, condition: conditions[failure.condition].name }
  const slices = slicesOf(groups)
  return documentOf(failure, called, {
    ...batchInfo(
      failure,
      slices.reduce((sum, slice) => sum + sliceRecords(slice), 0),
      payloadSize
    ),
    recordsInfo: Object.fromEntries(groups.map(group => [group.name, rangeOf(group)]))
  })
}

/** What all documents have around their batch. */
function documentOf(failure: Failure, called: { functionArn: string; condition: string }, batch: object): object {
  return {
    requestContext: {
      requestId: failure.requestId ?? failure.uuid,
      ...called,
      approximateInvokeCount: Math.max(1, failure.invokeCount)
    },
    ...responseOf(failure),
    version: '1.0',
    timestamp: isoTime(failure.nowMs),
    KafkaBatchInfo: batch
  }
}

function responseOf({ condition, response }: Failure): object {
  const { response: wanted } = conditions[condition]
  switch (wanted) {
    case 'answer':
      return { responseContext: response ?? null }
    case 'null':
      return { responseContext: null }
    case 'missing':
      return {}
    default:
      throw new Error(`no response context for ${JSON.stringify(wanted satisfies never)}`)
  }
}

/** A source that is no MSK cluster has no ARN. `payloadSize`: bytes of the event. */
function batchInfo({ source }: Failure, batchSize: number, payloadSize: number): object {
  const eventSourceArn = source.arn === undefined ? {} : { eventSourceArn: source.arn }
  return { batchSize, ...eventSourceArn, bootstrapServers: source.bootstrapServers, payloadSize }
}

/** First and last by offset: slices of lanes of one partition may interleave. */
function rangeOf({ slices }: Group): object {
  let first = slices[0]!
  let last = first
  for (const slice of slices) {
    if (slice.block.offsets[slice.from]! < first.block.offsets[first.from]!) first = slice
    if (slice.block.offsets[slice.to - 1]! > last.block.offsets[last.to - 1]!) last = slice
  }
  return {
    firstRecordOffset: String(first.block.offsets[first.from]!),
    lastRecordOffset: String(last.block.offsets[last.to - 1]!),
    firstRecordTimestamp: isoTime(first.block.timestamps[first.from]!),
    lastRecordTimestamp: isoTime(last.block.timestamps[last.to - 1]!)
  }
}

/** AWS documents the form for streams; Kafka's has the partition for the shard (reference 8.3). */
function objectKey({ mapping, nowMs, uuid }: Failure, partition: string): string {
  const time = isoTime(nowMs).slice(0, 19)
  const [year, month, day] = time.split(/[-T]/)
  return `aws/lambda/${mapping}/${partition}/${year}/${month}/${day}/${time.replaceAll(':', '.')}-${uuid}`
}

/** An ARN of seven parts names no version. */
const withVersion = (functionArn: string): string =>
  functionArn.split(':').length === 7 ? `${functionArn}:$LATEST` : functionArn

const farthestTimeMs = 8.64e15

/** Producers may write any number as a record's time: what is beyond all dates is shown as the last one there is. */
const isoTime = (timeMs: number): string =>
  new Date(Math.max(-farthestTimeMs, Math.min(farthestTimeMs, timeMs))).toISOString()
