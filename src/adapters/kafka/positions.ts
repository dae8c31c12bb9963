import type { TopicPartition } from '../../core/record.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { FetchSink } from './delivery.ts'
import type { EpochEnd } from './offsets.ts'
import { positionAt } from './position.ts'
import type { Position, ResetReason } from './position.ts'
import { CorruptBatch, errorCode, KafkaRefusal, problemOf } from './problems.ts'
import type { ProblemBoard } from './problems.ts'
import { retryDelayMs } from './retry-delay.ts'

export interface PositionsDeps {
  readonly clock: Clock
  readonly log: Log
  readonly problems: ProblemBoard
  readonly sink: Pick<FetchSink, 'jumped'>
  /** Of a partition's answer. */
  readonly partitionMaxBytes: number
  /** How long we read from a follower, and from the leader after a follower has failed. */
  readonly followerMaxAgeMs: number
  /** Somebody met a stale leader. */
  readonly refreshTopic: () => void
  /** The log does not have the position. Resolves to where to go on; undefined: stay and try again later. */
  readonly resetOffset: (partition: number, reason: ResetReason) => Promise<number | undefined>
  /** A partition may be asked for again. */
  readonly onChange: () => void
}

/** Where reading is in each partition that is ours, and what follows when the log or a broker says otherwise. */
export class Positions {
  readonly #deps: PositionsDeps
  /** In the order in which they are asked for: whoever got data goes to the end, so that all get their turn. */
  readonly #positions = new Map<number, Position>()
  /** Of all partitions that were ever ours: a commit may come after the partition has gone. */
  readonly #epochs = new Map<number, Position['epochs']>()

  constructor(deps: PositionsDeps) {
    this.#deps = deps
  }

  get size(): number {
    return this.#positions.size
  }

  [Symbol.iterator](): IterableIterator<Position> {
    return this.#positions.values()
  }

  /** `epoch`: leader epoch of the last record before `offset`, where one was committed with it. */
  add(target: TopicPartition, offset: number, epoch = -1): Position {
    const position = positionAt(target, offset, this.#deps.partitionMaxBytes, epoch)
    this.#positions.set(target.partition, position)
    this.#epochs.set(target.partition, position.epochs)
    return position
  }

  /** As a new assignment: answers that are on their way find nobody. */
  renew(position: Position): void {
    this.#positions.set(position.target.partition, { ...position, inFlightAt: undefined, quiet: false })
  }

  remove(partition: number): void {
    this.#positions.delete(partition)
    this.#deps.problems.clear(placeOf(partition))
  }

  clear(): void {
    this.#positions.clear()
  }

  /** Whoever got data goes to the end of the line. */
  toEnd(position: Position): void {
    this.#positions.delete(position.target.partition)
    this.#positions.set(position.target.partition, position)
  }

  /** The leader epoch of the last record before the offset; -1: not known. */
  epochBefore(partition: number, offset: number): number {
    return this.#epochs.get(partition)?.before(offset) ?? -1
  }

  /** Still the assignment and the position that were asked for? */
  isCurrent(position: Position, offset: number): boolean {
    return this.#positions.get(position.target.partition) === position && position.offset === offset
  }

  recovered(position: Position): void {
    if (position.tries === 0) return
    position.tries = 0
    this.#deps.problems.clear(placeOf(position.target.partition))
  }

  failed(position: Position, error: Error): void {
    const { clock, log, problems } = this.#deps
    const { topic, partition } = position.target
    problems.suspect(placeOf(partition), problemOf(error, `read partition ${partition} of ${topic}`, 'fetch'))
    const { firstMs, mostMs } = paceAfter(error)
    position.retryAtMs = clock.monotonicMs() + retryDelayMs(position.tries, clock.chance(), firstMs, mostMs)
    position.tries++
    log.warn({ topic, partition, offset: position.offset, error: error.message }, 'cannot read the partition yet')
  }

  /** Kafka refused this one partition. */
  refused(code: number, position: Position, ofLeader = true): void {
    position.quiet = false
    if (!ofLeader) this.leaveFollower(position)
    switch (code) {
      case errorCode.offsetOutOfRange:
        // A follower may lack what its leader has.
        if (ofLeader) void this.reset(position, 'out-of-range')
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
    this.failed(position, new KafkaRefusal(code, `partition ${partition} of ${topic}`))
  }

  /** The leader names a replica that is to be asked instead. */
  follow(position: Position, replica: number): void {
    position.follower = { node: replica, untilMs: this.#deps.clock.monotonicMs() + this.#deps.followerMaxAgeMs }
  }

  leaveFollower(position: Position): void {
    position.follower = undefined
    position.leaderUntilMs = this.#deps.clock.monotonicMs() + this.#deps.followerMaxAgeMs
  }

  /** What was read of later epochs than the log has, or beyond the end of the last that both have, was cut off. */
  compare(position: Position, { leaderEpoch, endOffset }: EpochEnd): void {
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

  /** Looks for an offset from which reading can go on. Until there is one the partition is not asked for. */
  async reset(position: Position, reason: ResetReason): Promise<void> {
    const { log, resetOffset, sink, onChange } = this.#deps
    const { target, offset } = position
    position.reset = reason
    position.retryAtMs = Infinity
    const to = await resetOffset(target.partition, reason).catch(() => undefined)
    if (!this.isCurrent(position, offset)) return
    position.retryAtMs = 0
    if (to === undefined || (to === offset && reason === 'out-of-range'))
      this.failed(position, new KafkaRefusal(errorCode.offsetOutOfRange, `offset ${offset}`))
    else {
      position.reset = undefined
      // Of which epoch the record before it is, nobody knows.
      position.epochs.cut(to, -1)
      position.offset = to
      log.warn({ ...target, from: offset, to, reason }, 'the log does not have the offset: reading goes on elsewhere')
      if (to !== offset) sink.jumped(target, offset, to)
    }
    onChange()
  }
}

/** What somebody has to repair is looked at again at leisure; who was allowed to read waits only seconds for it. */
function paceAfter(error: Error): { readonly firstMs: number; readonly mostMs: number } {
  const code = error instanceof KafkaRefusal ? error.code : undefined
  if (error instanceof CorruptBatch || code === errorCode.corruptMessage) return { firstMs: 5000, mostMs: 60_000 }
  return code === errorCode.topicAuthorizationFailed ? { firstMs: 1000, mostMs: 4000 } : { firstMs: 100, mostMs: 4000 }
}

const placeOf = (partition: number): string => `partition ${partition}`
