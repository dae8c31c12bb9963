/** A partition in a group's books: `<topic id>/<number>`. */
export type Slot = string

export interface Reader {
  readonly id: string
  /** Names of the topics it subscribed to. */
  readonly topics: ReadonlySet<string>
}

export interface TopicSlots {
  readonly name: string
  readonly slots: readonly Slot[]
}

/**
 * Kafka's server-side assignor "uniform" in effect: everybody keeps what they have as far as that is even, and loads of
 * two members that could exchange a partition differ by at most one. By member id; every reader is in the answer.
 */
export function assignUniformly(
  readers: readonly Reader[],
  topics: readonly TopicSlots[],
  before: ReadonlyMap<string, ReadonlySet<Slot>>
): Map<string, Set<Slot>> {
  const target = new Map(readers.map(({ id }) => [id, new Set<Slot>()]))
  const load = (reader: Reader): number => target.get(reader.id)!.size
  const wanted = topics.flatMap(({ name, slots }) => {
    const subscribed = readers.filter(reader => reader.topics.has(name))
    return subscribed.length === 0 ? [] : slots.map(slot => ({ slot, subscribed }))
  })
  const holders = new Map<Slot, Reader>()
  const give = (slot: Slot, reader: Reader): void => {
    const holder = holders.get(slot)
    if (holder !== undefined) target.get(holder.id)!.delete(slot)
    holders.set(slot, reader)
    target.get(reader.id)!.add(slot)
  }
  for (const { slot, subscribed } of wanted) {
    const former = subscribed.find(({ id }) => before.get(id)?.has(slot))
    if (former !== undefined) give(slot, former)
  }
  const lightest = (subscribed: readonly Reader[]): Reader =>
    subscribed.reduce((least, reader) => (load(reader) < load(least) ? reader : least))
  for (const { slot, subscribed } of wanted) if (!holders.has(slot)) give(slot, lightest(subscribed))
  // Every move makes two loads more even, so it ends.
  for (let moved = true; moved;) {
    moved = false
    for (const { slot, subscribed } of wanted) {
      const taker = lightest(subscribed)
      if (load(holders.get(slot)!) - load(taker) < 2) continue
      give(slot, taker)
      moved = true
    }
  }
  return target
}
