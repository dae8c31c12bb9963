/** Offsets `first` (included) to `next` (excluded). */
interface Range {
  first: number
  next: number
}

/**
 * What one partition still owes. Ranges instead of single offsets: holes left by compaction or transactions lie inside
 * a range, so they are never waited for, and a batch costs one entry however many records it has.
 */
export class OffsetLedger {
  /** Fetched and unfinished, ascending, disjoint. */
  readonly #open: Range[] = []
  #next: number

  /** `start`: the offset where this owner begins; everything below it is somebody else's. */
  constructor(start: number) {
    this.#next = start
  }

  /** One past the highest offset seen: where the next fetched range must begin or lie above. */
  get next(): number {
    return this.#next
  }

  /** Records of [first, next) have been fetched. Fetches arrive ascending. */
  fetched(first: number, next: number): void {
    if (first < this.#next) throw new RangeError(`offset ${first} was fetched already: expected ${this.#next} or above`)
    if (next <= first) throw new RangeError(`empty range ${first} to ${next}`)
    const last = this.#open.at(-1)
    // What lies between the last range and this one was never handed out (a hole): nobody waits for it.
    if (last !== undefined && last.next === first) last.next = next
    else this.#open.push({ first, next })
    this.#next = next
  }

  /** [.., next) holds nothing to deliver: control records, or everything was filtered out. */
  skipped(next: number): void {
    if (next > this.#next) this.#next = next
  }

  /** Done with [first, next): succeeded, discarded, or sent to the destination. Again or unknown: no effect. */
  settled(first: number, next: number): void {
    for (let at = this.#find(first); at < this.#open.length;) {
      const range = this.#open[at]!
      if (range.first >= next) return
      if (first <= range.first) {
        if (next >= range.next) this.#open.splice(at, 1)
        else {
          range.first = next
          return
        }
      } else {
        const tail = range.next
        range.next = first
        at++
        if (next < tail) {
          this.#open.splice(at, 0, { first: next, next: tail })
          return
        }
      }
    }
  }

  /** The log ends at `offset` now: what was fetched above is owed no more, and may come again as other records. */
  cut(offset: number): void {
    for (let last = this.#open.at(-1); last !== undefined && last.next > offset; last = this.#open.at(-1)) {
      if (last.first < offset) last.next = offset
      else this.#open.pop()
    }
    this.#next = Math.min(this.#next, offset)
  }

  /** The offset to commit: everything below it is settled. */
  get committable(): number {
    return this.#open[0]?.first ?? this.#next
  }

  /** Nothing fetched is unfinished. */
  get idle(): boolean {
    return this.#open.length === 0
  }

  /** Index of the first open range that ends above `offset`. */
  #find(offset: number): number {
    let low = 0
    let high = this.#open.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#open[middle]!.next <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
