/** Offsets `from` (included) to `to` (excluded) of a partition. */
export interface OffsetRange {
  readonly from: number
  readonly to: number
}

export interface RecordTime {
  readonly offset: number
  readonly timestampMs: number
}

/** Times of the records that lie in these ranges, ascending by offset; a partition without records may be left out. */
export type ReadTimes = (
  ranges: ReadonlyMap<number, OffsetRange>
) => Promise<ReadonlyMap<number, readonly RecordTime[]>>

interface Tail {
  readonly start: number
  /** Everything from here on is known. */
  from: number
  /** How many offsets to look back over the next time. */
  step: number
  /** Ascending. */
  times: readonly RecordTime[]
}

interface Candidate {
  readonly partition: number
  readonly offset: number
  /** No record from here on to the end of the partition is older. */
  readonly rankMs: number
}

/**
 * Where to begin in each partition so that the newest `count` records of all of them are read, and no more.
 *
 * In a partition the newest are the last, whatever their timestamps say; between partitions timestamps decide, where a record
 * counts as old as the oldest behind it. So with timestamps that producers made up the choice is as good as they are.
 * Reads about twice what it chooses, also where compaction and transactions have left holes.
 */
export async function newestStarts(
  count: number,
  bounds: ReadonlyMap<number, OffsetRange>,
  read: ReadTimes
): Promise<Map<number, number>> {
  const step = Math.max(1, Math.ceil(count / bounds.size))
  const tails = new Map<number, Tail>(
    [...bounds].map(([partition, { from, to }]) => [partition, { start: from, from: to, step, times: [] }])
  )
  let chosen = new Map<number, number>()
  for (let short = count > 0 ? [...tails.keys()] : []; short.length > 0; short = tooShort(tails, chosen)) {
    await lookBack(tails, short, read)
    chosen = choose(count, tails)
  }
  return new Map([...bounds].map(([partition, { to }]) => [partition, firstChosen(tails, chosen, partition) ?? to]))
}

async function lookBack(
  tails: ReadonlyMap<number, Tail>,
  partitions: readonly number[],
  read: ReadTimes
): Promise<void> {
  const ranges = new Map<number, OffsetRange>()
  for (const partition of partitions) {
    const tail = tails.get(partition)!
    const range = { from: Math.max(tail.start, tail.from - tail.step), to: tail.from }
    tail.from = range.from
    tail.step *= 2
    if (range.from < range.to) ranges.set(partition, range)
  }
  if (ranges.size === 0) return
  for (const [partition, times] of await read(ranges)) {
    const tail = tails.get(partition)!
    tail.times = [...times, ...tail.times]
  }
}

/** How many records of the end of each partition are among the newest. */
function choose(count: number, tails: ReadonlyMap<number, Tail>): Map<number, number> {
  const candidates = [...tails].flatMap(([partition, { times }]) => ranked(partition, times))
  candidates.sort((a, b) => b.rankMs - a.rankMs || b.offset - a.offset || a.partition - b.partition)
  const chosen = new Map<number, number>()
  for (const { partition } of candidates.slice(0, count)) chosen.set(partition, (chosen.get(partition) ?? 0) + 1)
  return chosen
}

function ranked(partition: number, times: readonly RecordTime[]): Candidate[] {
  let rankMs = Infinity
  return times.toReversed().map(({ offset, timestampMs }) => {
    rankMs = Math.min(rankMs, timestampMs)
    return { partition, offset, rankMs }
  })
}

/** Partitions of which all that is known was chosen: what lies before may be among the newest too. */
function tooShort(tails: ReadonlyMap<number, Tail>, chosen: ReadonlyMap<number, number>): number[] {
  return [...tails]
    .filter(([partition, { from, start, times }]) => from > start && (chosen.get(partition) ?? 0) === times.length)
    .map(([partition]) => partition)
}

function firstChosen(
  tails: ReadonlyMap<number, Tail>,
  chosen: ReadonlyMap<number, number>,
  partition: number
): number | undefined {
  const { times } = tails.get(partition)!
  return times[times.length - (chosen.get(partition) ?? 0)]?.offset
}
