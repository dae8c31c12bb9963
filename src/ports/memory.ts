/** Counts bytes of memory that come into use, and go. */
export interface Meter {
  hold(bytes: number): void
  free(bytes: number): void
}

/** What the source of a poller uses of the memory that all pollers share: what it has fetched, and what is on its way. */
export interface FetchMemory extends Meter {
  /** What a poller may hold when nobody else needs anything. */
  readonly shareBytes: number
  /**
   * Makes room for the answer of a poll: at most `mostBytes`, and less where there is less; it counts as held until it is
   * released. `idle`: most likely nothing comes.
   */
  reserve(mostBytes: number, idle: boolean): number
  release(reservedBytes: number): void
}

/** What the pollers of a thread hold, all together. */
export interface MemoryUse {
  readonly fetchedBytes: number
  readonly eventBytes: number
  /** On their way. */
  readonly polls: number
  readonly pollers: number
}

/** How threads tell each other what they hold. */
export interface ProcessMemory {
  /** Of the threads beside this one; absent where there are none. */
  others(): MemoryUse | undefined
  publish(use: MemoryUse): void
}
