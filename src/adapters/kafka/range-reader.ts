import { Block, column, slicePayloadBytes } from '../../core/record.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ConsumerProblem } from '../../ports/consumer.ts'
import type { Log } from '../../ports/log.ts'
import type { Cluster, TopicInfo } from './cluster.ts'
import { Fetcher } from './fetcher.ts'
import type { FetchSettings, ResetReason } from './fetcher.ts'
import type { OffsetRange } from './newest-records.ts'
import { listAt, listOffsets } from './offsets.ts'
import { ProblemBoard } from './problems.ts'
import { TopicWatch } from './topic-watch.ts'

/** Reading cannot go on, and waiting is of no use. */
export class TopicUnreadable extends Error {
  readonly kind: ConsumerProblem['kind']

  constructor(kind: ConsumerProblem['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TopicUnreadable'
    this.kind = kind
  }
}

export interface RangeReaderDeps {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
  /** What keeps reading for a while; undefined: nothing any more. */
  readonly problem: (problem: ConsumerProblem | undefined) => void
}

export interface RangeReaderOptions {
  readonly topic: TopicInfo
  /** `to` may be Infinity: then reading goes on for ever. */
  readonly ranges: ReadonlyMap<number, OffsetRange>
  /** Partitions that the topic gets later are read as well, from their beginning. */
  readonly follow: boolean
  readonly fetch: FetchSettings
  readonly metadataMaxAgeMs: number
}

/** Records read ahead of whom they are for. */
const maxAheadBytes = 4 << 20
const hopeless = new Set<ConsumerProblem['kind']>(['authorization', 'authentication'])
/** A broker that has just started does not know every topic yet. */
const absenceGraceMs = 5000

/**
 * Reads these offsets once: no group, no commits, committed records only. The blocks of a partition come in order, those of
 * different ones as they arrive; whoever takes a block finishes it. Ends when all has been read, or at the signal.
 * Throws TopicUnreadable.
 */
export async function* readRanges(options: RangeReaderOptions, deps: RangeReaderDeps): AsyncGenerator<Block> {
  const reading = new RangeReading(options, deps)
  const wake = () => reading.wake()
  deps.signal.addEventListener('abort', wake, { once: true })
  try {
    reading.start()
    while (!deps.signal.aborted) {
      const block = reading.take()
      if (block !== undefined) yield block
      else if (reading.ended) return
      else await reading.news()
    }
  } finally {
    deps.signal.removeEventListener('abort', wake)
    reading.stop()
  }
}

class RangeReading {
  readonly #deps: RangeReaderDeps
  readonly #watch: TopicWatch
  readonly #fetcher: Fetcher
  /** Where each partition that is not read to its end yet ends. */
  readonly #open = new Map<number, number>()
  readonly #options: RangeReaderOptions
  readonly #known: Set<number>
  readonly #ahead: Block[] = []
  #aheadBytes = 0
  #failure: Error | undefined
  #wake: () => void = () => undefined
  #disarm: () => void = () => undefined

  constructor(options: RangeReaderOptions, deps: RangeReaderDeps) {
    this.#options = options
    this.#deps = deps
    this.#known = new Set(options.topic.partitions.keys())
    const { cluster, clock, log } = deps
    const problems = new ProblemBoard(problem => this.#told(problem), clock, cluster.bootstrapServers)
    this.#watch = new TopicWatch(options.topic.name, options.metadataMaxAgeMs, {
      cluster,
      clock,
      log,
      problems,
      changed: topic => this.#changed(topic)
    })
    const sink = {
      wants: () => this.#aheadBytes < maxAheadBytes,
      fetched: (block: Block) => this.#fetched(block),
      skipped: ({ partition }: { partition: number }, next: number) => this.#reached(partition, next),
      jumped: ({ partition }: { partition: number }, _from: number, to: number) => this.#reached(partition, to)
    }
    this.#fetcher = new Fetcher(options.fetch, {
      cluster,
      clock,
      log,
      problems,
      sink,
      refreshTopic: () => this.#watch.refresh(),
      resetOffset: (partition, reason) => this.#elsewhere(partition, reason)
    })
  }

  /** All has been read, or nothing can be. Throws why it cannot. */
  get ended(): boolean {
    if (this.#failure !== undefined) throw this.#failure
    return this.#open.size === 0
  }

  start(): void {
    const { topic, ranges } = this.#options
    for (const [partition, { from, to }] of ranges) if (from < to) this.#add(partition, from, to)
    if (this.#open.size === 0) return
    this.#fetcher.setTopic(topic)
    this.#watch.start()
  }

  take(): Block | undefined {
    const block = this.#ahead.shift()
    if (block === undefined) return undefined
    const full = this.#aheadBytes >= maxAheadBytes
    this.#aheadBytes -= sizeOf(block)
    if (full && this.#aheadBytes < maxAheadBytes) this.#fetcher.pump()
    return block
  }

  /** Resolves when there may be something to take, or an end. */
  news(): Promise<void> {
    return new Promise(resolve => (this.#wake = resolve))
  }

  wake(): void {
    this.#wake()
  }

  /** The watch may still wait for a broker's answer; nothing comes of it any more. */
  stop(): void {
    this.#fetcher.stop()
    this.#watch.stop()
    this.#disarm()
    for (const block of this.#ahead.splice(0)) block.finish(block.count)
  }

  #add(partition: number, from: number, to: number): void {
    this.#open.set(partition, to)
    this.#fetcher.add({ topic: this.#options.topic.name, partition }, from)
  }

  #changed(topic: TopicInfo): void {
    for (const partition of this.#options.follow ? topic.partitions.keys() : []) {
      if (this.#known.has(partition)) continue
      this.#known.add(partition)
      this.#add(partition, 0, Infinity)
    }
    this.#fetcher.setTopic(topic)
  }

  #fetched(block: Block): void {
    const wanted = before(block, this.#open.get(block.partition) ?? 0)
    if (wanted !== undefined) {
      this.#ahead.push(wanted)
      this.#aheadBytes += sizeOf(wanted)
    }
    this.#reached(block.partition, block.nextOffset)
    this.#wake()
  }

  #reached(partition: number, nextOffset: number): void {
    const to = this.#open.get(partition)
    if (to === undefined || nextOffset < to) return
    this.#open.delete(partition)
    this.#fetcher.remove(partition)
    this.#wake()
  }

  /** The log lost what is to be read: on with the first that is left. */
  async #elsewhere(partition: number, reason: ResetReason): Promise<number | undefined> {
    if (reason === 'recreated' && !this.#options.follow) {
      const message = `Topic ${this.#options.topic.name} was deleted and made anew while it was read.`
      this.#fail({ kind: 'unknown-topic', message })
    }
    const topic = this.#watch.topic ?? this.#options.topic
    const found = await listOffsets(this.#deps.cluster, topic, new Map([[partition, listAt.earliest]]))
    const offset = found.get(partition)
    return typeof offset === 'number' ? offset : undefined
  }

  #told(problem: ConsumerProblem | undefined): void {
    this.#disarm()
    if (problem !== undefined && hopeless.has(problem.kind)) return this.#fail(problem)
    if (problem?.kind === 'unknown-topic')
      this.#disarm = this.#deps.clock.after(absenceGraceMs, () => this.#fail(problem))
    this.#deps.problem(problem)
  }

  #fail({ kind, message }: ConsumerProblem): void {
    this.#failure ??= new TopicUnreadable(kind, message)
    this.#wake()
  }
}

const sizeOf = (block: Block): number => slicePayloadBytes({ block, from: 0, to: block.count })

/** The block's records below `to`; undefined when there are none: then it is finished here. */
function before(block: Block, to: number): Block | undefined {
  const { offsets } = block
  let count = block.count
  while (count > 0 && offsets[count - 1]! >= to) count--
  if (count === block.count) return block
  if (count === 0) {
    block.finish(block.count)
    return undefined
  }
  const fields = {
    topic: block.topic,
    partition: block.partition,
    bytes: block.bytes,
    count,
    offsets: offsets.subarray(0, count),
    timestamps: block.timestamps.subarray(0, count),
    timestampType: block.timestampType,
    positions: block.positions.subarray(0, count * column.stride),
    nextOffset: to,
    leaderEpoch: block.leaderEpoch
  }
  return new Block(fields, () => block.finish(block.count))
}
