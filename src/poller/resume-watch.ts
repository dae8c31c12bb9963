import type { Clock } from '../ports/clock.ts'
import type { OwnedPartition } from './owned-partitions.ts'

/** So long nothing may come of a partition whose earlier owner left something unfinished beyond what has been read. */
export const resumePatienceMs = 60_000

/**
 * What an earlier owner left goes out when all of it is there. A log that was cut between two owners may end before, and
 * nothing says so: then what is there has to go out without the rest.
 */
export class ResumeWatch {
  readonly #clock: Clock
  readonly #onPatienceEnds: (owned: OwnedPartition) => void
  readonly #cancels = new Map<OwnedPartition, () => void>()

  constructor(clock: Clock, onPatienceEnds: (owned: OwnedPartition) => void) {
    this.#clock = clock
    this.#onPatienceEnds = onPatienceEnds
  }

  watch(owned: OwnedPartition): void {
    const { next } = owned.ledger
    if (!owned.awaitsMore) return
    const cancel = this.#clock.after(resumePatienceMs, () => {
      this.#cancels.delete(owned)
      if (owned.awaitsMore && owned.ledger.next === next) this.#onPatienceEnds(owned)
      else this.watch(owned)
    })
    this.#cancels.set(owned, cancel)
  }

  forget(owned: OwnedPartition): void {
    this.#cancels.get(owned)?.()
    this.#cancels.delete(owned)
  }
}
