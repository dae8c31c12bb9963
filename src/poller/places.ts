/**
 * Places for calls under way (ParallelizationFactor). A batch that waits for its retry holds none, or a few failing
 * partitions would stop all others; when its time has come, it goes before new batches.
 */
export class Places {
  readonly #most: number
  readonly #onFree: () => void
  readonly #queue: (() => void)[] = []
  #taken = 0

  /** `onFree`: there is a place, and nobody queues for it. */
  constructor(most: number, onFree: () => void) {
    this.#most = most
    this.#onFree = onFree
  }

  get free(): boolean {
    return this.#taken < this.#most
  }

  /** Nobody has one. */
  get idle(): boolean {
    return this.#taken === 0
  }

  /** Resolves when a place is ours; it must be released. */
  take(): Promise<void> {
    if (this.free) {
      this.#taken++
      return Promise.resolve()
    }
    return new Promise(resolve => {
      this.#queue.push(resolve)
    })
  }

  release(): void {
    const next = this.#queue.shift()
    if (next !== undefined) next()
    else {
      this.#taken--
      this.#onFree()
    }
  }
}
