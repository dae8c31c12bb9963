import type { TopicPartition } from '../../core/record.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { apis, callRaw, newestShared } from './apis.ts'
import type { Lease } from './buffer-pool.ts'
import { noTopicId } from './cluster.ts'
import type { Cluster, TopicInfo, WireUse } from './cluster.ts'
import { deliver } from './delivery.ts'
import type { FetchSink } from './delivery.ts'
import { parseFetchResponse } from './fetch-response.ts'
import type { FetchedPartition } from './fetch-response.ts'
import { CorruptBatch, errorCode, KafkaRefusal, MalformedResponse, problemOf } from './problems.ts'
import type { ProblemBoard } from './problems.ts'
import { retryDelayMs } from './retry-delay.ts'

export interface FetchSettings {
  /** How long a broker may wait for data before it answers. */
  readonly maxWaitMs: number
  /** Of one response; Kafka exceeds it for a single large batch. */
  readonly maxBytes: number
  readonly partitionMaxBytes: number
  readonly requestTimeoutMs: number
}

export interface FetcherDeps {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Log
  readonly problems: ProblemBoard
  readonly sink: FetchSink
  /** Somebody met a stale leader, or knows none. */
  readonly refreshTopic: () => void
  /** The log does not have the position. Resolves to where to go on; undefined: stay and try again later. */
  readonly resetOffset: (partition: number, reason: ResetReason) => Promise<number | undefined>
}

/** Why a position leads nowhere: the log does not have it, or the topic was deleted and made anew. */
export type ResetReason = 'out-of-range' | 'recreated'

/** Reading position of one partition that is ours. A new object per assignment: late answers find another one. */
interface Position {
  readonly target: TopicPartition
  offset: number
  /** Grows when not even one batch fits. */
  maxBytes: number
  inFlight: boolean
  retryAtMs: number
  /** Failures in a row. */
  tries: number
  /** The offset leads nowhere; another one is to be found first. */
  reset: ResetReason | undefined
}

interface BrokerState {
  readonly busy: Set<WireUse>
  retryAtMs: number
  tries: number
}

/** A broker gets a second long poll for partitions that the running one does not cover, say those just resumed. */
const slots = ['fetch', 'fetch-more'] as const satisfies readonly WireUse[]
const readCommitted = 1
const largestPartitionBytes = 128 << 20
/** For what only people can heal. */
const slowRetryMs = 5000

/**
 * Fetches the partitions that are ours from their leaders, as many as want it, and hands on what they hold. What goes
 * wrong with one partition or one broker leaves the others alone.
 */
export class Fetcher {
  readonly #settings: FetchSettings
  readonly #deps: FetcherDeps
  /** In the order in which they are asked for: whoever got data goes to the end, so that all get their turn. */
  readonly #positions = new Map<number, Position>()
  readonly #brokers = new Map<number, BrokerState>()
  #topic: TopicInfo | undefined
  #stopped = false
  #disarm: () => void = () => undefined

  constructor(settings: FetchSettings, deps: FetcherDeps) {
    this.#settings = settings
    this.#deps = deps
  }

  /** Leaders as the metadata has them now. */
  setTopic(topic: TopicInfo): void {
    const before = this.#topic?.id ?? noTopicId
    this.#topic = topic
    this.#forgetBrokers()
    // Offsets of the log that was deleted mean nothing in the new one.
    if (before !== noTopicId && topic.id !== before)
      for (const { target, offset } of this.#positions.values()) {
        // As a new assignment, so that answers about the old log find nobody.
        this.add(target, offset)
        void this.#reset(this.#positions.get(target.partition)!, 'recreated')
      }
    this.pump()
  }

  add(target: TopicPartition, offset: number): void {
    const { partitionMaxBytes: maxBytes } = this.#settings
    const fresh = { inFlight: false, retryAtMs: 0, tries: 0, reset: undefined }
    this.#positions.set(target.partition, { target, offset, maxBytes, ...fresh })
  }

  /** Nothing of it is handed on any more, not even what is on its way. */
  remove(partition: number): void {
    this.#positions.delete(partition)
    this.#deps.problems.clear(placeOf(partition))
    this.#forgetBrokers()
  }

  stop(): void {
    this.#stopped = true
    this.#positions.clear()
    this.#disarm()
  }

  /** Asks whatever may be asked for now. Call when anything changed: a partition resumed, a leader, an answer. */
  pump(): void {
    if (this.#stopped) return
    const nowMs = this.#deps.clock.monotonicMs()
    const ready = new Map<number, Position[]>()
    let leaderless = false
    for (const position of this.#positions.values()) {
      if (position.inFlight || position.retryAtMs > nowMs || !this.#deps.sink.wants(position.target)) continue
      if (position.reset !== undefined) {
        void this.#reset(position, position.reset)
        continue
      }
      const leader = this.#topic?.partitions.get(position.target.partition)?.leader ?? -1
      const beside = ready.get(leader)
      if (leader < 0) leaderless = true
      else if (beside === undefined) ready.set(leader, [position])
      else beside.push(position)
    }
    if (leaderless) this.#deps.refreshTopic()
    for (const [leader, positions] of ready) {
      const broker = this.#broker(leader)
      const slot = slots.find(each => !broker.busy.has(each))
      if (slot !== undefined && broker.retryAtMs <= nowMs) void this.#fetch(leader, broker, slot, positions)
    }
    this.#armRetry(nowMs)
  }

  #broker(node: number): BrokerState {
    let broker = this.#brokers.get(node)
    if (broker === undefined) this.#brokers.set(node, (broker = { busy: new Set(), retryAtMs: 0, tries: 0 }))
    return broker
  }

  /** What is wrong with a broker that leads none of our partitions is no problem of ours. */
  #forgetBrokers(): void {
    const leaders = new Set(
      [...this.#positions.keys()].map(partition => this.#topic?.partitions.get(partition)?.leader)
    )
    for (const [node, broker] of this.#brokers) {
      if (leaders.has(node) || broker.busy.size > 0) continue
      this.#brokers.delete(node)
      this.#deps.problems.clear(`broker ${node}`)
    }
  }

  #armRetry(nowMs: number): void {
    this.#disarm()
    let next = Infinity
    for (const { retryAtMs } of [...this.#positions.values(), ...this.#brokers.values()])
      if (retryAtMs > nowMs && retryAtMs < next) next = retryAtMs
    if (next < Infinity) this.#disarm = this.#deps.clock.after(next - nowMs, () => this.pump())
  }

  async #fetch(node: number, broker: BrokerState, slot: WireUse, positions: readonly Position[]): Promise<void> {
    broker.busy.add(slot)
    for (const position of positions) position.inFlight = true
    try {
      await this.#ask(node, slot, positions)
      broker.tries = 0
      this.#deps.problems.clear(`broker ${node}`)
    } catch (error) {
      if (!this.#stopped) this.#brokerFailed(node, broker, error as Error)
    } finally {
      broker.busy.delete(slot)
      for (const position of positions) position.inFlight = false
      this.pump()
    }
  }

  async #ask(node: number, slot: WireUse, positions: readonly Position[]): Promise<void> {
    const { cluster } = this.#deps
    const { maxWaitMs, maxBytes, requestTimeoutMs } = this.#settings
    const topic = this.#topic!
    const wire = await cluster.wireTo(node, slot)
    const offered = cluster.offered(wire)
    // From version 13 on topics go by their id.
    const codec = newestShared(topic.id === noTopicId ? fetchByName : apis.fetch, offered)
    const topicKey = codec.version >= 13 ? topic.id : topic.name
    const asked = new Map<number, { position: Position; offset: number }>()
    const partitions = positions.map(position => {
      asked.set(position.target.partition, { position, offset: position.offset })
      return {
        partition: position.target.partition,
        currentLeaderEpoch: -1,
        fetchOffset: BigInt(position.offset),
        lastFetchedEpoch: -1,
        partitionMaxBytes: position.maxBytes
      }
    })
    const limit = Math.max(maxBytes, ...positions.map(position => position.maxBytes))
    const topics = [{ topicId: topicKey, partitions }]
    const { body, lease } = await callRaw(
      wire,
      codec,
      [maxWaitMs, 1, limit, readCommitted, 0, -1, topics, [], ''],
      maxWaitMs + requestTimeoutMs
    )
    try {
      const response = parseFetchResponse(body, codec.version)
      if (response.errorCode !== errorCode.none)
        throw new KafkaRefusal(response.errorCode, `fetching from ${wire.address}`)
      for (const each of response.partitions) {
        const question = asked.get(each.partition)
        if (question !== undefined && each.topic === topicKey)
          this.#take(each, question.position, question.offset, body, lease)
      }
    } catch (error) {
      if (error instanceof MalformedResponse) wire.close(error.message)
      throw error
    } finally {
      lease.release()
    }
  }

  /** Still the assignment and the position that were asked for? */
  #current(position: Position, offset: number): boolean {
    return !this.#stopped && this.#positions.get(position.target.partition) === position && position.offset === offset
  }

  #take(answer: FetchedPartition, position: Position, offset: number, body: Buffer, lease: Lease): void {
    if (!this.#current(position, offset)) return
    if (answer.errorCode !== errorCode.none) return this.#refused(answer.errorCode, position)
    const size = answer.recordsEnd - answer.recordsStart
    if (size > 0) {
      // Whoever got data goes to the end of the line.
      this.#positions.delete(position.target.partition)
      this.#positions.set(position.target.partition, position)
    }
    const moved = (nextOffset: number) => (position.offset = nextOffset)
    const current = () => this.#current(position, position.offset)
    try {
      deliver(answer, body, lease, { target: position.target, offset, moved, current }, this.#deps.sink)
      if (position.offset === offset && size > 0) this.#tooSmall(position)
      else position.maxBytes = this.#settings.partitionMaxBytes
    } catch (error) {
      return this.#failed(position, error as Error)
    }
    if (position.tries === 0) return
    position.tries = 0
    this.#deps.problems.clear(placeOf(position.target.partition))
  }

  /** Not one whole batch came: brokers send at least one since Kafka 0.10.1, so this is somebody else's. */
  #tooSmall(position: Position): void {
    if (position.maxBytes >= largestPartitionBytes)
      throw new CorruptBatch(position.offset, `does not fit into ${largestPartitionBytes} bytes`)
    position.maxBytes = Math.min(largestPartitionBytes, position.maxBytes * 4)
  }

  /** Kafka refused this one partition. */
  #refused(code: number, position: Position): void {
    switch (code) {
      case errorCode.offsetOutOfRange:
        void this.#reset(position, 'out-of-range')
        return
      case errorCode.unknownTopicOrPartition:
      case errorCode.leaderNotAvailable:
      case errorCode.notLeaderOrFollower:
      case errorCode.replicaNotAvailable:
      case errorCode.storageError:
      case errorCode.fencedLeaderEpoch:
      case errorCode.unknownLeaderEpoch:
      case errorCode.offsetNotAvailable:
      case errorCode.unknownTopicId:
        this.#deps.refreshTopic()
        break
    }
    const { topic, partition } = position.target
    this.#failed(position, new KafkaRefusal(code, `partition ${partition} of ${topic}`))
  }

  #failed(position: Position, error: Error): void {
    const { clock, log, problems } = this.#deps
    const { topic, partition } = position.target
    const slow =
      error instanceof CorruptBatch ||
      (error instanceof KafkaRefusal &&
        [errorCode.topicAuthorizationFailed, errorCode.corruptMessage].some(code => code === error.code))
    // A leader that moves is everyday life; what lasts is told.
    if (slow || position.tries >= 3)
      problems.set(placeOf(partition), problemOf(error, `read partition ${partition} of ${topic}`, 'fetch'))
    const firstMs = slow ? slowRetryMs : 100
    position.retryAtMs =
      clock.monotonicMs() + retryDelayMs(position.tries, clock.chance(), firstMs, slow ? 60_000 : 5000)
    position.tries++
    log.warn({ topic, partition, offset: position.offset, error: error.message }, 'cannot read the partition yet')
  }

  /** Looks for an offset from which reading can go on. Until there is one the partition is not asked for. */
  async #reset(position: Position, reason: ResetReason): Promise<void> {
    const { log, resetOffset, sink } = this.#deps
    const { target, offset } = position
    position.reset = reason
    position.retryAtMs = Infinity
    const to = await resetOffset(target.partition, reason).catch(() => undefined)
    if (!this.#current(position, offset)) return
    position.retryAtMs = 0
    if (to === undefined || (to === offset && reason === 'out-of-range'))
      this.#failed(position, new KafkaRefusal(errorCode.offsetOutOfRange, `offset ${offset}`))
    else {
      position.reset = undefined
      position.offset = to
      log.warn({ ...target, from: offset, to, reason }, 'the log does not have the offset: reading goes on elsewhere')
      if (to !== offset) sink.jumped(target, offset, to)
    }
    this.pump()
  }

  #brokerFailed(node: number, broker: BrokerState, error: Error): void {
    const { clock, log, problems, refreshTopic } = this.#deps
    broker.retryAtMs = clock.monotonicMs() + retryDelayMs(broker.tries, clock.chance())
    broker.tries++
    // Brokers close connections that were idle: only what fails twice is told.
    if (broker.tries > 1) problems.set(`broker ${node}`, problemOf(error, `fetch from broker ${node}`, 'fetch'))
    log.warn({ broker: node, error: error.message }, 'cannot fetch from the broker yet')
    refreshTopic()
  }
}

const placeOf = (partition: number): string => `partition ${partition}`

const fetchByName = {
  ...apis.fetch,
  codecs: new Map([...apis.fetch.codecs].filter(([version]) => version < 13))
}
