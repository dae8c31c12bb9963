import type { Block } from '../../core/record.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ClusterAddress, ConsumerProblem } from '../../ports/consumer.ts'
import { BufferPool } from './buffer-pool.ts'
import { openClientCluster } from './client-cluster.ts'
import type { ClientDeps } from './client-cluster.ts'
import type { Cluster, TopicInfo } from './cluster.ts'
import { newestStarts } from './newest-records.ts'
import type { OffsetRange, RecordTime } from './newest-records.ts'
import { listAt, listOffsets } from './offsets.ts'
import { errorCode, KafkaRefusal, problemOf } from './problems.ts'
import { readRanges, TopicUnreadable } from './range-reader.ts'
import type { RangeReaderDeps, RangeReaderOptions } from './range-reader.ts'
import { retryDelayMs } from './retry-delay.ts'

/** `last`: the newest so many records of all chosen partitions together, see `newestStarts`. */
export type ReadFrom = 'earliest' | 'latest' | { readonly last: number } | { readonly timestampMs: number }

export interface ReadTopicOptions {
  readonly cluster: ClusterAddress
  readonly clientId: string
  readonly topic: string
  readonly from: ReadFrom
  /** Absent: all. */
  readonly partitions?: readonly number[]
  /** Go on with what comes later, until `signal`. Else reading ends where the topic ended when it began. */
  readonly follow: boolean
  /** Ends reading, quietly. */
  readonly signal: AbortSignal
  /** Told what keeps reading for a while, say a broker that is down; undefined: nothing any more. */
  readonly problem?: (problem: ConsumerProblem | undefined) => void
}

/** What nobody sets but tests: the defaults are made for production. */
export interface ReadTopicTuning {
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  /** How long to look for topic and offsets before giving up. */
  readonly startTimeoutMs: number
  readonly metadataMaxAgeMs: number
  readonly fetchMaxWaitMs: number
}

const defaultTuning: ReadTopicTuning = {
  connectTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
  startTimeoutMs: 10_000,
  metadataMaxAgeMs: 30_000,
  fetchMaxWaitMs: 500
}

const maxIdlePoolBytes = 8 << 20
/** Brokers learn of a new topic one after the other. */
const absenceGraceMs = 1000

type Reading = Pick<RangeReaderOptions, 'topic' | 'fetch' | 'metadataMaxAgeMs'>

/**
 * Reads a topic as somebody who looks on: no group, no commits, committed records only. Blocks of a partition come in
 * order, those of different ones as they arrive; whoever takes a block must finish its records.
 * Throws TopicUnreadable, or at the start what kept from beginning.
 */
export async function* readTopic(
  options: ReadTopicOptions,
  deps: ClientDeps,
  tuning: Partial<ReadTopicTuning> = {}
): AsyncGenerator<Block, void> {
  const { connectTimeoutMs, requestTimeoutMs, ...times } = { ...defaultTuning, ...tuning }
  const { cluster: address, clientId, signal, follow } = options
  if (signal.aborted) return
  const timeouts = { connectTimeoutMs, requestTimeoutMs }
  const cluster = openClientCluster({ address, clientId, ...timeouts, pool: new BufferPool(maxIdlePoolBytes) }, deps)
  const hangUp = () => void cluster.close()
  signal.addEventListener('abort', hangUp, { once: true })
  const reader: RangeReaderDeps = { ...deps, cluster, signal, problem: options.problem ?? (() => undefined) }
  try {
    const { topic, bounds } = await begin(options, reader, times.startTimeoutMs)
    signal.removeEventListener('abort', hangUp)
    const fetch = {
      maxWaitMs: times.fetchMaxWaitMs,
      maxBytes: 4 << 20,
      partitionMaxBytes: 1 << 20,
      requestTimeoutMs
    }
    const reading = { topic, fetch, metadataMaxAgeMs: times.metadataMaxAgeMs }
    const found = await rangesOf(options.from, bounds, reading, reader)
    const ranges = follow ? endless(found) : found
    yield* readRanges({ ...reading, ranges, follow: follow && options.partitions === undefined }, reader)
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', hangUp)
    await cluster.close()
  }
}

/** Looks for the topic and for where its partitions begin and end, until it has found both or the time is up. */
async function begin(
  { topic: name, from, partitions }: ReadTopicOptions,
  { cluster, clock, signal }: RangeReaderDeps,
  timeoutMs: number
): Promise<{ topic: TopicInfo; bounds: Map<number, OffsetRange> }> {
  const beganMs = clock.monotonicMs()
  for (let tries = 0; ; tries++) {
    try {
      const topic = await find(cluster, name)
      return { topic, bounds: await boundsOf(cluster, topic, from, chosen(topic, partitions)) }
    } catch (error) {
      const problem = problemOf(error, `read topic ${name}`)
      const absent = problem.kind === 'unknown-topic'
      const final = ['authorization', 'authentication'].includes(problem.kind) || error instanceof TopicUnreadable
      const waitedMs = clock.monotonicMs() - beganMs
      if (signal.aborted || final || waitedMs >= (absent ? absenceGraceMs : timeoutMs))
        throw unreadable(error, problem, name, cluster)
    }
    await pause(clock, retryDelayMs(tries, clock.chance(), 50, 1000), signal)
  }
}

function unreadable(error: unknown, problem: ConsumerProblem, name: string, cluster: Cluster): Error {
  if (error instanceof TopicUnreadable) return error
  const { kind } = problem
  const absent = `Topic ${name} does not exist on ${cluster.bootstrapServers}: create it, or name one that exists.`
  const text =
    kind === 'unknown-topic' ? absent : `Cannot read topic ${name} on ${cluster.bootstrapServers}: ${problem.message}`
  return new TopicUnreadable(kind, text, { cause: error })
}

async function find(cluster: Cluster, name: string): Promise<TopicInfo> {
  const found = (await cluster.topics([name])).get(name) ?? errorCode.unknownTopicOrPartition
  if (typeof found === 'number') throw new KafkaRefusal(found, `topic ${name}`)
  return found
}

function chosen(topic: TopicInfo, wanted: readonly number[] | undefined): number[] {
  const existing = [...topic.partitions.keys()].sort((a, b) => a - b)
  const missing = wanted?.find(partition => !topic.partitions.has(partition))
  if (missing === undefined) return wanted === undefined ? existing : [...new Set(wanted)]
  const text = `Topic ${topic.name} has no partition ${missing}: it has ${existing.length}, counted from 0.`
  throw new TopicUnreadable('unknown-topic', text)
}

/** First offset to read and end of each partition; for `last` the first is the start of the log. */
async function boundsOf(
  cluster: Cluster,
  topic: TopicInfo,
  from: ReadFrom,
  partitions: readonly number[]
): Promise<Map<number, OffsetRange>> {
  const ends = await offsetsAt(cluster, topic, partitions, listAt.latest)
  const start = typeof from === 'object' && 'timestampMs' in from ? from.timestampMs : listAt.earliest
  const starts = from === 'latest' ? ends : await offsetsAt(cluster, topic, partitions, start)
  return new Map(
    [...ends].map(([partition, to]) => {
      const first = starts.get(partition)!
      // Nothing is as young as the timestamp: begin at the end.
      return [partition, { from: first < 0 ? to : first, to }]
    })
  )
}

async function offsetsAt(
  cluster: Cluster,
  topic: TopicInfo,
  partitions: readonly number[],
  timestampMs: number
): Promise<Map<number, number>> {
  const answers = await listOffsets(cluster, topic, new Map(partitions.map(each => [each, timestampMs])))
  const offsets = new Map<number, number>()
  for (const partition of partitions) {
    const answer = answers.get(partition) ?? new KafkaRefusal(errorCode.offsetNotAvailable, `partition ${partition}`)
    if (typeof answer !== 'number') throw answer
    offsets.set(partition, answer)
  }
  return offsets
}

async function rangesOf(
  from: ReadFrom,
  bounds: ReadonlyMap<number, OffsetRange>,
  reading: Reading,
  deps: RangeReaderDeps
): Promise<ReadonlyMap<number, OffsetRange>> {
  if (typeof from === 'string' || !('last' in from)) return bounds
  const starts = await newestStarts(from.last, bounds, ranges => timesIn(ranges, reading, deps))
  return new Map([...bounds].map(([partition, { to }]) => [partition, { from: starts.get(partition)!, to }]))
}

async function timesIn(
  ranges: ReadonlyMap<number, OffsetRange>,
  reading: Reading,
  deps: RangeReaderDeps
): Promise<Map<number, RecordTime[]>> {
  const found = new Map<number, RecordTime[]>()
  for await (const block of readRanges({ ...reading, ranges, follow: false }, deps)) {
    const times = found.get(block.partition) ?? []
    for (let index = 0; index < block.count; index++)
      times.push({ offset: block.offsets[index]!, timestampMs: block.timestamps[index]! })
    found.set(block.partition, times)
    block.finish(block.count)
  }
  return found
}

const endless = (ranges: ReadonlyMap<number, OffsetRange>): Map<number, OffsetRange> =>
  new Map([...ranges].map(([partition, { from }]) => [partition, { from, to: Infinity }]))

function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(delayMs, done)
    signal.addEventListener('abort', done, { once: true })
  })
}
