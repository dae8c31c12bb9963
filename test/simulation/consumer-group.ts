import { errorCode } from '../../src/adapters/kafka/problems.ts'
import { type Group, type GroupSettings, type GroupWitness, shareOut } from './group.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface ConsumerGroupSettings extends GroupSettings {
  /** How often members are asked to be heard. */
  readonly heartbeatIntervalMs: number
  /** Changes are gathered for so long before a new target is made of them, but for members that go. */
  readonly assignmentDelayMs: number
  /** It waits no longer than this for what a member has to give up, whatever it said; 0: as it said. */
  readonly patienceMs: number
}

/** A heartbeat as our member says it: always everything. */
export interface ConsumerHeartbeat {
  readonly owner: string
  readonly memberId: string
  /** 0 to join, negative to leave. */
  readonly epoch: number
  readonly rebalanceTimeoutMs: number
  readonly owned: readonly number[]
}

export interface HeartbeatAnswer {
  readonly code: number
  readonly epoch: number
  readonly assigned: readonly number[]
}

interface Member {
  readonly id: string
  readonly owner: string
  heardMs: number
  epoch: number
  previousEpoch: number
  rebalanceTimeoutMs: number
  /**
   * stable      has all that its epoch's target gives it                → unrevoked, unreleased
   * unrevoked   has first to report that it has given up what goes      → stable, unreleased
   * unreleased  waits for partitions that others have not given up yet  → stable, unrevoked
   */
  state: 'stable' | 'unrevoked' | 'unreleased'
  assigned: ReadonlySet<number>
  /** Assigned no longer, but not reported as given up. */
  revoking: ReadonlySet<number>
  target: ReadonlySet<number>
  /** Since when it has to give something up. */
  revokingSinceMs: number
}

/**
 * A coordinator of a group of the protocol `consumer` (KIP-848), as Kafka's: the group's epoch rises with every change of
 * members or partitions, a target is made for it, and each member is led there in its own time. What is assigned to a
 * member and not in its target goes first: it has to report that it has given it up before its epoch rises, and only then,
 * or when it has left, was not heard for a session or did not give it up within its rebalance timeout, does another get it.
 * A commit is taken at the member's present epoch alone.
 *
 * When it moves all of this is kept, for it is written before it is answered; sessions and deadlines begin anew.
 * Not here: a member that comes back under its old epoch because its going was gathered with its coming (what it had asked
 * to be committed before could then still be taken), static members, several topics, heartbeats that leave something out,
 * groups that change their protocol.
 */
export class ConsumerGroup implements Group {
  #partitions: number
  #epoch = 0
  /** Of the present target: below the group's while changes are gathered. */
  #targetEpoch = 0
  #salt = 0
  /** Who has, or was to have, each partition last. */
  #lastTarget: readonly Member[] = []
  readonly #members = new Map<string, Member>()
  readonly #settings: ConsumerGroupSettings
  readonly #time: VirtualTime
  readonly #witness: GroupWitness

  constructor(partitions: number, settings: ConsumerGroupSettings, time: VirtualTime, witness: GroupWitness) {
    this.#partitions = partitions
    this.#settings = settings
    this.#time = time
    this.#witness = witness
  }

  get heartbeatIntervalMs(): number {
    return this.#settings.heartbeatIntervalMs
  }

  heartbeat(said: ConsumerHeartbeat): HeartbeatAnswer {
    const { memberId, owner, epoch, owned } = said
    if (epoch < 0) return this.#leave(memberId, epoch)
    let member = this.#members.get(memberId)
    if (member === undefined) {
      if (epoch !== 0) return { code: errorCode.unknownMemberId, epoch, assigned: [] }
      member = this.#join(memberId, owner)
    } else if (epoch !== member.epoch) {
      // With its previous epoch it has lost the answer that raised it; any other is somebody's past.
      const repeats = epoch === member.previousEpoch && new Set(owned).isSubsetOf(member.assigned)
      if (!repeats) return { code: errorCode.fencedMemberEpoch, epoch, assigned: [] }
    }
    const { patienceMs } = this.#settings
    member.rebalanceTimeoutMs = patienceMs === 0 ? said.rebalanceTimeoutMs : patienceMs
    member.heardMs = this.#time.nowMs
    this.#reconcile(member, new Set(owned))
    return { code: errorCode.none, epoch: member.epoch, assigned: [...member.assigned] }
  }

  mayCommit(memberId: string, epoch: number): number {
    const member = this.#members.get(memberId)
    if (member === undefined) return errorCode.unknownMemberId
    return member.epoch === epoch ? errorCode.none : errorCode.staleMemberEpoch
  }

  mayRead(memberId: string | null, epoch: number): number {
    return memberId === null ? errorCode.none : this.mayCommit(memberId, epoch)
  }

  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  setPartitions(count: number): void {
    this.#partitions = count
    this.rebalance()
  }

  expel(owner: string): void {
    for (const member of this.#members.values()) if (member.owner === owner) this.#remove(member)
  }

  shuffle(): void {
    this.#salt++
    this.rebalance()
  }

  rebalance(): void {
    this.#epoch++
    const { assignmentDelayMs } = this.#settings
    if (assignmentDelayMs === 0 || this.#targetEpoch === 0) this.#assign()
    else this.#time.after(assignmentDelayMs, () => this.#assign())
  }

  move(loadedMs: number): void {
    for (const member of this.#members.values()) {
      member.heardMs = loadedMs
      member.revokingSinceMs = loadedMs
      if (member.state === 'unrevoked') this.#watchRevocation(member)
    }
  }

  #join(id: string, owner: string): Member {
    const member: Member = {
      id,
      owner,
      heardMs: this.#time.nowMs,
      epoch: 0,
      previousEpoch: 0,
      rebalanceTimeoutMs: 0,
      state: 'stable',
      assigned: new Set(),
      revoking: new Set(),
      target: new Set(),
      revokingSinceMs: 0
    }
    this.#members.set(id, member)
    this.#watchSession(member)
    this.rebalance()
    return member
  }

  #leave(id: string, epoch: number): HeartbeatAnswer {
    const member = this.#members.get(id)
    if (member === undefined) return { code: errorCode.unknownMemberId, epoch, assigned: [] }
    this.#witness.released(member.owner, [...member.assigned.union(member.revoking)])
    this.#remove(member)
    return { code: errorCode.none, epoch, assigned: [] }
  }

  #remove(member: Member): void {
    this.#members.delete(member.id)
    this.#epoch++
    this.#assign()
  }

  #assign(): void {
    if (this.#targetEpoch === this.#epoch) return
    this.#targetEpoch = this.#epoch
    const members = [...this.#members.values()]
    const before = this.#lastTarget
    const { sticky } = this.#settings
    const targets = shareOut(this.#partitions, members, partition => before[partition], sticky, this.#salt)
    for (const member of members) {
      member.target = new Set(targets.flatMap((target, partition) => (target === member ? [partition] : [])))
    }
    this.#lastTarget = targets
  }

  /** The next step of a member towards its target. */
  #reconcile(member: Member, owned: ReadonlySet<number>): void {
    if (member.state === 'stable' && member.epoch === this.#targetEpoch) return
    if (member.state === 'unrevoked' && !owned.isDisjointFrom(member.revoking)) return
    const { target, assigned, revoking } = member
    const kept = assigned.intersection(target)
    const gone = assigned.difference(target)
    if (!owned.isDisjointFrom(gone)) {
      this.#witness.released(member.owner, [...revoking])
      member.state = 'unrevoked'
      member.revoking = gone
      member.assigned = kept
      member.revokingSinceMs = this.#time.nowMs
      this.#watchRevocation(member)
      return
    }
    this.#witness.released(member.owner, [...revoking, ...gone])
    member.revoking = new Set()
    const others = [...this.#members.values()].filter(other => other !== member)
    const isFree = (partition: number) =>
      !others.some(other => other.assigned.has(partition) || other.revoking.has(partition))
    const won = [...target.difference(kept)].filter(isFree)
    member.assigned = kept.union(new Set(won))
    member.state = member.assigned.size < target.size ? 'unreleased' : 'stable'
    if (member.epoch !== this.#targetEpoch) {
      member.previousEpoch = member.epoch
      member.epoch = this.#targetEpoch
    }
    if (won.length > 0) this.#witness.assigned(member.owner, won)
  }

  #watchRevocation(member: Member): void {
    const { revokingSinceMs, rebalanceTimeoutMs } = member
    this.#time.after(revokingSinceMs + rebalanceTimeoutMs - this.#time.nowMs, () => {
      const isLate = member.state === 'unrevoked' && member.revokingSinceMs === revokingSinceMs
      if (isLate && this.#members.get(member.id) === member) this.#remove(member)
    })
  }

  #watchSession(member: Member): void {
    const { sessionTimeoutMs } = this.#settings
    this.#time.after(member.heardMs + sessionTimeoutMs - this.#time.nowMs, () => {
      if (this.#members.get(member.id) !== member) return
      if (this.#time.nowMs - member.heardMs < sessionTimeoutMs) this.#watchSession(member)
      else {
        this.#witness.expired(member.owner)
        this.#remove(member)
      }
    })
  }
}
