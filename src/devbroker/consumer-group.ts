import { randomUUID } from 'node:crypto'
import { awayEpoch, ConsumerGroupMember } from './consumer-group-member.ts'
import type { ConsumerHeartbeat } from './consumer-group-member.ts'
import { errorCodes, KafkaError } from './error-codes.ts'
import type { MemberClaim } from './group.ts'
import type { Topics } from './topics.ts'
import { assignUniformly } from './uniform-assignor.ts'
import type { Slot, TopicSlots } from './uniform-assignor.ts'

export interface ConsumerGroupOptions {
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
}

export interface HeartbeatAnswer {
  readonly memberId: string
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  /** `null`: as the member knows it. */
  readonly assignment: ReadonlySet<Slot> | null
}

export type ConsumerGroupState = 'Empty' | 'Reconciling' | 'Stable'

const isSubset = (owned: ReadonlySet<Slot> | null, assigned: ReadonlySet<Slot>): boolean =>
  owned !== null && owned.isSubsetOf(assigned)

/**
 * A group of the protocol `consumer` (KIP-848), as Kafka's coordinator runs it: the coordinator assigns, each member is
 * led to its target in its own time, and a partition is given to its new owner only when the old one has reported it
 * gone, has left, or has not been heard in time. Its timers are real time. Refusals are thrown as KafkaError.
 */
export class ConsumerGroup {
  readonly type = 'consumer'
  readonly protocolType = 'consumer'
  readonly #options: ConsumerGroupOptions
  readonly #topics: Topics
  readonly #members = new Map<string, ConsumerGroupMember>()
  #epoch = 0
  #target = new Map<string, Set<Slot>>()
  /** The topics as they were when the target was made. */
  #seen = ''

  constructor(options: ConsumerGroupOptions, topics: Topics) {
    this.#options = options
    this.#topics = topics
  }

  get state(): ConsumerGroupState {
    if (this.#members.size === 0) return 'Empty'
    const isSettled = this.members.every(({ epoch, state }) => epoch === this.#epoch && state === 'stable')
    return isSettled ? 'Stable' : 'Reconciling'
  }

  get epoch(): number {
    return this.#epoch
  }

  get members(): readonly ConsumerGroupMember[] {
    return [...this.#members.values()]
  }

  target(memberId: string): ReadonlySet<Slot> {
    return this.#target.get(memberId) ?? new Set()
  }

  heartbeat(said: ConsumerHeartbeat): HeartbeatAnswer {
    if (said.memberEpoch < 0) return this.#leave(said)
    const member = said.memberEpoch === 0 ? this.#join(said) : this.#known(said)
    const subscribesAnew = member.update(said)
    if (subscribesAnew || this.#look() !== this.#seen) this.#retarget()
    const before = member.assigned
    this.#reconcile(member, said.owned)
    this.#touch(member)
    const isFull = said.rebalanceTimeoutMs >= 0 && said.topics !== null && said.owned !== null
    const changed = member.assigned.symmetricDifference(before).size > 0
    return {
      memberId: member.id,
      memberEpoch: member.epoch,
      heartbeatIntervalMs: this.#options.heartbeatIntervalMs,
      assignment: isFull || changed ? member.assigned : null
    }
  }

  /** Whether these offsets may be committed: error code. */
  checkCommit({ memberId, generation }: MemberClaim): number {
    if (generation < 0 && this.#members.size === 0) return errorCodes.NONE
    return this.#checkEpoch(memberId, generation)
  }

  /** Whether these offsets may be read: error code. Who names no member may. */
  checkFetch(memberId: string | null, epoch: number): number {
    return memberId === null && epoch < 0 ? errorCodes.NONE : this.#checkEpoch(memberId ?? '', epoch)
  }

  /** Sends everybody away; the epoch stays. */
  disband(): void {
    for (const member of this.#members.values()) member.end()
    this.#members.clear()
    this.#target.clear()
  }

  #checkEpoch(memberId: string, epoch: number): number {
    const member = this.#members.get(memberId)
    if (member === undefined) return errorCodes.UNKNOWN_MEMBER_ID
    return member.epoch === epoch ? errorCodes.NONE : errorCodes.STALE_MEMBER_EPOCH
  }

  #join(said: ConsumerHeartbeat): ConsumerGroupMember {
    const holder = this.#static(said.instanceId)
    if (holder !== undefined) {
      if (holder.epoch !== awayEpoch) throw new KafkaError('UNRELEASED_INSTANCE_ID')
      return this.#replaceStatic(holder, said.memberId)
    }
    const known = this.#members.get(said.memberId)
    if (known !== undefined) return this.#checked(known, said)
    // Version 0 let the coordinator name the member.
    const member = new ConsumerGroupMember(said.memberId || randomUUID(), said.instanceId)
    this.#members.set(member.id, member)
    return member
  }

  #known(said: ConsumerHeartbeat): ConsumerGroupMember {
    if (said.instanceId !== null) return this.#checked(this.#heldBy(said.instanceId, said.memberId), said)
    const member = this.#members.get(said.memberId)
    if (member === undefined) throw new KafkaError('UNKNOWN_MEMBER_ID')
    return this.#checked(member, said)
  }

  /** A member with its previous epoch has lost the answer that raised it; any other is somebody else's past. */
  #checked(member: ConsumerGroupMember, { memberEpoch, owned }: ConsumerHeartbeat): ConsumerGroupMember {
    const repeats = memberEpoch === member.previousEpoch && isSubset(owned, member.assigned)
    if (memberEpoch !== member.epoch && !repeats) throw new KafkaError('FENCED_MEMBER_EPOCH')
    return member
  }

  #replaceStatic(holder: ConsumerGroupMember, id: string): ConsumerGroupMember {
    const member = new ConsumerGroupMember(id, holder.instanceId)
    member.succeed(holder)
    const target = this.#target.get(holder.id)
    this.#forget(holder)
    this.#members.set(id, member)
    if (target !== undefined) this.#target.set(id, target)
    return member
  }

  #leave({ memberId, memberEpoch, instanceId }: ConsumerHeartbeat): HeartbeatAnswer {
    const member = instanceId === null ? this.#members.get(memberId) : this.#heldBy(instanceId, memberId)
    if (member === undefined) throw new KafkaError('UNKNOWN_MEMBER_ID')
    if (memberEpoch === awayEpoch) {
      member.epoch = awayEpoch
      member.revoking = new Set()
    } else this.#remove(member)
    return { memberId, memberEpoch, heartbeatIntervalMs: 0, assignment: null }
  }

  /** The next step of a member towards its target. */
  #reconcile(member: ConsumerGroupMember, owned: ReadonlySet<Slot> | null): void {
    const stillOwns = (slots: ReadonlySet<Slot>) => slots.size > 0 && (owned === null || !owned.isDisjointFrom(slots))
    if (member.state === 'stable' && member.epoch === this.#epoch) return
    if (member.state === 'unrevoked' && stillOwns(member.revoking)) return
    const target = this.target(member.id)
    const kept = member.assigned.intersection(target)
    const gone = member.assigned.difference(target)
    member.revoking = new Set()
    if (stillOwns(gone)) {
      member.state = 'unrevoked'
      member.revoking = gone
      member.assigned = kept
    } else {
      const others = this.members.filter(other => other !== member)
      const free = [...target.difference(kept)].filter(slot => !others.some(other => other.holds(slot)))
      member.assigned = kept.union(new Set(free))
      member.state = member.assigned.size < target.size ? 'unreleased' : 'stable'
      member.enter(this.#epoch)
    }
    member.watchRevocation(() => this.#remove(member))
  }

  #retarget(): void {
    this.#epoch += 1
    this.#seen = this.#look()
    this.#target = assignUniformly(this.members, this.#subscribed(), this.#target)
  }

  /** The subscribed topics with their partitions, in one string to compare. */
  #look(): string {
    return this.#subscribed()
      .map(({ name, slots }) => `${name} ${slots.length} ${slots[0]}`)
      .join()
  }

  #subscribed(): TopicSlots[] {
    const names = new Set(this.members.flatMap(({ topics }) => [...topics]))
    return [...names].sort().flatMap(name => {
      const topic = this.#topics.get(name)
      return topic === undefined ? [] : { name, slots: topic.partitions.map((_log, i) => `${topic.id}/${i}`) }
    })
  }

  #remove(member: ConsumerGroupMember): void {
    this.#forget(member)
    this.#retarget()
  }

  #forget(member: ConsumerGroupMember): void {
    member.end()
    this.#members.delete(member.id)
    this.#target.delete(member.id)
  }

  #touch(member: ConsumerGroupMember): void {
    member.touch(this.#options.sessionTimeoutMs, () => this.#remove(member))
  }

  #static(instanceId: string | null): ConsumerGroupMember | undefined {
    return instanceId === null ? undefined : this.members.find(member => member.instanceId === instanceId)
  }

  #heldBy(instanceId: string, memberId: string): ConsumerGroupMember {
    const holder = this.#static(instanceId)
    if (holder === undefined) throw new KafkaError('UNKNOWN_MEMBER_ID')
    if (holder.id !== memberId) throw new KafkaError('FENCED_INSTANCE_ID')
    return holder
  }
}
