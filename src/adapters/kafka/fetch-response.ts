import { Cursor } from './cursor.ts'
import { MalformedResponse } from './problems.ts'

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

/** One partition's share of a Fetch response, error codes as they came. */
export interface FetchedPartition {
  /** Topic name up to version 12, topic id (UUID) from 13. */
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  /** -1: not told. */
  readonly logStartOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** Node id of a replica nearer to the rack that was named; -1: read on here. */
  readonly preferredReadReplica: number
  /** Where the record batches lie in the response. */
  readonly recordsStart: number
  readonly recordsEnd: number
}

export interface FetchResponse {
  readonly throttleTimeMs: number
  /** Of the whole response. */
  readonly errorCode: number
  /** 0: the broker keeps no session. */
  readonly sessionId: number
  readonly partitions: readonly FetchedPartition[]
}

/**
 * Reads a Fetch response, version 4 to 17, without its header. Record batches are not looked at.
 * Throws MalformedResponse; never reads past the end.
 * Source of the layout: FetchResponse.json of Apache Kafka.
 */
export function parseFetchResponse(body: Buffer, version: number): FetchResponse {
  const cursor = new Cursor(body)
  const flexible = version >= 12
  const throttleTimeMs = cursor.int32()
  const errorCode = version >= 7 ? cursor.int16() : 0
  const sessionId = version >= 7 ? cursor.int32() : 0
  const partitions: FetchedPartition[] = []
  for (let topics = cursor.count(flexible, 3); topics > 0; topics--) {
    const topic = version >= 13 ? uuid(cursor) : cursor.string(flexible)
    for (let left = cursor.count(flexible, 22); left > 0; left--)
      partitions.push(readPartition(cursor, topic, version, flexible))
    if (flexible) cursor.tags()
  }
  if (flexible) cursor.tags()
  if (cursor.left !== 0) throw new MalformedResponse(`a fetch response goes on for ${cursor.left} bytes after its end`)
  return { throttleTimeMs, errorCode, sessionId, partitions }
}

function readPartition(cursor: Cursor, topic: string, version: number, flexible: boolean): FetchedPartition {
  const partition = cursor.int32()
  const errorCode = cursor.int16()
  const highWatermark = cursor.int64()
  const lastStableOffset = cursor.int64()
  const logStartOffset = version >= 5 ? cursor.int64() : -1
  const aborted: AbortedTransaction[] = []
  for (let left = cursor.count(flexible, 16); left > 0; left--) {
    aborted.push({ producerId: cursor.int64(), firstOffset: cursor.int64() })
    if (flexible) cursor.tags()
  }
  const preferredReadReplica = version >= 11 ? cursor.int32() : -1
  const size = cursor.count(flexible, 1)
  const recordsStart = cursor.skip(size)
  if (flexible) cursor.tags()
  return {
    topic,
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    aborted,
    preferredReadReplica,
    recordsStart,
    recordsEnd: recordsStart + size
  }
}

function uuid(cursor: Cursor): string {
  const at = cursor.skip(16)
  const hex = cursor.bytes.toString('hex', at, at + 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
