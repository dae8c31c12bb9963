import type { VirtualTime } from './virtual-time.ts'

export type GroupAnswer = 'fine' | 'rebalance' | 'stale' | 'unknown-member' | 'refused' | 'too-large'

export interface JoinAnswer {
  readonly answer: GroupAnswer
  readonly memberId: string
  readonly generation: number
  readonly partitions: readonly number[]
}

interface Member {
  readonly id: string
  readonly owner: string
  heardMs: number
  /** What it says it owns, and since which generation. */
  claims: readonly number[]
  claimsFrom: number
  reply: ((answer: JoinAnswer) => void) | undefined
  assigned: readonly number[]
}

export interface GroupSettings {
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** Who owns a partition keeps it if the shares stay even; else every change of members moves partitions. */
  readonly sticky: boolean
}

/** What the checker hears of the coordinator. */
export interface GroupWitness {
  /** From now on these are given to `owner`: whoever had one of them before is fenced off. */
  assigned(owner: string, partitions: readonly number[]): void
}

/**
 * A coordinator of a classic group whose members share partitions by the cooperative protocol: what moves is first taken
 * from one member and given to the other one generation later.
 *
 * empty      no member                                       → preparing
 * preparing  waits for all members to join, up to a deadline → stable, empty
 * stable     heartbeats and commits of this generation       → preparing
 */
export class Group {
  partitions: number
  generation = 0
  /** Moves partitions although no member came or went. */
  salt = 0
  #state: 'empty' | 'preparing' | 'stable' = 'empty'
  #round = 0
  #memberCount = 0
  readonly #members = new Map<string, Member>()
  readonly #settings: GroupSettings
  readonly #time: VirtualTime
  readonly #witness: GroupWitness

  constructor(partitions: number, settings: GroupSettings, time: VirtualTime, witness: GroupWitness) {
    this.partitions = partitions
    this.#settings = settings
    this.#time = time
    this.#witness = witness
  }

  /** `memberId`: empty for a new one. `claims`: what it owns, since generation `claimsFrom`. */
  join(
    owner: string,
    memberId: string,
    claims: readonly number[],
    claimsFrom: number,
    reply: (answer: JoinAnswer) => void
  ): void {
    if (memberId !== '' && !this.#members.has(memberId)) {
      reply({ answer: 'unknown-member', memberId: '', generation: -1, partitions: [] })
      return
    }
    const id = memberId === '' ? `member-${++this.#memberCount}` : memberId
    let member = this.#members.get(id)
    if (member === undefined) {
      member = { id, owner, heardMs: this.#time.nowMs, claims, claimsFrom, reply, assigned: [] }
      this.#members.set(id, member)
      this.#watchSession(member)
    }
    member.heardMs = this.#time.nowMs
    member.claims = claims
    member.claimsFrom = claimsFrom
    member.reply = reply
    this.rebalance()
    this.#completeIfAllJoined()
  }

  heartbeat(memberId: string, generation: number): GroupAnswer {
    const member = this.#members.get(memberId)
    if (member === undefined) return 'unknown-member'
    if (generation !== this.generation) return 'stale'
    member.heardMs = this.#time.nowMs
    return this.#state === 'stable' ? 'fine' : 'rebalance'
  }

  /** May this member commit now? Kafka looks at the generation alone, not at who owns the partition. */
  mayCommit(memberId: string, generation: number): GroupAnswer {
    const member = this.#members.get(memberId)
    if (member === undefined) return 'unknown-member'
    return generation === this.generation ? 'fine' : 'stale'
  }

  leave(memberId: string): void {
    if (!this.#members.delete(memberId)) return
    this.rebalance()
    this.#completeIfAllJoined()
  }

  /** A member is forgotten without being told, as when its session has run out. */
  expel(owner: string): void {
    for (const member of this.#members.values()) if (member.owner === owner) this.leave(member.id)
  }

  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  /** Everybody has to join again. */
  rebalance(): void {
    if (this.#state === 'preparing') return
    this.#state = 'preparing'
    const round = ++this.#round
    this.#time.after(this.#settings.rebalanceTimeoutMs, () => {
      if (this.#state !== 'preparing' || this.#round !== round) return
      for (const member of this.#members.values()) {
        if (member.reply === undefined) this.#members.delete(member.id)
      }
      this.#complete()
    })
  }

  #completeIfAllJoined(): void {
    if (this.#state !== 'preparing') return
    const members = [...this.#members.values()]
    if (members.every(member => member.reply !== undefined)) this.#complete()
  }

  #complete(): void {
    this.generation++
    this.#round++
    const members = [...this.#members.values()]
    this.#state = members.length === 0 ? 'empty' : 'stable'
    const owners = this.#owners(members)
    const targets = this.#targets(members, owners)
    for (const member of members) {
      member.assigned = targets.flatMap((target, partition) => {
        const owner = owners.get(partition)
        return target === member && (owner === undefined || owner === member) ? [partition] : []
      })
    }
    for (const member of members) {
      member.heardMs = this.#time.nowMs
      const reply = member.reply
      member.reply = undefined
      this.#witness.assigned(member.owner, member.assigned)
      reply?.({ answer: 'fine', memberId: member.id, generation: this.generation, partitions: member.assigned })
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

  #targets(members: readonly Member[], owners: ReadonlyMap<number, Member>): Member[] {
    if (members.length === 0) return []
    if (!this.#settings.sticky) {
      return Array.from({ length: this.partitions }, (_, each) => members[(each + this.salt) % members.length]!)
    }
    const quota = Math.ceil(this.partitions / members.length)
    const held = new Map(members.map(member => [member, 0]))
    const targets: (Member | undefined)[] = []
    for (let partition = 0; partition < this.partitions; partition++) {
      const owner = owners.get(partition)
      const keeps = owner !== undefined && held.get(owner)! < quota
      if (keeps) held.set(owner, held.get(owner)! + 1)
      targets.push(keeps ? owner : undefined)
    }
    return targets.map(target => {
      if (target !== undefined) return target
      const least = members.reduce((a, b) => (held.get(b)! < held.get(a)! ? b : a))
      held.set(least, held.get(least)! + 1)
      return least
    })
  }

  #watchSession(member: Member): void {
    const { sessionTimeoutMs } = this.#settings
    this.#time.after(member.heardMs + sessionTimeoutMs - this.#time.nowMs, () => {
      if (this.#members.get(member.id) !== member) return
      // Who waits for the others to join is not asked for heartbeats.
      if (member.reply !== undefined) member.heardMs = this.#time.nowMs
      if (this.#time.nowMs - member.heardMs < sessionTimeoutMs) this.#watchSession(member)
      else this.leave(member.id)
    })
  }
}
