import type { Clock } from '../../ports/clock.ts'
import type { CommitOffset } from '../../ports/consumer.ts'
import type { Log } from '../../ports/log.ts'
import { apis } from './apis.ts'
import type { Cluster } from './cluster.ts'
import type { CoordinatorFinder } from './coordinator.ts'
import type { GroupIdentity, GroupProtocol } from './group-protocol.ts'
import { errorCode, KafkaRefusal } from './problems.ts'
import { retryDelayMs } from './retry-delay.ts'
import { Waiter } from './waiter.ts'

/** How a refused commit goes on. */
type CommitReaction =
  | 'taken'
  | 'again'
  | 'again-elsewhere'
  | 'again-after-beat'
  | 'again-when-settled'
  | 'again-without-metadata'
  | 'refused'

/** Same code, same reaction: the table of what OffsetCommit may answer. Unknown codes are tried again. */
export function reactToCommit(code: number): CommitReaction {
  switch (code) {
    case errorCode.none:
      return 'taken'
    case errorCode.coordinatorLoadInProgress:
    case errorCode.coordinatorNotAvailable:
    case errorCode.notCoordinator:
    case errorCode.requestTimedOut:
      return 'again-elsewhere'
    // While the group syncs, or when our generation moved on while the commit was under way.
    case errorCode.rebalanceInProgress:
    case errorCode.illegalGeneration:
    case errorCode.unknownMemberId:
      return 'again-when-settled'
    // Our epoch was raised, and the answer that tells us so is under way or lost.
    case errorCode.staleMemberEpoch:
      return 'again-after-beat'
    // The broker takes less than Kafka's default; the offset is worth more than what goes with it.
    case errorCode.offsetMetadataTooLarge:
      return 'again-without-metadata'
    case errorCode.fencedInstanceId:
    case errorCode.invalidGroupId:
    case errorCode.topicAuthorizationFailed:
    case errorCode.groupAuthorizationFailed:
      return 'refused'
    default:
      return 'again'
  }
}

interface Pending {
  readonly offsets: Map<number, CommitOffset>
  deadlineMs: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export interface CommitterDeps {
  readonly cluster: Cluster
  readonly coordinator: CoordinatorFinder
  readonly group: GroupProtocol
  readonly clock: Clock
  readonly log: Log
  /** Under which leader epoch the last record before the offset was written; -1: not known. */
  readonly leaderEpoch: (partition: number, offset: number) => number
}

/**
 * Commits for the present member, one request at a time so that no older offset overtakes a newer one. What is asked for
 * while a request is under way goes out together with the next; for one partition only the newest of it.
 */
export class Committer {
  readonly #topic: string
  #timeoutMs: number
  readonly #deps: CommitterDeps
  readonly #wait: Waiter
  #queue: Pending[] = []
  #running = false
  #hurried = false
  #stopped = false

  /** @param timeoutMs A commit that is not taken within this is rejected. */
  constructor(topic: string, timeoutMs: number, deps: CommitterDeps) {
    this.#topic = topic
    this.#timeoutMs = timeoutMs
    this.#deps = deps
    this.#wait = new Waiter(deps.clock)
  }

  /** Rejects when one of the offsets was not taken: not ours any more, refused by Kafka, or no answer in time. */
  commit(offsets: readonly CommitOffset[]): Promise<void> {
    if (this.#stopped) return Promise.reject(new Error('the consumer is stopped'))
    if (offsets.length === 0) return Promise.resolve()
    const stray = offsets.find(each => each.topic !== this.#topic)
    if (stray !== undefined) return Promise.reject(new Error(`topic ${stray.topic} is not consumed here`))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const deadlineMs = this.#deps.clock.monotonicMs() + this.#timeoutMs
    this.#queue.push({ offsets: new Map(offsets.map(each => [each.partition, each])), deadlineMs, resolve, reject })
    if (this.#hurried) this.#endIn(this.#timeoutMs)
    if (!this.#running) void this.#run()
    return promise
  }

  /** From now on, and for what waits already, this is the longest: also when a request under way is not answered. */
  hurry(timeoutMs: number): void {
    this.#hurried = true
    this.#timeoutMs = Math.min(this.#timeoutMs, timeoutMs)
    const deadlineMs = this.#deps.clock.monotonicMs() + this.#timeoutMs
    for (const pending of this.#queue) pending.deadlineMs = Math.min(pending.deadlineMs, deadlineMs)
    this.#endIn(this.#timeoutMs)
  }

  /** Rejects what waits. */
  stop(): void {
    this.#stopped = true
    for (const pending of this.#queue.splice(0)) pending.reject(new Error('the consumer was stopped'))
    this.#wait.wake()
  }

  /** These partitions have gone: commits of them are rejected, those of others go on. */
  forget(partitions: readonly number[]): void {
    const gone = new Set(partitions)
    this.#queue = this.#queue.filter(pending => {
      const stranger = [...pending.offsets.keys()].find(partition => gone.has(partition))
      if (stranger === undefined) return true
      pending.reject(this.#notOurs(stranger))
      return false
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    for (let tries = 0; this.#queue.length > 0 && !this.#stopped;) {
      const before = this.#queue.length
      const again = await this.#round().catch((error: unknown) => this.#failed(error as Error))
      tries = this.#queue.length < before ? 0 : tries + 1
      if (again && this.#queue.length > 0)
        await this.#wait.wait(retryDelayMs(tries, this.#deps.clock.chance(), 50, 1000))
    }
    this.#running = false
  }

  /** Sends what waits. True when something has to be sent again. */
  async #round(): Promise<boolean> {
    const { cluster, coordinator, group } = this.#deps
    this.#rejectStrangers()
    const identity = group.identity
    if (identity === undefined) return this.#expire(new Error('the consumer is not a member of its group now'))
    const sent = [...this.#queue]
    const newest = new Map<number, CommitOffset>()
    for (const pending of sent) for (const [partition, offset] of pending.offsets) newest.set(partition, offset)
    if (newest.size === 0) return false
    const wire = await coordinator.wire('commit')
    const { groupId, generation, memberId, instanceId } = identity
    const topics = [{ name: this.#topic, partitions: [...newest.values()].map(each => this.#encode(each)) }]
    const response = await cluster.call(wire, apis.offsetCommit, [groupId, generation, memberId, instanceId, topics])
    const codes = new Map(response.topics[0]?.partitions.map(each => [each.partitionIndex, each.errorCode]))
    return this.#settle(sent, codes, identity)
  }

  #settle(sent: readonly Pending[], codes: ReadonlyMap<number, number>, identity: GroupIdentity): boolean {
    const { coordinator } = this.#deps
    const settled = new Set<Pending>()
    for (const pending of sent) {
      for (const partition of pending.offsets.keys()) {
        const code = codes.get(partition) ?? errorCode.coordinatorNotAvailable
        const reaction = this.#reaction(code, identity)
        if (reaction === 'taken') pending.offsets.delete(partition)
        if (reaction === 'again-elsewhere') coordinator.forget()
        if (reaction === 'again-without-metadata') this.#strip(pending, partition)
        if (reaction !== 'refused' || settled.has(pending)) continue
        pending.reject(new KafkaRefusal(code, `committing partition ${partition} of ${this.#topic}`))
        settled.add(pending)
      }
      if (pending.offsets.size > 0 || settled.has(pending)) continue
      pending.resolve()
      settled.add(pending)
    }
    this.#queue = this.#queue.filter(pending => !settled.has(pending))
    const unsettled = sent.some(pending => !settled.has(pending))
    return unsettled && this.#expire(this.#notTaken)
  }

  #strip({ offsets }: Pending, partition: number): void {
    const { topic, offset, metadata } = offsets.get(partition)!
    offsets.set(partition, { topic, partition, offset })
    this.#deps.log.error(
      { partition, offset, bytes: metadata?.length },
      'the broker takes too little metadata with commits: tries and finished records above the offset are not known to a new owner; set offset.metadata.max.bytes to 4096 or more'
    )
  }

  #reaction(code: number, used: GroupIdentity): CommitReaction {
    const { group } = this.#deps
    const reaction = reactToCommit(code)
    const dependsOnMember = reaction === 'again-when-settled' || reaction === 'again-after-beat'
    if (!dependsOnMember || code === errorCode.rebalanceInProgress) return reaction
    const now = group.identity
    const movedOn = now === undefined || now.generation !== used.generation || now.memberId !== used.memberId
    if (movedOn || group.settling) return 'again'
    group.suspect()
    return reaction === 'again-after-beat' ? 'again' : 'refused'
  }

  #failed(error: Error): boolean {
    this.#deps.coordinator.forget()
    this.#deps.log.debug({ error: error.message }, 'a commit has to be sent again')
    return this.#expire(error)
  }

  #endIn(timeoutMs: number): void {
    // Timers may be early by less than a millisecond.
    this.#deps.clock.after(timeoutMs + 1, () => {
      if (!this.#stopped) this.#expire(this.#notTaken)
    })
  }

  get #notTaken(): Error {
    return new Error(`Kafka did not take the commit within ${this.#timeoutMs} ms`)
  }

  #expire(reason: Error): boolean {
    const now = this.#deps.clock.monotonicMs()
    this.#queue = this.#queue.filter(pending => {
      if (pending.deadlineMs > now) return true
      pending.reject(reason)
      return false
    })
    return true
  }

  #rejectStrangers(): void {
    this.#queue = this.#queue.filter(pending => {
      const stranger = [...pending.offsets.keys()].find(partition => !this.#deps.group.owns(partition))
      if (stranger === undefined) return true
      pending.reject(this.#notOurs(stranger))
      return false
    })
  }

  /** The epoch lets the next owner see whether the log still holds what was read (KIP-320). */
  #encode({ partition, offset, metadata }: CommitOffset) {
    return {
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: this.#deps.leaderEpoch(partition, offset),
      committedMetadata: metadata ?? null
    }
  }

  #notOurs(partition: number): Error {
    return new Error(`partition ${partition} of ${this.#topic} is not assigned to this consumer`)
  }
}
