import { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerGroupOptions } from './consumer-group.ts'
import { errorCodes, KafkaError } from './error-codes.ts'
import { Group } from './group.ts'
import type { MemberClaim } from './group.ts'
import { OffsetStore } from './offset-store.ts'
import type { Topics } from './topics.ts'

/** One commit that was accepted. */
export interface Commit {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly metadata: string
}

/** A group is of one protocol or the other; an empty one becomes what the first who joins speaks. */
export type AnyGroup = Group | ConsumerGroup

export interface GroupsOptions {
  readonly initialDelayMs: number
  readonly consumer: ConsumerGroupOptions
}

/** All consumer groups of the broker, with the offsets they committed. */
export class Groups {
  readonly #options: GroupsOptions
  readonly #topics: Topics
  readonly #groups = new Map<string, { group: AnyGroup; readonly offsets: OffsetStore }>()
  readonly #listeners = new Set<(commit: Commit) => void>()

  constructor(options: GroupsOptions, topics: Topics) {
    this.#options = options
    this.#topics = topics
  }

  all(): [groupId: string, group: AnyGroup][] {
    return [...this.#groups].map(([groupId, { group }]) => [groupId, group])
  }

  get(groupId: string): AnyGroup | undefined {
    return this.#groups.get(groupId)?.group
  }

  classic(groupId: string): Group | undefined {
    const group = this.get(groupId)
    return group?.type === 'classic' ? group : undefined
  }

  /** Throws GROUP_ID_NOT_FOUND, as Kafka does for a group of the classic protocol too. */
  consumer(groupId: string): ConsumerGroup {
    const group = this.get(groupId)
    if (group?.type === 'consumer') return group
    throw new KafkaError('GROUP_ID_NOT_FOUND', `there is no group ${groupId} of the protocol consumer`)
  }

  offsets(groupId: string): OffsetStore | undefined {
    return this.#groups.get(groupId)?.offsets
  }

  /** The group of that name for a member that joins. Throws INCONSISTENT_GROUP_PROTOCOL when others speak KIP-848. */
  openClassic(groupId: string): Group {
    const opened = this.#open(groupId)
    if (opened.group.type === 'classic') return opened.group
    if (opened.group.state !== 'Empty') throw new KafkaError('INCONSISTENT_GROUP_PROTOCOL')
    return (opened.group = new Group(this.#options.initialDelayMs))
  }

  /** The group of that name for a member that joins. Throws GROUP_ID_NOT_FOUND when others speak the classic protocol. */
  openConsumer(groupId: string): ConsumerGroup {
    const opened = this.#open(groupId)
    const { group } = opened
    if (group.type === 'consumer') return group
    if (group.state !== 'Empty') throw new KafkaError('GROUP_ID_NOT_FOUND')
    group.disband(errorCodes.UNKNOWN_MEMBER_ID)
    return (opened.group = new ConsumerGroup(this.#options.consumer, this.#topics))
  }

  /** Whether this member may commit: error code. A group nobody joined springs into being with its first commit. */
  checkCommit(groupId: string, claim: MemberClaim): number {
    if (groupId === '') return errorCodes.INVALID_GROUP_ID
    if (!this.#groups.has(groupId) && claim.generation >= 0) return errorCodes.ILLEGAL_GENERATION
    return this.#open(groupId).group.checkCommit(claim)
  }

  commit(commit: Commit, leaderEpoch: number): void {
    const { groupId, topic, partition, offset, metadata } = commit
    this.#open(groupId).offsets.set(topic, partition, { offset, metadata, leaderEpoch })
    for (const listener of this.#listeners) listener(commit)
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Error code. A group with members stays. */
  delete(groupId: string): number {
    const group = this.get(groupId)
    if (group === undefined) return errorCodes.GROUP_ID_NOT_FOUND
    if (group.state !== 'Empty') return errorCodes.NON_EMPTY_GROUP
    group.disband(errorCodes.COORDINATOR_NOT_AVAILABLE)
    this.#groups.delete(groupId)
    return errorCodes.NONE
  }

  forgetTopic(topic: string): void {
    for (const { offsets } of this.#groups.values()) offsets.forgetTopic(topic)
  }

  /** The coordinator goes down: members are gone, offsets stay. */
  disband(): void {
    for (const { group } of this.#groups.values()) group.disband(errorCodes.COORDINATOR_NOT_AVAILABLE)
  }

  #open(groupId: string): { group: AnyGroup; readonly offsets: OffsetStore } {
    let opened = this.#groups.get(groupId)
    if (opened === undefined) {
      opened = { group: new Group(this.#options.initialDelayMs), offsets: new OffsetStore() }
      this.#groups.set(groupId, opened)
    }
    return opened
  }
}
