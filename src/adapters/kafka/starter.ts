import type { Clock } from '../../ports/clock.ts'
import type { AssignedPartition, ConsumerOptions } from '../../ports/consumer.ts'
import type { Log } from '../../ports/log.ts'
import type { Cluster, TopicInfo } from './cluster.ts'
import type { Committer } from './committer.ts'
import type { CoordinatorFinder } from './coordinator.ts'
import type { GroupProtocol } from './group-protocol.ts'
import { committedOffsets, listAt, listOffsets, startTimestamp } from './offsets.ts'
import type { Committed, GroupHistory, OffsetAnswer } from './offsets.ts'
import { problemOf } from './problems.ts'
import type { ProblemBoard } from './problems.ts'
import { retryDelayMs } from './retry-delay.ts'
import type { TopicWatch } from './topic-watch.ts'
import { Waiter } from './waiter.ts'

/** Where a partition begins, as the listener is told, and what only the fetcher needs. */
export interface StartedPartition {
  readonly assigned: AssignedPartition
  /** Of the last record before its start; -1: not known. */
  readonly leaderEpoch: number
}

export interface StarterDeps {
  readonly cluster: Cluster
  readonly coordinator: CoordinatorFinder
  readonly committer: Committer
  readonly group: GroupProtocol
  readonly watch: TopicWatch
  readonly clock: Clock
  readonly log: Log
  readonly problems: ProblemBoard
  /** Their start is known, and committed where the group had none. */
  readonly started: (partitions: readonly StartedPartition[]) => void
}

/**
 * Finds where the partitions that were gained begin: the committed offset, else by the starting position, and then
 * commits that start, so that it does not move when the group restarts before it has finished a record.
 * Tries for ever; a partition that fails keeps no other waiting.
 */
export class Starter {
  readonly #options: ConsumerOptions
  readonly #deps: StarterDeps
  readonly #pending = new Set<number>()
  readonly #wait: Waiter
  #history: GroupHistory | undefined
  #running: Promise<void> | undefined
  #lookingBack: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: ConsumerOptions, deps: StarterDeps) {
    this.#options = options
    this.#deps = deps
    this.#wait = new Waiter(deps.clock)
  }

  /** Looks, before the group is joined, at what it has committed until now. Tries until it knows, or is stopped. */
  readHistory(): Promise<void> {
    return (this.#lookingBack = this.#readHistory())
  }

  async #readHistory(): Promise<void> {
    for (let tries = 0; !this.#stopped && this.#history === undefined; tries++) {
      const topic = this.#deps.watch.topic
      if (topic !== undefined) await this.#attempt(() => this.#lookBack(topic))
      if (this.#history === undefined && !this.#stopped) await this.#pause(tries)
    }
  }

  /** `started` tells when each of them is known, unless it is cancelled before. */
  begin(partitions: readonly number[]): void {
    for (const partition of partitions) this.#pending.add(partition)
    if (this.#running === undefined) this.#running = this.#run()
    else this.#wait.wake()
  }

  /** Ends looking; answers which of them had not been told yet. */
  cancel(partitions: readonly number[]): ReadonlySet<number> {
    return new Set(partitions.filter(partition => this.#pending.delete(partition)))
  }

  /** The topic's metadata was read: what waited for it may be tried now. */
  wake(): void {
    if (this.#history === undefined) this.#wait.wake()
  }

  stop(): void {
    this.#stopped = true
    this.#wait.wake()
  }

  get ended(): Promise<void> {
    return Promise.all([this.#lookingBack, this.#running]).then(() => undefined)
  }

  async #run(): Promise<void> {
    for (let tries = 0; this.#pending.size > 0 && !this.#stopped; tries++) {
      const before = this.#pending.size
      await this.#attempt(() => this.#startPending())
      if (this.#pending.size < before) tries = 0
      if (this.#pending.size > 0 && !this.#stopped) await this.#pause(tries)
    }
    this.#running = undefined
  }

  async #startPending(): Promise<void> {
    const { cluster, coordinator, group, watch } = this.#deps
    const topic = watch.topic
    const history = this.#history
    if (topic === undefined || history === undefined) throw new Error('the topic is not known yet')
    const wanted = [...this.#pending]
    const as = group.identity
    const committed = await committedOffsets(cluster, coordinator, this.#options, topic.name, wanted, as)
    const known = wanted.flatMap(partition => {
      const found = committed.get(partition)
      return isCommitted(found) ? [this.#startAt(partition, found)] : []
    })
    this.#tell(known)
    const fresh = wanted.filter(partition => isAbsent(committed.get(partition)))
    const starts = fresh.length === 0 ? new Map<number, OffsetAnswer>() : await this.#starts(topic, fresh, history)
    const found = fresh.flatMap(partition => {
      const offset = starts.get(partition)
      return this.#pending.has(partition) && isOffset(offset) ? [{ topic: topic.name, partition, offset }] : []
    })
    if (found.length > 0) {
      await this.#deps.committer.commit(found)
      this.#tell(
        found.map(({ partition, offset: startOffset }) => ({
          assigned: { topic: topic.name, partition, startOffset, fresh: true },
          leaderEpoch: -1
        }))
      )
    }
    const failure = [...committed.values(), ...starts.values()].find(each => each instanceof Error)
    if (failure !== undefined) {
      watch.refresh()
      throw failure
    }
  }

  async #starts(topic: TopicInfo, fresh: readonly number[], history: GroupHistory): Promise<Map<number, OffsetAnswer>> {
    const { cluster } = this.#deps
    const { startingPosition } = this.#options
    const wanted = new Map(fresh.map(partition => [partition, startTimestamp(startingPosition, partition, history)]))
    const found = await listOffsets(cluster, topic, wanted)
    // Nothing is as young as the timestamp: begin at the end.
    const ends = fresh.filter(partition => found.get(partition) === -1)
    if (ends.length > 0)
      for (const [partition, end] of await listOffsets(
        cluster,
        topic,
        new Map(ends.map(each => [each, listAt.latest]))
      ))
        found.set(partition, end)
    return found
  }

  #startAt(partition: number, { offset: startOffset, leaderEpoch, metadata }: Committed): StartedPartition {
    const assigned = { topic: this.#options.topic, partition, startOffset, fresh: false }
    return { assigned: metadata === '' ? assigned : { ...assigned, metadata }, leaderEpoch }
  }

  #tell(partitions: readonly StartedPartition[]): void {
    // Some may have been cancelled while we asked.
    const wanted = partitions.filter(({ assigned }) => this.#pending.delete(assigned.partition))
    if (wanted.length > 0 && !this.#stopped) this.#deps.started(wanted)
  }

  async #lookBack(topic: TopicInfo): Promise<void> {
    const { cluster, coordinator } = this.#deps
    const committed = await committedOffsets(cluster, coordinator, this.#options, topic.name, [
      ...topic.partitions.keys()
    ])
    const failure = [...committed.values()].find(each => each instanceof Error)
    if (failure instanceof Error) throw failure
    this.#history = {
      // A topic that came after us has nothing older than us.
      partitionCount: this.#deps.watch.cameLater ? 0 : topic.partitions.size,
      known: [...committed.values()].some(isCommitted)
    }
  }

  async #attempt(run: () => Promise<void>): Promise<void> {
    const { log, problems } = this.#deps
    try {
      await run()
      problems.clear('offsets')
    } catch (error) {
      if (this.#stopped) return
      problems.suspect('offsets', problemOf(error, `find where group ${this.#options.groupId} begins`, 'offsets'))
      log.warn({ error: (error as Error).message }, 'cannot find where to begin yet')
    }
  }

  #pause(tries: number): Promise<void> {
    return this.#wait.wait(retryDelayMs(tries, this.#deps.clock.chance(), 50, 2000))
  }
}

const isCommitted = (answer: Committed | Error | undefined): answer is Committed =>
  answer !== undefined && !(answer instanceof Error) && answer.offset >= 0
const isAbsent = (answer: Committed | Error | undefined): boolean =>
  answer !== undefined && !(answer instanceof Error) && answer.offset < 0
const isOffset = (answer: OffsetAnswer | undefined): answer is number => typeof answer === 'number' && answer >= 0
