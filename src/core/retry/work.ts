import { cutShares, type LaneShare, pickRecords, sharesRecords } from '../batch/shares.ts'
import type { Lane } from '../batch/lane.ts'
import type { GiveUp, Piece } from '../offsets/progress.ts'
import { sliceOffsets } from '../record.ts'
import type { SentRecords } from './item-failures.ts'
import { type Attempt, firstAttempt, type Step } from './plan.ts'

/** Records that are called together from here on. */
export interface WorkItem {
  shares: LaneShare[]
  attempt: Attempt
  /** Its records are bound together by what has happened: none may leave for another batch, and none join. */
  bound: boolean
  /** Decided: nothing is called any more. */
  giveUp?: GiveUp
}

export const freshItem = (shares: LaneShare[]): WorkItem => ({ shares, attempt: firstAttempt, bound: false })

/** Parts of a resumed batch as they were when their last owner stopped. `piece`: absent when nothing had happened to them. */
export const resumedItem = (
  shares: LaneShare[],
  piece: Pick<Piece, 'failures' | 'giveUp'> = { failures: 0 }
): WorkItem => ({
  shares,
  attempt: { failures: piece.failures, misses: 0 },
  bound: true,
  ...(piece.giveUp === undefined ? {} : { giveUp: piece.giveUp })
})

/**
 * What is left to do of one batch: items, done one after another. A split puts the first half before the second, and what
 * is given up before what goes on, so that within a lane everything is first delivered, and settled, in its order.
 */
export class Work {
  /** The last is the one being done. */
  readonly #items: WorkItem[]

  /** `items`: in the order in which they are to be done. */
  constructor(items: readonly WorkItem[]) {
    this.#items = items.toReversed()
  }

  /** The item being done; undefined when all is done. Items that have lost all their records are passed over. */
  get current(): WorkItem | undefined {
    for (;;) {
      const item = this.#items.at(-1)
      if (item === undefined || item.shares.length > 0) return item
      this.#items.pop()
    }
  }

  get records(): number {
    return this.#items.reduce((sum, { shares }) => sum + sharesRecords(shares), 0)
  }

  lanes(): Set<Lane> {
    return new Set(this.#items.flatMap(({ shares }) => shares.map(({ lane }) => lane)))
  }

  /** Takes out the shares of lanes for which `isGone`. */
  without(isGone: (lane: Lane) => boolean): LaneShare[] {
    const taken: LaneShare[] = []
    for (const item of this.#items) {
      for (const share of item.shares) if (isGone(share.lane)) taken.push(share)
      item.shares = item.shares.filter(({ lane }) => !isGone(lane))
    }
    return taken
  }

  /** Takes out the lane's records at or above `offset`. */
  cut(lane: Lane, offset: number): LaneShare[] {
    const taken: LaneShare[] = []
    for (const item of this.#items) {
      const mine = item.shares.filter(share => share.lane === lane)
      const [above, below] = pickRecords(mine, ({ block }, record) => block.offsets[record]! >= offset)
      if (above.length === 0) continue
      taken.push(...above)
      item.shares = item.shares.flatMap(share => (share.lane === lane ? below : [share]))
    }
    return taken
  }

  /**
   * Makes of the present item's records that are older than `maxAgeMs` an item of their own, to be done first. Answers the
   * younger ones of an item that was not called yet (`isFresh`): they need not wait for a destination.
   */
  expire(nowMs: number, maxAgeMs: number, isFresh: boolean, giveUp: () => GiveUp): LaneShare[] {
    const item = this.current
    if (item === undefined || item.giveUp !== undefined || maxAgeMs < 0) return []
    if (msToExpiry(item, nowMs, maxAgeMs) > 0) return []
    const [old, young] = pickRecords(item.shares, ({ block }, record) =>
      isExpired(block.timestamps[record]!, nowMs, maxAgeMs)
    )
    const mayLeave = isFresh && !item.bound
    item.shares = mayLeave ? [] : young
    this.#items.push({ shares: old, attempt: item.attempt, bound: true, giveUp: giveUp() })
    return mayLeave ? young : []
  }

  /** The first `records` of the present item fit into one event: a fresh one is cut there and the rest answered, a bound one becomes two. */
  fit(records: number): LaneShare[] {
    const item = this.current
    if (item === undefined) return []
    const [head, tail] = cutShares(item.shares, records)
    item.shares = head
    if (!item.bound) return tail
    this.#items.splice(-1, 0, { ...item, shares: tail })
    return []
  }

  /** The present item's first record alone becomes the item to be done first. */
  isolateFirst(giveUp: GiveUp): void {
    const item = this.current
    if (item === undefined) return
    const [first, others] = cutShares(item.shares, 1)
    item.shares = others
    this.#items.push({ shares: first, attempt: item.attempt, bound: true, giveUp })
  }

  /** Does what `plan` decided of the present item, and answers which shares are settled by that. `giveUp` for a discard. */
  apply(step: Exclude<Step, { kind: 'leave' }>, giveUp: GiveUp): LaneShare[] {
    const item = this.current
    if (item === undefined) return []
    switch (step.kind) {
      case 'settle':
        this.#items.pop()
        return item.shares
      case 'split': {
        const [first, second] = cutShares(item.shares, Math.ceil(sharesRecords(item.shares) / 2))
        item.shares = first
        item.bound = true
        this.#items.splice(-1, 0, { ...item, shares: second })
        return []
      }
      case 'again': {
        const done = this.#narrow(item, step.failed)
        item.attempt = step.attempt
        item.bound ||= step.attempt.failures > 0
        return done
      }
      case 'discard': {
        const done = this.#narrow(item, step.failed)
        item.attempt = step.attempt
        item.bound = true
        item.giveUp = giveUp
        return done
      }
      default:
        throw new Error(`unknown step ${JSON.stringify(step satisfies never)}`)
    }
  }

  /** The present item has been given up, and that is done with. */
  dropCurrent(): LaneShare[] {
    void this.current
    return this.#items.pop()?.shares ?? []
  }

  /**
   * What the next owner of the lane must know: windows of offsets whose unfinished records belong together. Fresh records
   * need none, and what is too old shows by itself.
   */
  pieces(lane: Lane): Piece[] {
    const pieces: Piece[] = []
    for (const { shares, attempt, bound, giveUp } of this.#items.toReversed()) {
      if (!bound || giveUp?.condition === 'age') continue
      const slices = shares.find(share => share.lane === lane)?.slices ?? []
      const [first, last] = [slices[0], slices.at(-1)]
      if (first === undefined || last === undefined) continue
      pieces.push({
        first: sliceOffsets(first).first,
        next: sliceOffsets(last).next,
        failures: attempt.failures,
        ...(giveUp === undefined ? {} : { giveUp })
      })
    }
    return pieces
  }

  /** Keeps the failed records only; answers the others. */
  #narrow(item: WorkItem, failed: readonly number[] | undefined): LaneShare[] {
    if (failed === undefined) return []
    const isFailed = new Set(failed)
    const [left, done] = pickRecords(item.shares, (_slice, _record, index) => isFailed.has(index))
    item.shares = left
    return done
  }
}

/** How long until the oldest record of the item is too old; 0 or less: it is. Infinity: none ever will be. */
export function msToExpiry(item: WorkItem, nowMs: number, maxAgeMs: number): number {
  let oldest = Number.POSITIVE_INFINITY
  if (maxAgeMs < 0 || item.giveUp !== undefined) return oldest
  for (const { slices } of item.shares)
    for (const { block, from, to } of slices)
      for (let record = from; record < to; record++) {
        const timestamp = block.timestamps[record]!
        if (timestamp >= 0 && timestamp < oldest) oldest = timestamp
      }
  return oldest + maxAgeMs + 1 - nowMs
}

/** A record without a timestamp never is (reference 7.1). */
const isExpired = (timestamp: number, nowMs: number, maxAgeMs: number): boolean =>
  timestamp >= 0 && nowMs - timestamp > maxAgeMs

/** The records of an item as one event has them, to hold an answer against. */
export function sentRecords(shares: readonly LaneShare[]): SentRecords {
  return {
    count: sharesRecords(shares),
    indexOf(partitionKey, offset) {
      let before = 0
      for (const { lane, slices } of shares) {
        const isHere = `${lane.topic}-${lane.partition}` === partitionKey
        for (const { block, from, to } of slices) {
          const record = isHere ? recordAt(block.offsets, from, to, offset) : -1
          if (record >= 0) return before + record - from
          before += to - from
        }
      }
      return -1
    }
  }
}

/** Offsets ascend: the record at `offset`, or -1. */
function recordAt(offsets: Float64Array, from: number, to: number, offset: number): number {
  let low = from
  let high = to
  while (low < high) {
    const middle = (low + high) >>> 1
    if (offsets[middle]! < offset) low = middle + 1
    else high = middle
  }
  return low < to && offsets[low] === offset ? low : -1
}
