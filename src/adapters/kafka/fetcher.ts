import type { TopicPartition } from '../../core/record.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FetchMemory } from '../../ports/memory.ts'
import type { Log } from '../../ports/log.ts'
import { metered } from './buffer-pool.ts'
import type { Lease } from './buffer-pool.ts'
import { BrokerPolls } from './broker-polls.ts'
import type { Slot } from './broker-polls.ts'
import { noTopicId } from './cluster.ts'
import type { Cluster, TopicInfo } from './cluster.ts'
import { deliver } from './delivery.ts'
import type { FetchSink } from './delivery.ts'
import { FetchExchange } from './fetch-exchange.ts'
import type { FetchedPartition } from './fetch-response.ts'
import { enoughMemory, partitionShareBytes } from './fetch-share.ts'
import { epochEnds } from './offsets.ts'
import { mustCheck } from './position.ts'
import type { Position, ResetReason } from './position.ts'
import { Positions } from './positions.ts'
import { BrokerUnreachable, CorruptBatch, errorCode, KafkaRefusal, problemOf } from './problems.ts'
import type { ProblemBoard } from './problems.ts'
import { retryDelayMs } from './retry-delay.ts'

export type { ResetReason }

export interface FetchSettings {
  /** How long a broker may wait for data before it answers about some of its partitions. */
  readonly maxWaitMs: number
  /** The same where it is asked about all of them: none else can be wanted meanwhile. Default: `maxWaitMs`. */
  readonly idleWaitMs?: number
  /** Of one response; Kafka exceeds it for a single large batch. */
  readonly maxBytes: number
  readonly partitionMaxBytes: number
  readonly requestTimeoutMs: number
  /** Where we are, as brokers name their racks: then a replica beside us is read from, if the brokers choose so (KIP-392). */
  readonly rack?: string
  /** How long we read from such a replica before its leader is asked again. Default five minutes. */
  readonly followerMaxAgeMs?: number
}

export interface FetcherDeps {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Log
  readonly problems: ProblemBoard
  readonly sink: FetchSink
  /** Absent: there is enough. */
  readonly memory?: FetchMemory
  /** Somebody met a stale leader, or knows none. */
  readonly refreshTopic: () => void
  /** The log does not have the position. Resolves to where to go on; undefined: stay and try again later. */
  readonly resetOffset: (partition: number, reason: ResetReason) => Promise<number | undefined>
}

/** What was asked of a partition, and of whom. */
interface Question {
  readonly position: Position
  readonly offset: number
  readonly node: number
  readonly ofLeader: boolean
}

const largestPartitionBytes = 128 << 20
/** A broker that says nothing for so long, though it was asked to answer sooner, is a problem. */
const silenceMs = 4000
/**
 * Fetches the partitions that are ours from their leaders, as many as want it, and hands on what they hold. What goes
 * wrong with one partition or one broker leaves the others alone.
 */
export class Fetcher {
  readonly #settings: FetchSettings
  readonly #deps: FetcherDeps
  readonly #positions: Positions
  readonly #brokers = new Map<number, BrokerPolls>()
  readonly #exchange: FetchExchange
  readonly #memory: FetchMemory
  #topic: TopicInfo | undefined
  #stopped = false
  #disarm: () => void = () => undefined

  constructor(settings: FetchSettings, deps: FetcherDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#exchange = new FetchExchange(deps.cluster)
    this.#memory = deps.memory ?? enoughMemory
    const { partitionMaxBytes, followerMaxAgeMs = 300_000 } = settings
    this.#positions = new Positions({ ...deps, partitionMaxBytes, followerMaxAgeMs, onChange: () => this.pump() })
  }

  /** Leaders as the metadata has them now. */
  setTopic(topic: TopicInfo): void {
    const before = this.#topic
    this.#topic = topic
    this.#forgetBrokers()
    // Offsets of the log that was deleted mean nothing in the new one.
    if (before !== undefined && before.id !== noTopicId && before.id !== topic.id)
      for (const { target, offset } of this.#positions)
        // As a new assignment, so that answers about the old log find nobody.
        void this.#positions.reset(this.#positions.add(target, offset), 'recreated')
    else if (before !== undefined) this.#leaveOldLeaders(before, topic)
    this.pump()
  }

  /** Who does not lead any more may be a broker that does not answer either: nothing waits for that. */
  #leaveOldLeaders(before: TopicInfo, now: TopicInfo): void {
    for (const position of this.#positions) {
      const { partition } = position.target
      const old = before.partitions.get(partition)?.leader
      const stays = position.inFlightAt !== old || now.partitions.get(partition)?.leader === old
      // What is looked up already is not asked for.
      if (stays || position.reset !== undefined) continue
      this.#positions.renew(position)
    }
  }

  /** `epoch`: leader epoch of the last record before `offset`, where one was committed with it. */
  add(target: TopicPartition, offset: number, epoch?: number): void {
    this.#positions.add(target, offset, epoch)
  }

  /** The leader epoch of the last record before the offset, for its commit; -1: not known. */
  epochBefore(partition: number, offset: number): number {
    return this.#positions.epochBefore(partition, offset)
  }

  /** Nothing of it is handed on any more, not even what is on its way. */
  remove(partition: number): void {
    this.#positions.remove(partition)
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
    const unchecked = new Map<number, Position[]>()
    /** Brokers of which something is not asked for now. */
    const partly = new Set<number>()
    let leaderless = false
    for (const position of this.#positions) {
      const info = this.#topic?.partitions.get(position.target.partition)
      const leader = info?.leader ?? -1
      const source = this.#sourceOf(position, leader, nowMs)
      if (position.inFlightAt !== undefined || position.retryAtMs > nowMs || !this.#deps.sink.wants(position.target))
        partly.add(source)
      else if (position.reset !== undefined) void this.#positions.reset(position, position.reset)
      else if (leader < 0) leaderless = true
      else if (mustCheck(position, info!.leaderEpoch)) add(unchecked, leader, position)
      else add(ready, source, position)
    }
    if (leaderless) this.#deps.refreshTopic()
    for (const [leader, positions] of unchecked) {
      partly.add(leader)
      if (this.#broker(leader).retryAtMs <= nowMs) void this.#check(leader, positions)
    }
    for (const [node, positions] of ready) this.#poll(node, positions, !partly.has(node), nowMs)
    this.#armRetry(nowMs)
  }

  #poll(node: number, positions: readonly Position[], isAll: boolean, nowMs: number): void {
    const broker = this.#broker(node)
    const slot = broker.free
    if (slot === undefined || broker.retryAtMs > nowMs) return
    // Else two polls that began at different times would go on beside each other for ever, both of them short.
    if (broker.isNearlyBack(nowMs) && positions.every(({ quiet }) => quiet)) return
    const { maxWaitMs, idleWaitMs = maxWaitMs } = this.#settings
    // A follower learns a moment later than its leader what may be read, and older ones wake nobody then.
    const isLeader = positions.every(({ follower }) => follower === undefined)
    // Who had failed is to be known as well again soon, also when there is nothing new to read.
    const isWell = broker.tries === 0 && positions.every(({ tries }) => tries === 0)
    const waitMs = isAll && isLeader && isWell && !broker.busy ? idleWaitMs : broker.alignedMs(nowMs, maxWaitMs)
    broker.begin(slot, nowMs + waitMs)
    void this.#fetch(node, broker, slot, positions, waitMs)
  }

  /** Who is asked about the partition; -1: nobody can be now. */
  #sourceOf(position: Position, leader: number, nowMs: number): number {
    const { follower } = position
    if (follower === undefined) return leader
    if (follower.untilMs > nowMs && follower.node !== leader && this.#deps.cluster.brokers.has(follower.node))
      return follower.node
    position.follower = undefined
    return leader
  }

  #broker(node: number): BrokerPolls {
    let broker = this.#brokers.get(node)
    if (broker === undefined) this.#brokers.set(node, (broker = new BrokerPolls()))
    return broker
  }

  /** What is wrong with a broker that we read nothing from is no problem of ours. */
  #forgetBrokers(): void {
    const sources = new Set(
      [...this.#positions].map(
        ({ target, follower }) => follower?.node ?? this.#topic?.partitions.get(target.partition)?.leader
      )
    )
    for (const [node, broker] of this.#brokers) {
      if (sources.has(node) || broker.busy) continue
      this.#brokers.delete(node)
      this.#deps.problems.clear(`broker ${node}`)
    }
  }

  #armRetry(nowMs: number): void {
    this.#disarm()
    let next = Infinity
    for (const { retryAtMs } of [...this.#positions, ...this.#brokers.values()])
      if (retryAtMs > nowMs && retryAtMs < next) next = retryAtMs
    if (next < Infinity) this.#disarm = this.#deps.clock.after(next - nowMs, () => this.pump())
  }

  async #fetch(
    node: number,
    broker: BrokerPolls,
    slot: Slot,
    positions: readonly Position[],
    waitMs: number
  ): Promise<void> {
    for (const position of positions) position.inFlightAt = node
    const stopWatch = this.#watchFor(node, waitMs)
    const idle = positions.every(({ quiet }) => quiet)
    const reservedBytes = this.#memory.reserve(this.#settings.maxBytes, idle)
    try {
      await this.#ask(node, slot, positions, waitMs, reservedBytes)
      broker.tries = 0
      this.#deps.problems.clear(`broker ${node}`)
    } catch (error) {
      if (!this.#stopped) this.#brokerFailed(node, broker, error as Error)
    } finally {
      stopWatch()
      this.#memory.release(reservedBytes)
      broker.end(slot)
      for (const position of positions) position.inFlightAt = undefined
      this.pump()
    }
  }

  /** A broker that hangs is told of long before it is given up. Returns how to stop. */
  #watchFor(node: number, waitMs: number): () => void {
    const address = this.#deps.cluster.brokers.get(node)
    const broker = address === undefined ? `${node}` : `${address.host}:${address.port}`
    return this.#deps.clock.after(waitMs + silenceMs, () => {
      const silent = new BrokerUnreachable(broker, `no answer to a fetch for ${silenceMs} ms`)
      this.#deps.problems.set(`broker ${node}`, problemOf(silent, `fetch from broker ${node}`, 'fetch'))
    })
  }

  async #ask(
    node: number,
    slot: Slot,
    positions: readonly Position[],
    waitMs: number,
    maxBytes: number
  ): Promise<void> {
    const { partitionMaxBytes, requestTimeoutMs: timeoutMs, rack = '' } = this.#settings
    const partitionBytes = partitionShareBytes(this.#memory, this.#positions.size, partitionMaxBytes)
    // Of whom a batch did not fit more is asked for, whatever there is.
    let limit = maxBytes
    const topic = this.#topic!
    const asked = new Map<number, Question>()
    const questions = positions.map(position => {
      const { partition } = position.target
      const { leader, leaderEpoch } = topic.partitions.get(partition) ?? unknownLeader
      asked.set(partition, { position, offset: position.offset, node, ofLeader: node === leader })
      if (position.maxBytes <= partitionMaxBytes)
        return { partition, leaderEpoch, offset: position.offset, maxBytes: partitionBytes }
      limit = Math.max(limit, position.maxBytes)
      return { partition, leaderEpoch, offset: position.offset, maxBytes: position.maxBytes }
    })
    // A leader that knew our rack would send us to the follower that has just failed.
    const nowMs = this.#deps.clock.monotonicMs()
    const told = positions.some(({ leaderUntilMs }) => leaderUntilMs > nowMs) ? '' : rack
    const call = { node, slot, topic, questions, waitMs, maxBytes: limit, timeoutMs, rack: told }
    const answer = await this.#exchange.send(call)
    if (answer === undefined) return
    const lease = metered(answer.lease, this.#memory)
    try {
      for (const each of answer.partitions) {
        const question = asked.get(each.partition)
        if (question === undefined) continue
        asked.delete(each.partition)
        this.#take(each, question, answer.body, lease)
      }
      if (answer.incremental) for (const question of asked.values()) this.#nothingNew(question)
    } finally {
      lease.release()
    }
  }

  #nothingNew({ position, offset }: Question): void {
    if (!this.#positions.isCurrent(position, offset)) return
    position.quiet = true
    this.#positions.recovered(position)
  }

  #take(answer: FetchedPartition, question: Question, body: Buffer, lease: Lease): void {
    const { position, offset } = question
    if (!this.#positions.isCurrent(position, offset)) return
    if (answer.errorCode !== errorCode.none)
      return this.#positions.refused(answer.errorCode, position, question.ofLeader)
    const size = answer.recordsEnd - answer.recordsStart
    position.quiet = size === 0 && !this.#isSentOn(answer.preferredReadReplica, question)
    if (size > 0) {
      this.#positions.toEnd(position)
    }
    const moved = (nextOffset: number, leaderEpoch: number) => {
      position.epochs.read(position.offset, leaderEpoch)
      position.offset = nextOffset
    }
    const current = () => this.#positions.isCurrent(position, position.offset)
    try {
      const delivery = { target: position.target, offset, moved, current, memory: this.#memory }
      deliver(answer, body, lease, delivery, this.#deps.sink)
      if (position.offset === offset && size > 0) this.#tooSmall(position)
      else position.maxBytes = this.#settings.partitionMaxBytes
    } catch (error) {
      return this.#positions.failed(position, error as Error)
    }
    this.#positions.recovered(position)
  }

  /** The leader names a replica that is to be asked instead. */
  #isSentOn(replica: number, { position, node, ofLeader }: Question): boolean {
    if (replica < 0 || replica === node || !ofLeader) return false
    this.#positions.follow(position, replica)
    return true
  }

  /** Not one whole batch came: brokers send at least one since Kafka 0.10.1, so this is somebody else's. */
  #tooSmall(position: Position): void {
    if (position.maxBytes >= largestPartitionBytes)
      throw new CorruptBatch(position.offset, `does not fit into ${largestPartitionBytes} bytes`)
    position.maxBytes = Math.min(largestPartitionBytes, position.maxBytes * 4)
  }

  /** Asks the leader whether what was read is in its log; nothing is fetched from it before. */
  async #check(leader: number, positions: readonly Position[]): Promise<void> {
    const topic = this.#topic!
    const asked = positions.map(position => ({ position, offset: position.offset }))
    for (const position of positions) position.inFlightAt = leader
    try {
      const epochs = new Map(positions.map(({ target, epochs }) => [target.partition, epochs.last]))
      const ends = await epochEnds(this.#deps.cluster, topic, leader, epochs)
      for (const { position, offset } of asked) {
        if (!this.#positions.isCurrent(position, offset)) continue
        const { leaderEpoch } = topic.partitions.get(position.target.partition)!
        const end = ends?.get(position.target.partition)
        if (end instanceof KafkaRefusal) this.#positions.refused(end.code, position)
        else if (end instanceof Error) this.#positions.failed(position, end)
        else {
          position.checkedEpoch = leaderEpoch
          if (end !== undefined) this.#positions.compare(position, end)
        }
      }
    } catch (error) {
      if (!this.#stopped) this.#brokerFailed(leader, this.#broker(leader), error as Error)
    } finally {
      for (const position of positions) position.inFlightAt = undefined
      this.pump()
    }
  }

  #brokerFailed(node: number, broker: BrokerPolls, error: Error): void {
    const { clock, log, problems, refreshTopic } = this.#deps
    for (const position of this.#positions)
      if (position.follower?.node === node) this.#positions.leaveFollower(position)
    broker.retryAtMs = clock.monotonicMs() + retryDelayMs(broker.tries, clock.chance())
    broker.tries++
    problems.suspect(`broker ${node}`, problemOf(error, `fetch from broker ${node}`, 'fetch'))
    log.warn({ broker: node, error: error.message }, 'cannot fetch from the broker yet')
    refreshTopic()
  }
}

function add<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

const unknownLeader = { leader: -1, leaderEpoch: -1 }
