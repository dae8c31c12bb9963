import { errorCodes } from './error-codes.ts'
import { Group } from './group.ts'
import type { MemberClaim } from './group.ts'
import { OffsetStore } from './offset-store.ts'

/** One commit that was accepted. */
export interface Commit {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly metadata: string
}

/** All consumer groups of the broker, with the offsets they committed. */
export class Groups {
  readonly #initialDelayMs: number
  readonly #groups = new Map<string, { readonly group: Group; readonly offsets: OffsetStore }>()
  readonly #listeners = new Set<(commit: Commit) => void>()

  constructor(initialDelayMs: number) {
    this.#initialDelayMs = initialDelayMs
  }

  all(): [groupId: string, group: Group][] {
    return [...this.#groups].map(([groupId, { group }]) => [groupId, group])
  }

  get(groupId: string): Group | undefined {
    return this.#groups.get(groupId)?.group
  }

  offsets(groupId: string): OffsetStore | undefined {
    return this.#groups.get(groupId)?.offsets
  }

  /** The group of that name, made now if there was none. */
  open(groupId: string): Group {
    return this.#open(groupId).group
  }

  /** Whether this member may commit: error code. A group nobody joined springs into being with its first commit. */
  checkCommit(groupId: string, claim: MemberClaim): number {
    if (groupId === '') return errorCodes.INVALID_GROUP_ID
    if (!this.#groups.has(groupId) && claim.generation >= 0) return errorCodes.ILLEGAL_GENERATION
    return this.open(groupId).checkCommit(claim)
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

  #open(groupId: string): { readonly group: Group; readonly offsets: OffsetStore } {
    let opened = this.#groups.get(groupId)
    if (opened === undefined) {
      opened = { group: new Group(this.#initialDelayMs), offsets: new OffsetStore() }
      this.#groups.set(groupId, opened)
    }
    return opened
  }
}
