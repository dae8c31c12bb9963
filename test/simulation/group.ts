/** What the coordinator of a group is asked by everybody who has no part in it, whatever its protocol. Codes are Kafka's. */
export interface Group {
  readonly isEmpty: boolean
  /** The topic has so many now. */
  setPartitions(count: number): void
  /** Whether a member may commit: an error code. */
  mayCommit(memberId: string, generation: number): number
  /** Whether committed offsets may be read; who names no member may. */
  mayRead(memberId: string | null, generation: number): number
  /** A member is forgotten without being told, as when its session has run out. */
  expel(owner: string): void
  /** Everybody is led through a rebalance that moves nothing by itself. */
  rebalance(): void
  /** Moves partitions although no member came or went. */
  shuffle(): void
  /**
   * Another broker coordinates the group, and knows of it what was written to its log. `loadedMs`: when it will have read
   * that; sessions begin anew then. `isSilent`: those who wait for an answer get none.
   */
  move(loadedMs: number, isSilent: boolean): void
}

export interface GroupSettings {
  /** In how many milliseconds a member that was not heard is taken for dead. */
  readonly sessionTimeoutMs: number
  /** Who owns a partition keeps it if the shares stay even; else every change of members moves partitions. */
  readonly sticky: boolean
}

/** What the checker hears of the coordinator. */
export interface GroupWitness {
  /** From now on these are given to `owner`: whoever had one of them before is fenced off. */
  assigned(owner: string, partitions: readonly number[]): void
  /** A member of `owner` was not heard for a session. */
  expired(owner: string): void
  /** `owner` has said, as a member, that these are no longer its own. */
  released(owner: string, partitions: readonly number[]): void
}

/** Who is to have each of `partitions`, by number. `ownerOf`: who has it, or had it last. */
export function shareOut<M>(
  partitions: number,
  members: readonly M[],
  ownerOf: (partition: number) => M | undefined,
  sticky: boolean,
  salt: number
): M[] {
  if (members.length === 0) return []
  if (!sticky) return Array.from({ length: partitions }, (_, each) => members[(each + salt) % members.length]!)
  const quota = Math.ceil(partitions / members.length)
  const held = new Map(members.map(member => [member, 0]))
  const targets: (M | undefined)[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const owner = ownerOf(partition)
    const has = owner === undefined ? undefined : held.get(owner)
    const keeps = owner !== undefined && has !== undefined && has < quota
    if (keeps) held.set(owner, has + 1)
    targets.push(keeps ? owner : undefined)
  }
  return targets.map(target => {
    if (target !== undefined) return target
    const least = members.reduce((a, b) => (held.get(b)! < held.get(a)! ? b : a))
    held.set(least, held.get(least)! + 1)
    return least
  })
}
