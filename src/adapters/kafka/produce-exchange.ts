import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Cluster } from './cluster.ts'
import { produceApi } from './produce-api.ts'
import type { PartitionBatch, ProducedPartition } from './produce-api.ts'
import { ProduceFailure, reactToProduce, refusal } from './produce-failure.ts'
import type { ProducerIdentities } from './producer-identities.ts'
import type { ProducerLane, SealedBatch } from './producer-lane.ts'
import { errorCode, KafkaRefusal } from './problems.ts'
import { retryDelayMs } from './retry-delay.ts'

export interface ProduceExchangeDeps {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Log
  readonly identities: Pick<ProducerIdentities, 'current' | 'spent'>
  /** How long a broker may wait for its copies. */
  readonly acksTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly requestMaxBytes: number
  /** The topic's metadata led us wrong. */
  readonly outdated: (topic: string) => void
  /** The lane has had its turn. */
  readonly onSealed: (lane: ProducerLane) => void
  /** Something may be sent again. */
  readonly onEnd: () => void
}

interface BrokerState {
  busy: boolean
  retryAtMs: number
  tries: number
}

/** Batches as they go out in one request, and whether each may be in the log from before. */
type Attempt = Map<ProducerLane, { readonly batch: SealedBatch; readonly doubtedBefore: boolean }>

/** Requests to brokers, each with a batch of several lanes, and what follows for a lane from its answer or from none. */
export class ProduceExchange {
  readonly #deps: ProduceExchangeDeps
  readonly #brokers = new Map<number, BrokerState>()
  #closed = false

  constructor(deps: ProduceExchangeDeps) {
    this.#deps = deps
  }

  /** Nothing is told of calls that fail from here on. */
  close(): void {
    this.#closed = true
  }

  /** Sends a batch of each lane to their leader, unless it is busy. A broker that has failed rests: answers until when. */
  offer(node: number, lanes: readonly ProducerLane[], nowMs: number): number | undefined {
    const broker = this.#broker(node)
    if (broker.retryAtMs > nowMs) return broker.retryAtMs
    if (!broker.busy) void this.#produce(node, broker, lanes)
    return undefined
  }

  #broker(node: number): BrokerState {
    let broker = this.#brokers.get(node)
    if (broker === undefined) this.#brokers.set(node, (broker = { busy: false, retryAtMs: 0, tries: 0 }))
    return broker
  }

  /** One request to one broker with a batch of each lane. A broker answers one of a connection at a time anyway. */
  async #produce(node: number, broker: BrokerState, lanes: readonly ProducerLane[]): Promise<void> {
    const { acksTimeoutMs, requestTimeoutMs } = this.#deps
    broker.busy = true
    for (const lane of lanes) lane.inFlight = true
    let attempt: Attempt = new Map()
    try {
      const wire = await this.#deps.cluster.wireTo(node, 'produce')
      // Now, not before: what has come while the connection was made goes along.
      attempt = this.#seal(lanes)
      if (attempt.size === 0) return
      const timeoutMs = acksTimeoutMs + requestTimeoutMs
      const response = await this.#deps.cluster.call(wire, produceApi, [acksTimeoutMs, byTopic(attempt)], timeoutMs)
      broker.tries = 0
      broker.retryAtMs = this.#deps.clock.monotonicMs() + response.throttleTimeMs
      this.#settle(attempt, response.partitions)
    } catch (error) {
      this.#brokerFailed(node, broker, lanes, error as Error)
    } finally {
      broker.busy = false
      for (const lane of lanes) lane.inFlight = false
      this.#deps.onEnd()
    }
  }

  #seal(lanes: readonly ProducerLane[]): Attempt {
    const attempt: Attempt = new Map()
    let bytes = 0
    for (const lane of lanes) {
      const identity = this.#deps.identities.current
      if (identity === undefined || bytes > this.#deps.requestMaxBytes) break
      this.#deps.identities.spent(lane.tidy().spent)
      const batch = lane.seal(identity)
      if (batch === undefined) continue
      bytes += batch.bytes.length
      attempt.set(lane, { batch, doubtedBefore: batch.doubtful })
      batch.doubtful = true
      this.#deps.onSealed(lane)
    }
    return attempt
  }

  #settle(attempt: Attempt, answers: readonly ProducedPartition[]): void {
    for (const [lane, { batch, doubtedBefore }] of attempt) {
      const answer = answers.find(({ topic, partition }) => topic === lane.topic && partition === lane.partition)
      if (answer === undefined) this.#again(lane, new Error('the broker answered about other partitions alone'))
      else this.#answered(lane, batch, doubtedBefore, answer)
    }
  }

  #answered(lane: ProducerLane, batch: SealedBatch, doubtedBefore: boolean, answer: ProducedPartition): void {
    const { errorCode: code, message } = answer
    const reaction = reactToProduce(code)
    if (reaction === 'taken') return lane.taken(answer.baseOffset)
    if (reaction === 'elsewhere') this.#deps.outdated(lane.topic)
    const refused = new KafkaRefusal(code, `partition ${lane.partition} of ${lane.topic}`)
    if (reaction === 'elsewhere' || reaction === 'again') return this.#again(lane, refused)
    batch.doubtful = doubtedBefore
    if (reaction === 'renew') return this.#renew(lane, batch, refused)
    if (reaction === 'smaller' && batch.records.length > 1 && !doubtedBefore)
      return lane.halve(code === errorCode.messageTooLarge || code === errorCode.recordListTooLarge)
    const failure = refusal(lane.topic, this.#deps.cluster.bootstrapServers, code, message, batch.bytes.length)
    for (const { delivery } of batch.records) delivery.fail(failure)
    this.#deps.identities.spent(lane.giveUp())
  }

  /** The broker does not go on with our sequence. */
  #renew(lane: ProducerLane, batch: SealedBatch, refused: KafkaRefusal): void {
    const { log } = this.#deps
    const { topic, partition } = lane
    log.warn({ topic, partition, error: refused.message }, 'the broker lost track of the producer: it takes a new id')
    if (batch.doubtful) {
      const text = `Topic ${topic} on ${this.#deps.cluster.bootstrapServers} may or may not have ${batch.records.length} records of partition ${partition} (${refused.message}): send them again if twice is better than never.`
      const failure = new ProduceFailure('in-doubt', text, { cause: refused })
      for (const { delivery } of batch.records) delivery.fail(failure)
      this.#deps.identities.spent(lane.giveUp())
    } else {
      this.#deps.identities.spent(lane.renew())
      this.#again(lane, refused)
    }
  }

  #again(lane: ProducerLane, error: Error): void {
    const { clock, log } = this.#deps
    lane.retryAtMs = clock.monotonicMs() + retryDelayMs(lane.tries, clock.chance(), 50, 2000)
    lane.tries++
    for (const delivery of lane.deliveries()) delivery.hindered(error)
    const { topic, partition } = lane
    log.warn({ topic, partition, error: error.message }, 'cannot write to the partition yet')
  }

  #brokerFailed(node: number, broker: BrokerState, lanes: readonly ProducerLane[], error: Error): void {
    if (this.#closed) return
    const { clock, log } = this.#deps
    broker.retryAtMs = clock.monotonicMs() + retryDelayMs(broker.tries, clock.chance(), 50, 2000)
    broker.tries++
    for (const lane of lanes) {
      this.#deps.outdated(lane.topic)
      for (const delivery of lane.deliveries()) delivery.hindered(error)
    }
    log.warn({ broker: node, error: error.message }, 'cannot write to the broker yet')
  }
}

function byTopic(attempt: Attempt): Map<string, PartitionBatch[]> {
  const topics = new Map<string, PartitionBatch[]>()
  for (const [{ topic, partition }, { batch }] of attempt) {
    const beside = topics.get(topic)
    if (beside === undefined) topics.set(topic, [{ partition, batch: batch.bytes }])
    else beside.push({ partition, batch: batch.bytes })
  }
  return topics
}
