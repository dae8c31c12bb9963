/** What one member of the group brings to an assignment. `owned` and the result: topic → partitions. */
export interface GroupMember {
  readonly memberId: string
  readonly topics: readonly string[]
  readonly owned: ReadonlyMap<string, readonly number[]>
  /** Generation its `owned` is of; -1 when unknown. */
  readonly generation: number
}

export type Assignment = Map<string, number[]>

interface Slot {
  readonly topic: string
  readonly partition: number
  /** Who said that it owns it, of the newest generation that anybody said so for. */
  readonly claims: readonly string[]
}

/**
 * Cooperative sticky assignment (KIP-429): everybody keeps what they have as far as that is even, and a partition that
 * moves is given to nobody until its present owner, whom this round tells to give it up, has rejoined without it.
 * Loads of two members that could exchange a partition differ by at most one (counted before what is held back).
 */
export function assignCooperatively(
  members: readonly GroupMember[],
  partitionCounts: ReadonlyMap<string, number>
): Map<string, Assignment> {
  const ordered = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1))
  const slots = listSlots(ordered, partitionCounts)
  const holders = new Map<Slot, string>()
  const load = new Map(ordered.map(member => [member.memberId, 0]))
  const give = (slot: Slot, to: string) => {
    const before = holders.get(slot)
    if (before !== undefined) load.set(before, load.get(before)! - 1)
    holders.set(slot, to)
    load.set(to, load.get(to)! + 1)
  }
  // Two claims of one generation: neither can be trusted.
  for (const slot of slots) if (slot.claims.length === 1) give(slot, slot.claims[0]!)
  for (const slot of slots) {
    if (holders.has(slot)) continue
    const taker = lightest(eligible(ordered, slot), load)
    if (taker !== undefined) give(slot, taker)
  }
  balance(slots, ordered, holders, load, give)

  const result = new Map<string, Assignment>(ordered.map(member => [member.memberId, new Map<string, number[]>()]))
  for (const [slot, holder] of holders) {
    const givenUpFirst = slot.claims.some(claimer => claimer !== holder)
    if (givenUpFirst) continue
    const assignment = result.get(holder)!
    const partitions = assignment.get(slot.topic)
    if (partitions === undefined) assignment.set(slot.topic, [slot.partition])
    else partitions.push(slot.partition)
  }
  return result
}

function listSlots(members: readonly GroupMember[], partitionCounts: ReadonlyMap<string, number>): Slot[] {
  const slots: Slot[] = []
  for (const topic of [...partitionCounts.keys()].sort()) {
    const claimers = members.filter(member => member.topics.includes(topic))
    const owned = new Map(claimers.map(member => [member.memberId, new Set(member.owned.get(topic) ?? [])]))
    for (let partition = 0; partition < partitionCounts.get(topic)!; partition++) {
      const claiming = claimers.filter(member => owned.get(member.memberId)!.has(partition))
      const newest = Math.max(...claiming.map(member => member.generation))
      const claims = claiming.filter(member => member.generation === newest).map(member => member.memberId)
      slots.push({ topic, partition, claims })
    }
  }
  return slots
}

const eligible = (members: readonly GroupMember[], slot: Slot): string[] =>
  members.filter(member => member.topics.includes(slot.topic)).map(member => member.memberId)

function lightest(memberIds: readonly string[], load: ReadonlyMap<string, number>): string | undefined {
  let found: string | undefined
  for (const memberId of memberIds) if (found === undefined || load.get(memberId)! < load.get(found)!) found = memberId
  return found
}

/** Moves partitions while that makes two loads more even; every move lowers the sum of squares, so it ends. */
function balance(
  slots: readonly Slot[],
  members: readonly GroupMember[],
  holders: ReadonlyMap<Slot, string>,
  load: ReadonlyMap<string, number>,
  give: (slot: Slot, to: string) => void
): void {
  for (let moved = true; moved;) {
    moved = false
    for (const slot of slots.toReversed()) {
      const holder = holders.get(slot)
      const taker = lightest(eligible(members, slot), load)
      if (holder === undefined || taker === undefined || load.get(holder)! - load.get(taker)! < 2) continue
      give(slot, taker)
      moved = true
    }
  }
}
