import { errorCode } from '../../src/adapters/kafka/problems.ts'
import { type Group, type GroupSettings, type GroupWitness, shareOut } from './group.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface JoinAnswer {
  readonly code: number
  readonly memberId: string
  readonly generation: number
}

interface Member {
  readonly id: string
  readonly owner: string
  heardMs: number
  /** What it says it owns, and since which generation. */
  claims: readonly number[]
  claimsFrom: number
  rebalanceTimeoutMs: number
  reply: ((answer: JoinAnswer) => void) | undefined
  assigned: readonly number[]
}

/** What the group's log has of it: the last generation that all had joined. */
interface Written {
  readonly generation: number
  readonly partitions: number
  readonly members: readonly Member[]
}

/**
 * A coordinator of a classic group whose members share partitions by the cooperative protocol: what moves is first taken
 * from one member and given to the other one generation later. It shares out itself, as a leader would that is none of
 * ours. Not here: static members, other protocols of assignment, a leader that fails between join and sync.
 *
 * empty      no member                                       → preparing
 * preparing  waits for all members to join, up to a deadline → stable, empty
 * stable     heartbeats and commits of this generation       → preparing
 *
 * When it moves, what was not written is forgotten: a rebalance under way with those who joined or left in it.
 */
export class ClassicGroup implements Group {
  #partitions: number
  #generation = 0
  #salt = 0
  #state: 'empty' | 'preparing' | 'stable' = 'empty'
  #round = 0
  #memberCount = 0
  readonly #members = new Map<string, Member>()
  /** Ids that were given to who has not joined with them yet. */
  readonly #promised = new Set<string>()
  #written: Written
  readonly #settings: GroupSettings
  readonly #time: VirtualTime
  readonly #witness: GroupWitness

  constructor(partitions: number, settings: GroupSettings, time: VirtualTime, witness: GroupWitness) {
    this.#partitions = partitions
    this.#written = { generation: 0, partitions, members: [] }
    this.#settings = settings
    this.#time = time
    this.#witness = witness
  }

  /** `memberId`: empty for a new one, which is told the id to join with. `claims`: what it owns, since generation `claimsFrom`. */
  join(
    owner: string,
    memberId: string,
    claims: readonly number[],
    claimsFrom: number,
    rebalanceTimeoutMs: number,
    reply: (answer: JoinAnswer) => void
  ): void {
    if (memberId === '') {
      const id = `member-${++this.#memberCount}`
      this.#promised.add(id)
      return reply({ code: errorCode.memberIdRequired, memberId: id, generation: -1 })
    }
    let member = this.#members.get(memberId)
    if (member === undefined) {
      if (!this.#promised.delete(memberId))
        return reply({ code: errorCode.unknownMemberId, memberId: '', generation: -1 })
      member = this.#enter({
        id: memberId,
        owner,
        heardMs: this.#time.nowMs,
        claims,
        claimsFrom,
        rebalanceTimeoutMs,
        reply,
        assigned: []
      })
    }
    this.#witness.released(owner, [...new Set(member.assigned).difference(new Set(claims))])
    member.heardMs = this.#time.nowMs
    member.claims = claims
    member.claimsFrom = claimsFrom
    member.reply = reply
    this.rebalance()
    this.#completeIfAllJoined()
  }

  /** What this generation gives to the member. */
  sync(memberId: string, generation: number): { readonly code: number; readonly partitions: readonly number[] } {
    const member = this.#members.get(memberId)
    const code = this.#check(memberId, generation)
    if (code !== errorCode.none || member === undefined) return { code, partitions: [] }
    if (this.#state !== 'stable') return { code: errorCode.rebalanceInProgress, partitions: [] }
    member.heardMs = this.#time.nowMs
    return { code, partitions: member.assigned }
  }

  heartbeat(memberId: string, generation: number): number {
    const code = this.#check(memberId, generation)
    if (code !== errorCode.none) return code
    this.#members.get(memberId)!.heardMs = this.#time.nowMs
    return this.#state === 'stable' ? errorCode.none : errorCode.rebalanceInProgress
  }

  /** Kafka looks at the generation alone, not at who owns the partition. */
  mayCommit(memberId: string, generation: number): number {
    return this.#check(memberId, generation)
  }

  mayRead(): number {
    return errorCode.none
  }

  #check(memberId: string, generation: number): number {
    if (!this.#members.has(memberId)) return errorCode.unknownMemberId
    return generation === this.#generation ? errorCode.none : errorCode.illegalGeneration
  }

  leave(memberId: string): number {
    const member = this.#members.get(memberId)
    if (member === undefined) return errorCode.unknownMemberId
    this.#witness.released(member.owner, member.assigned)
    this.#remove(member)
    return errorCode.none
  }

  expel(owner: string): void {
    for (const member of this.#members.values()) if (member.owner === owner) this.#remove(member)
  }

  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  setPartitions(count: number): void {
    this.#partitions = count
    this.rebalance()
  }

  shuffle(): void {
    this.#salt++
    this.rebalance()
  }

  /** Everybody has to join again. */
  rebalance(): void {
    if (this.#state === 'preparing') return
    this.#state = 'preparing'
    const round = ++this.#round
    const waitMs = Math.max(0, ...[...this.#members.values()].map(({ rebalanceTimeoutMs }) => rebalanceTimeoutMs))
    this.#time.after(waitMs, () => {
      if (this.#state !== 'preparing' || this.#round !== round) return
      for (const member of this.#members.values()) {
        if (member.reply === undefined) this.#members.delete(member.id)
      }
      this.#complete()
    })
  }

  move(loadedMs: number, isSilent: boolean): void {
    for (const { reply } of this.#members.values())
      if (!isSilent) reply?.({ code: errorCode.notCoordinator, memberId: '', generation: -1 })
    this.#members.clear()
    this.#promised.clear()
    const { generation, partitions, members } = this.#written
    this.#generation = generation
    this.#round++
    this.#state = members.length === 0 ? 'empty' : 'stable'
    for (const member of members) this.#enter({ ...member, heardMs: loadedMs, reply: undefined })
    // The leader notices what was added whoever coordinates.
    if (partitions !== this.#partitions && members.length > 0)
      this.#time.after(loadedMs - this.#time.nowMs, () => this.rebalance())
  }

  #enter(member: Member): Member {
    this.#members.set(member.id, member)
    this.#watchSession(member)
    return member
  }

  #remove(member: Member): void {
    this.#members.delete(member.id)
    this.rebalance()
    this.#completeIfAllJoined()
  }

  #completeIfAllJoined(): void {
    if (this.#state !== 'preparing') return
    const members = [...this.#members.values()]
    if (members.every(member => member.reply !== undefined)) this.#complete()
  }

  #complete(): void {
    this.#generation++
    this.#round++
    const members = [...this.#members.values()]
    this.#state = members.length === 0 ? 'empty' : 'stable'
    const owners = this.#owners(members)
    const targets = shareOut(
      this.#partitions,
      members,
      partition => owners.get(partition),
      this.#settings.sticky,
      this.#salt
    )
    for (const member of members) {
      member.assigned = targets.flatMap((target, partition) => {
        const owner = owners.get(partition)
        return target === member && (owner === undefined || owner === member) ? [partition] : []
      })
    }
    this.#written = {
      generation: this.#generation,
      partitions: this.#partitions,
      members: members.map(member => ({ ...member }))
    }
    for (const member of members) {
      member.heardMs = this.#time.nowMs
      const reply = member.reply
      member.reply = undefined
      this.#witness.assigned(member.owner, member.assigned)
      reply?.({ code: errorCode.none, memberId: member.id, generation: this.#generation })
    }
  }

  /** Of two that claim a partition, the one whose claim is younger. */
  #owners(members: readonly Member[]): Map<number, Member> {
    const owners = new Map<number, Member>()
    for (const member of members) {
      for (const partition of member.claims) {
        const other = owners.get(partition)
        if (other === undefined || other.claimsFrom < member.claimsFrom) owners.set(partition, member)
      }
    }
    return owners
  }

  #watchSession(member: Member): void {
    const { sessionTimeoutMs } = this.#settings
    this.#time.after(member.heardMs + sessionTimeoutMs - this.#time.nowMs, () => {
      if (this.#members.get(member.id) !== member) return
      // Who waits for the others to join is not asked for heartbeats.
      if (member.reply !== undefined) member.heardMs = this.#time.nowMs
      if (this.#time.nowMs - member.heardMs < sessionTimeoutMs) this.#watchSession(member)
      else {
        this.#witness.expired(member.owner)
        this.#remove(member)
      }
    })
  }
}
