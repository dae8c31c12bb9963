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
import { epochEnds } from './offsets.ts'
import type { EpochEnd } from './offsets.ts'
import { mustCheck, positionAt } from './position.ts'
import type { Position, ResetReason } from './position.ts'
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
const followerMaxAgeMs = 300_000
/** However many partitions share the memory: below this a poll brings too little of each. */
const leastPartitionBytes = 128 << 10

const enoughMemory: FetchMemory = {
  shareBytes: Infinity,
  hold: () => undefined,
  free: () => undefined,
  reserve: mostBytes => mostBytes,
  release: () => undefined
}

/**
 * Fetches the partitions that are ours from their leaders, as many as want it, and hands on what they hold. What goes
 * wrong with one partition or one broker leaves the others alone.
 */
export class Fetcher {
  readonly #settings: FetchSettings
  readonly #deps: FetcherDeps
  /** In the order in which they are asked for: whoever got data goes to the end, so that all get their turn. */
  readonly #positions = new Map<number, Position>()
  readonly #brokers = new Map<number, BrokerPolls>()
  readonly #exchange: FetchExchange
  readonly #memory: FetchMemory
  /** Of all partitions that were ever ours: a commit may come after the partition has gone. */
  readonly #epochs = new Map<number, Position['epochs']>()
  #topic: TopicInfo | undefined
  #stopped = false
  #disarm: () => void = () => undefined

  constructor(settings: FetchSettings, deps: FetcherDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#exchange = new FetchExchange(deps.cluster)
    this.#memory = deps.memory ?? enoughMemory
  }

  /** Leaders as the metadata has them now. */
  setTopic(topic: TopicInfo): void {
    const before = this.#topic
    this.#topic = topic
    this.#forgetBrokers()
    // Offsets of the log that was deleted mean nothing in the new one.
    if (before !== undefined && before.id !== noTopicId && before.id !== topic.id)
      for (const { target, offset } of this.#positions.values()) {
        // As a new assignment, so that answers about the old log find nobody.
        this.add(target, offset)
        void this.#reset(this.#positions.get(target.partition)!, 'recreated')
      }
    else if (before !== undefined) this.#leaveOldLeaders(before, topic)
    this.pump()
  }

  /** Who does not lead any more may be a broker that does not answer either: nothing waits for that. */
  #leaveOldLeaders(before: TopicInfo, now: TopicInfo): void {
    for (const [partition, position] of this.#positions) {
      const old = before.partitions.get(partition)?.leader
      const stays = position.inFlightAt !== old || now.partitions.get(partition)?.leader === old
      // What is looked up already is not asked for.
      if (stays || position.reset !== undefined) continue
      this.#positions.set(partition, { ...position, inFlightAt: undefined, quiet: false })
    }
  }

  /** `epoch`: leader epoch of the last record before `offset`, where one was committed with it. */
  add(target: TopicPartition, offset: number, epoch = -1): void {
    const position = positionAt(target, offset, this.#settings.partitionMaxBytes, epoch)
    this.#positions.set(target.partition, position)
    this.#epochs.set(target.partition, position.epochs)
  }

  /** The leader epoch of the last record before the offset, for its commit; -1: not known. */
  epochBefore(partition: number, offset: number): number {
    return this.#epochs.get(partition)?.before(offset) ?? -1
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
    const unchecked = new Map<number, Position[]>()
    /** Brokers of which something is not asked for now. */
    const partly = new Set<number>()
    let leaderless = false
    for (const position of this.#positions.values()) {
      const info = this.#topic?.partitions.get(position.target.partition)
      const leader = info?.leader ?? -1
      const source = this.#sourceOf(position, leader, nowMs)
      if (position.inFlightAt !== undefined || position.retryAtMs > nowMs || !this.#deps.sink.wants(position.target))
        partly.add(source)
      else if (position.reset !== undefined) void this.#reset(position, position.reset)
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
        ([partition, { follower }]) => follower?.node ?? this.#topic?.partitions.get(partition)?.leader
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
    for (const { retryAtMs } of [...this.#positions.values(), ...this.#brokers.values()])
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

  /** What is asked for of one partition: the more there are, the less of each, so that many fit into our share of memory. */
  get #partitionBytes(): number {
    const { partitionMaxBytes } = this.#settings
    const evenBytes = this.#memory.shareBytes / Math.max(1, this.#positions.size)
    if (evenBytes >= partitionMaxBytes) return partitionMaxBytes
    // In steps: a session is told of every partition for which something else is asked.
    return Math.min(partitionMaxBytes, Math.max(leastPartitionBytes, 2 ** Math.floor(Math.log2(evenBytes))))
  }

  async #ask(
    node: number,
    slot: Slot,
    positions: readonly Position[],
    waitMs: number,
    maxBytes: number
  ): Promise<void> {
    const { partitionMaxBytes, requestTimeoutMs: timeoutMs, rack = '' } = this.#settings
    const partitionBytes = this.#partitionBytes
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

  /** Still the assignment and the position that were asked for? */
  #current(position: Position, offset: number): boolean {
    return !this.#stopped && this.#positions.get(position.target.partition) === position && position.offset === offset
  }

  #nothingNew({ position, offset }: Question): void {
    if (!this.#current(position, offset)) return
    position.quiet = true
    this.#recovered(position)
  }

  #take(answer: FetchedPartition, question: Question, body: Buffer, lease: Lease): void {
    const { position, offset } = question
    if (!this.#current(position, offset)) return
    if (answer.errorCode !== errorCode.none) return this.#refused(answer.errorCode, position, question.ofLeader)
    const size = answer.recordsEnd - answer.recordsStart
    position.quiet = size === 0 && !this.#isSentOn(answer.preferredReadReplica, question)
    if (size > 0) {
      // Whoever got data goes to the end of the line.
      this.#positions.delete(position.target.partition)
      this.#positions.set(position.target.partition, position)
    }
    const moved = (nextOffset: number, leaderEpoch: number) => {
      position.epochs.read(position.offset, leaderEpoch)
      position.offset = nextOffset
    }
    const current = () => this.#current(position, position.offset)
    try {
      const delivery = { target: position.target, offset, moved, current, memory: this.#memory }
      deliver(answer, body, lease, delivery, this.#deps.sink)
      if (position.offset === offset && size > 0) this.#tooSmall(position)
      else position.maxBytes = this.#settings.partitionMaxBytes
    } catch (error) {
      return this.#failed(position, error as Error)
    }
    this.#recovered(position)
  }

  /** The leader names a replica that is to be asked instead. */
  #isSentOn(replica: number, { position, node, ofLeader }: Question): boolean {
    if (replica < 0 || replica === node || !ofLeader) return false
    const { clock } = this.#deps
    const { followerMaxAgeMs: maxAgeMs = followerMaxAgeMs } = this.#settings
    position.follower = { node: replica, untilMs: clock.monotonicMs() + maxAgeMs }
    return true
  }

  #recovered(position: Position): void {
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
  #refused(code: number, position: Position, ofLeader = true): void {
    position.quiet = false
    if (!ofLeader) this.#leaveFollower(position)
    switch (code) {
      case errorCode.offsetOutOfRange:
        // A follower may lack what its leader has.
        if (ofLeader) void this.#reset(position, 'out-of-range')
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
    if (!ofLeader) return
    const { topic, partition } = position.target
    this.#failed(position, new KafkaRefusal(code, `partition ${partition} of ${topic}`))
  }

  #leaveFollower(position: Position): void {
    const { followerMaxAgeMs: maxAgeMs = followerMaxAgeMs } = this.#settings
    position.follower = undefined
    position.leaderUntilMs = this.#deps.clock.monotonicMs() + maxAgeMs
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
        if (!this.#current(position, offset)) continue
        const { leaderEpoch } = topic.partitions.get(position.target.partition)!
        const end = ends?.get(position.target.partition)
        if (end instanceof KafkaRefusal) this.#refused(end.code, position)
        else if (end instanceof Error) this.#failed(position, end)
        else {
          position.checkedEpoch = leaderEpoch
          if (end !== undefined) this.#compare(position, end)
        }
      }
    } catch (error) {
      if (!this.#stopped) this.#brokerFailed(leader, this.#broker(leader), error as Error)
    } finally {
      for (const position of positions) position.inFlightAt = undefined
      this.pump()
    }
  }

  /** What was read of later epochs than the log has, or beyond the end of the last that both have, was cut off. */
  #compare(position: Position, { leaderEpoch, endOffset }: EpochEnd): void {
    // The log cannot say, for it has no epochs at all or none so old: it is no worse than never having asked.
    if (leaderEpoch < 0 || endOffset < 0) return
    const { target, epochs, offset: from } = position
    const to = Math.min(endOffset, epochs.after(leaderEpoch))
    if (to >= from) return
    epochs.cut(to, leaderEpoch)
    position.offset = to
    const reason = 'truncated'
    this.#deps.log.warn({ ...target, from, to, reason }, 'the log was cut: reading goes on where it still is as it was')
    this.#deps.sink.jumped(target, from, to)
  }

  #failed(position: Position, error: Error): void {
    const { clock, log, problems } = this.#deps
    const { topic, partition } = position.target
    problems.suspect(placeOf(partition), problemOf(error, `read partition ${partition} of ${topic}`, 'fetch'))
    const { firstMs, mostMs } = paceAfter(error)
    position.retryAtMs = clock.monotonicMs() + retryDelayMs(position.tries, clock.chance(), firstMs, mostMs)
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
      // Of which epoch the record before it is, nobody knows.
      position.epochs.cut(to, -1)
      position.offset = to
      log.warn({ ...target, from: offset, to, reason }, 'the log does not have the offset: reading goes on elsewhere')
      if (to !== offset) sink.jumped(target, offset, to)
    }
    this.pump()
  }

  #brokerFailed(node: number, broker: BrokerPolls, error: Error): void {
    const { clock, log, problems, refreshTopic } = this.#deps
    for (const position of this.#positions.values()) if (position.follower?.node === node) this.#leaveFollower(position)
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
/** What somebody has to repair is looked at again at leisure; who was allowed to read waits only seconds for it. */
function paceAfter(error: Error): { readonly firstMs: number; readonly mostMs: number } {
  const code = error instanceof KafkaRefusal ? error.code : undefined
  if (error instanceof CorruptBatch || code === errorCode.corruptMessage) return { firstMs: 5000, mostMs: 60_000 }
  return code === errorCode.topicAuthorizationFailed ? { firstMs: 1000, mostMs: 4000 } : { firstMs: 100, mostMs: 4000 }
}

const placeOf = (partition: number): string => `partition ${partition}`
