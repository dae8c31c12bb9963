import type { OffsetRange, Piece, Progress } from './progress.ts'

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
  /** What is tried together, ascending; what is finished of it shows in `#open`. */
  #pieces: readonly Piece[]
  /** Where what was ever delivered or given up out of order ends: holes above are nobody's doing. */
  #until: number
  /** Finished by an earlier owner: counts where nothing has been fetched yet. */
  #doneBefore: readonly OffsetRange[]

  /** `start`: the offset where this owner begins; everything below it is somebody else's. `before`: how far they got above it. */
  constructor(start: number, before?: Progress) {
    this.#next = start
    this.#pieces = before?.pieces ?? []
    this.#doneBefore = before?.done ?? []
    this.#until = Math.max(this.#pieces.at(-1)?.next ?? 0, this.doneBefore)
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
    for (const done of this.#doneBefore) if (done.next > first) this.settled(done.first, Math.min(done.next, next))
  }

  /** Nothing at or above was finished by an earlier owner. */
  get doneBefore(): number {
    return this.#doneBefore.at(-1)?.next ?? 0
  }

  /** An earlier owner finished it: it is not to be delivered again. */
  wasDone(offset: number): boolean {
    return this.#doneBefore.some(({ first, next }) => first <= offset && offset < next)
  }

  /** These are tried together from now on, and nothing else is; ascending, disjoint. `until`: where their batch ends. */
  bind(pieces: readonly Piece[], until: number): void {
    this.#pieces = pieces
    // An earlier batch may have finished some above this one.
    this.#until = Math.max(this.#until, until)
  }

  /** What the next owner has to know beside `committable`. */
  progress(): Progress {
    const offset = this.committable
    const pieces = this.#pieces.flatMap(piece =>
      this.#isOwed(piece) ? [piece.first < offset ? { ...piece, first: offset } : piece] : []
    )
    return { offset, pieces, done: this.#doneFrom(offset) }
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
    this.#until = Math.min(this.#until, offset)
    this.#pieces = this.#pieces.flatMap(piece => below(piece, offset))
    this.#doneBefore = this.#doneBefore.flatMap(range => below(range, offset))
  }

  /** The offset to commit: everything below it is settled. */
  get committable(): number {
    return this.#open[0]?.first ?? this.#next
  }

  /** Nothing fetched is unfinished. */
  get idle(): boolean {
    return this.#open.length === 0
  }

  /** Something of the piece is unfinished, or may be: it has not been fetched. */
  #isOwed({ first, next }: Piece): boolean {
    if (next > this.#next) return true
    const range = this.#open[this.#find(first)]
    return range !== undefined && range.first < next
  }

  #doneFrom(offset: number): OffsetRange[] {
    const done: OffsetRange[] = []
    let at = offset
    const fetched = Math.min(this.#until, this.#next)
    for (const { first, next } of this.#open) {
      if (at >= fetched) break
      if (first > at) done.push({ first: at, next: Math.min(first, fetched) })
      at = next
    }
    if (at < fetched) done.push({ first: at, next: fetched })
    for (const { first, next } of this.#doneBefore)
      if (next > this.#next) done.push({ first: Math.max(first, this.#next), next })
    return done
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

/** The part of a range below `offset`. */
function below<R extends OffsetRange>(range: R, offset: number): R[] {
  if (range.first >= offset) return []
  return [range.next <= offset ? range : { ...range, next: offset }]
}
