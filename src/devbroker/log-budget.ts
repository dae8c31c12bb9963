/** A batch in memory, as the budget sees it. */
export interface Held {
  readonly bytes: number
  /** Set once nobody holds it any more. */
  dropped: boolean
}

/** Whoever holds batches and can let the oldest go. */
export interface Holder {
  dropOldest(): void
}

/**
 * The bytes that all logs of a broker may hold together. When there are too many, the oldest batch of the whole broker
 * goes first, whichever log holds it; the newest batch always stays.
 */
export class LogBudget {
  readonly #maxBytes: number
  #bytes = 0
  /** Every batch of every log in the order of arrival, and dropped ones until they are swept out. */
  #queue: { holder: Holder; batch: Held }[] = []
  #head = 0
  #dropped = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  added(holder: Holder, batch: Held): void {
    this.#bytes += batch.bytes
    this.#queue.push({ holder, batch })
    while (this.#bytes > this.#maxBytes && this.#head < this.#queue.length - 1) {
      const oldest = this.#queue[this.#head]!
      this.#head += 1
      if (!oldest.batch.dropped) oldest.holder.dropOldest()
    }
  }

  removed(batch: Held): void {
    this.#bytes -= batch.bytes
    batch.dropped = true
    this.#dropped += 1
    // Swept when they are the larger part, so that a dropped batch does not stay in memory and a sweep stays rare.
    if (this.#dropped < 1024 || this.#dropped * 2 < this.#queue.length) return
    this.#queue = this.#queue.slice(this.#head).filter(entry => !entry.batch.dropped)
    this.#head = 0
    this.#dropped = 0
  }
}
