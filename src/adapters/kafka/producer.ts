import type { ClusterAddress } from '../../ports/consumer.ts'
import { openClientCluster } from './client-cluster.ts'
import type { ClientDeps } from './client-cluster.ts'
import type { Cluster, TopicInfo } from './cluster.ts'
import { Partitioner } from './partitioner.ts'
import type { NewRecord } from './produce-batch.ts'
import { ProduceDelivery } from './produce-delivery.ts'
import type { ProducedRecord } from './produce-delivery.ts'
import { ProduceExchange } from './produce-exchange.ts'
import { ProduceFailure, reactToProduce, refusal, unknownPartition, unknownTopic } from './produce-failure.ts'
import { ProducerIdentities } from './producer-identities.ts'
import { ProducerLane } from './producer-lane.ts'
import { errorCode, KafkaRefusal } from './problems.ts'
import { TopicBook } from './topic-book.ts'

export interface ProducerMessage {
  /** Absent or null: none. An empty one is a key. */
  readonly key?: Buffer | null
  readonly value: Buffer | null
  /** Pairs, as a name may come twice. */
  readonly headers?: readonly (readonly [name: string, value: Buffer | null])[]
  /** Absent: the key chooses as in Java's producer; records without one take turns. */
  readonly partition?: number
  /** Epoch milliseconds. Absent: now. */
  readonly timestampMs?: number
}

export interface ProducerOptions {
  readonly cluster: ClusterAddress
  readonly clientId: string
}

/**
 * Writes to topics, idempotently: within the life of one producer a record whose `send` resolved is in the log once, however
 * often connections broke and leaders moved. Records of one partition keep the order in which they were given to `send`.
 */
export interface Producer {
  /**
   * Resolves when every in-sync copy has every message: where each one is, in their order. Rejects with a ProduceFailure, or
   * the reason of `signal`, as soon as one is not to be had; others of the same call may be in the log nevertheless.
   * The bytes must not change until then.
   */
  send(topic: string, messages: readonly ProducerMessage[], signal?: AbortSignal): Promise<ProducedRecord[]>
  /** Ends at once; what is under way rejects. Safe twice. */
  close(): Promise<void>
}

/** What nobody sets but tests: the defaults are made for production. */
export interface ProducerTuning {
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  /** How long a broker may wait for its copies. */
  readonly acksTimeoutMs: number
  /** From `send` to giving up. */
  readonly deliveryTimeoutMs: number
  /** Of one partition's batch: Kafka's default for max.message.bytes is 1,048,588. */
  readonly batchMaxBytes: number
  readonly requestMaxBytes: number
}

const defaultTuning: ProducerTuning = {
  connectTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
  acksTimeoutMs: 10_000,
  deliveryTimeoutMs: 30_000,
  batchMaxBytes: 1_000_000,
  requestMaxBytes: 8_000_000
}

/** Opens no connection yet: the first `send` does. */
export function openProducer(
  options: ProducerOptions,
  deps: ClientDeps,
  tuning: Partial<ProducerTuning> = {}
): Producer {
  return new KafkaProducer(options, deps, { ...defaultTuning, ...tuning })
}

interface TopicState {
  /** Waiting for metadata to have their partitions chosen. */
  undecided: ProduceDelivery[]
  readonly lanes: Map<number, ProducerLane>
}

class KafkaProducer implements Producer {
  readonly #deps: ClientDeps
  readonly #tuning: ProducerTuning
  readonly #cluster: Cluster
  readonly #book: TopicBook
  readonly #partitioner: Partitioner
  readonly #topics = new Map<string, TopicState>()
  /** Lanes that have something to send, in the order of their turn. */
  readonly #active = new Set<ProducerLane>()
  readonly #deliveries = new Set<ProduceDelivery>()
  readonly #identities: ProducerIdentities
  readonly #exchange: ProduceExchange
  #pumping = false
  #disarm: () => void = () => undefined
  #closed: Promise<void> | undefined

  constructor(options: ProducerOptions, deps: ClientDeps, tuning: ProducerTuning) {
    const { cluster: address, clientId } = options
    const { connectTimeoutMs, requestTimeoutMs } = tuning
    this.#deps = deps
    this.#tuning = tuning
    this.#cluster = openClientCluster({ address, clientId, connectTimeoutMs, requestTimeoutMs }, deps)
    this.#partitioner = new Partitioner(deps.clock.chance())
    this.#book = new TopicBook({
      cluster: this.#cluster,
      ...deps,
      read: () => this.#pump(),
      failed: (topic, error) => {
        for (const delivery of this.#of(topic)) delivery.hindered(error)
        this.#pump()
      },
      refused: (topic, code) => {
        const failure =
          code === errorCode.unknownTopicOrPartition || code === errorCode.unknownTopicId
            ? unknownTopic(topic, this.#servers)
            : refusal(topic, this.#servers, code, '')
        for (const delivery of this.#of(topic)) delivery.fail(failure)
        this.#pump()
      }
    })
    this.#identities = new ProducerIdentities({
      cluster: this.#cluster,
      ...deps,
      got: () => this.#pump(),
      failed: error => {
        const code = error instanceof KafkaRefusal ? error.code : errorCode.none
        for (const delivery of this.#deliveries)
          if (reactToProduce(code) === 'refused') delivery.fail(refusal(delivery.topic, this.#servers, code, ''))
          else delivery.hindered(error)
        this.#pump()
      }
    })
    this.#exchange = new ProduceExchange({
      cluster: this.#cluster,
      ...deps,
      ...tuning,
      identities: this.#identities,
      outdated: topic => this.#book.outdated(topic),
      onSealed: lane => {
        // To the end of the line, so that all get their turn.
        this.#active.delete(lane)
        this.#active.add(lane)
      },
      onEnd: () => this.#pump()
    })
  }

  async send(topic: string, messages: readonly ProducerMessage[], signal?: AbortSignal): Promise<ProducedRecord[]> {
    signal?.throwIfAborted()
    if (this.#closed !== undefined) throw closed()
    const { clock } = this.#deps
    const nowMs = clock.now()
    const records = messages.map(message => recordOf(message, nowMs))
    const partitions = messages.map(({ partition }) => partition)
    const delivery = new ProduceDelivery(topic, records, partitions)
    this.#deliveries.add(delivery)
    const cancel = clock.after(this.#tuning.deliveryTimeoutMs, () => this.#tooLate(delivery))
    const abort = () => {
      delivery.fail(signal!.reason as Error)
      this.#pump()
    }
    signal?.addEventListener('abort', abort, { once: true })
    this.#topic(topic).undecided.push(delivery)
    this.#pumpSoon()
    try {
      return await delivery.ended
    } finally {
      cancel()
      signal?.removeEventListener('abort', abort)
      this.#deliveries.delete(delivery)
    }
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#disarm()
    this.#exchange.close()
    for (const delivery of this.#deliveries) delivery.fail(closed())
    await this.#cluster.close()
  }

  get #servers(): string {
    return this.#cluster.bootstrapServers
  }

  #topic(name: string): TopicState {
    let state = this.#topics.get(name)
    if (state === undefined) this.#topics.set(name, (state = { undecided: [], lanes: new Map() }))
    return state
  }

  #of(topic: string): ProduceDelivery[] {
    return [...this.#deliveries].filter(delivery => delivery.topic === topic)
  }

  #tooLate(delivery: ProduceDelivery): void {
    const { problem, topic } = delivery
    const why = problem === undefined ? 'no answer' : problem.message
    const ms = this.#tuning.deliveryTimeoutMs
    const options = problem === undefined ? {} : { cause: problem }
    delivery.fail(
      new ProduceFailure(
        'timeout',
        `Topic ${topic} on ${this.#servers} has not acknowledged everything in ${ms} ms: ${why}`,
        options
      )
    )
    this.#pump()
  }

  /** What is given to `send` in one turn goes together, and costs one look at what waits. */
  #pumpSoon(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      this.#pump()
    })
  }

  /** Sends whatever may be sent now. Call when anything changed. */
  #pump(): void {
    if (this.#closed !== undefined) return
    const nowMs = this.#deps.clock.monotonicMs()
    let nextMs = Infinity
    const later = (atMs: number | undefined) => {
      if (atMs !== undefined && atMs > nowMs) nextMs = Math.min(nextMs, atMs)
    }
    for (const [name, topic] of this.#topics) {
      topic.undecided = topic.undecided.filter(delivery => !delivery.over)
      if (topic.undecided.length === 0) continue
      this.#choosePartitions(name, topic)
      if (topic.undecided.length > 0) later(this.#book.retryAtMs(name))
    }
    for (const [leader, lanes] of this.#ready(nowMs, later)) later(this.#exchange.offer(leader, lanes, nowMs))
    this.#disarm()
    if (nextMs < Infinity) this.#disarm = this.#deps.clock.after(nextMs - nowMs, () => this.#pump())
  }

  /** Moves what has come into the lanes of its partitions, in the order of `send`. */
  #choosePartitions(name: string, topic: TopicState): void {
    const info = this.#book.look(name)
    if (info === undefined) return
    const count = info.partitions.size
    const led = [...info.partitions].filter(([, { leader }]) => leader >= 0).map(([partition]) => partition)
    for (const delivery of topic.undecided.splice(0)) {
      const missing = delivery.partitions.find(partition => partition !== undefined && !info.partitions.has(partition))
      if (missing !== undefined) {
        this.#book.outdated(name)
        delivery.fail(unknownPartition(name, missing, count))
        continue
      }
      for (const [index, record] of delivery.records.entries()) {
        const partition = delivery.partitions[index] ?? this.#partitioner.choose(record.key, count, led)
        const lane = this.#lane(topic, name, partition)
        lane.push({ record, delivery, index })
        this.#active.add(lane)
      }
    }
  }

  #lane(topic: TopicState, name: string, partition: number): ProducerLane {
    let lane = topic.lanes.get(partition)
    if (lane === undefined)
      topic.lanes.set(partition, (lane = new ProducerLane(name, partition, this.#tuning.batchMaxBytes)))
    return lane
  }

  /** Lanes that may be sent now, by leader. */
  #ready(nowMs: number, later: (atMs: number | undefined) => void): Map<number, ProducerLane[]> {
    const ready = new Map<number, ProducerLane[]>()
    const infos = new Map<string, TopicInfo | undefined>()
    for (const lane of this.#active) {
      if (lane.inFlight) continue
      const { busy, spent } = lane.tidy()
      this.#identities.spent(spent)
      if (!busy) this.#active.delete(lane)
      else if (lane.retryAtMs > nowMs) later(lane.retryAtMs)
      else {
        if (!infos.has(lane.topic)) infos.set(lane.topic, this.#book.look(lane.topic))
        const leader = infos.get(lane.topic)?.partitions.get(lane.partition)?.leader ?? -1
        const beside = ready.get(leader)
        if (beside === undefined) ready.set(leader, [lane])
        else beside.push(lane)
      }
    }
    for (const lane of ready.get(-1) ?? []) this.#leaderless(lane, later)
    ready.delete(-1)
    if (ready.size === 0 || this.#identities.current !== undefined) return ready
    later(this.#identities.ask(nowMs))
    return new Map()
  }

  #leaderless(lane: ProducerLane, later: (atMs: number | undefined) => void): void {
    const problem = new KafkaRefusal(errorCode.leaderNotAvailable, `partition ${lane.partition} of ${lane.topic}`)
    for (const delivery of lane.deliveries()) delivery.hindered(problem)
    this.#book.outdated(lane.topic)
    this.#book.look(lane.topic)
    later(this.#book.retryAtMs(lane.topic))
  }
}

const closed = (): ProduceFailure => new ProduceFailure('closed', 'the producer was closed')

function recordOf(message: ProducerMessage, nowMs: number): NewRecord {
  const { key = null, value, headers = [], timestampMs = nowMs } = message
  const wholeMs = Math.round(timestampMs)
  if (!(wholeMs >= 0 && wholeMs <= Number.MAX_SAFE_INTEGER))
    throw new RangeError(`timestampMs must be milliseconds since 1970, got ${timestampMs}`)
  return { key, value, headers, timestampMs: wholeMs }
}
