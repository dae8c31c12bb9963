import { type RefusalCount, RefusalTally } from '../core/filter/refusals.ts'
import type { CountName, Counts } from '../core/metrics.ts'
import type { Clock } from '../ports/clock.ts'
import type { PollerReport } from '../ports/poller-host.ts'

/** Reports leave the thread at most this often. */
const reportIntervalMs = 1_000

/** What a poller has counted since it told last. */
export class Counters {
  readonly #clock: Clock
  readonly #report: (report: PollerReport) => void
  #counts: Partial<Record<CountName, number>> = {}
  #refusals = new RefusalTally()
  #cancelTimer: (() => void) | undefined

  constructor(clock: Clock, report: (report: PollerReport) => void) {
    this.#clock = clock
    this.#report = report
  }

  add(name: CountName, count: number): void {
    if (count === 0) return
    this.#counts[name] = (this.#counts[name] ?? 0) + count
    this.#tellSoon()
  }

  /** Why one of the refused records was. */
  refused(by: readonly Pick<RefusalCount, 'pattern' | 'condition'>[]): void {
    this.#refusals.sampled(by)
    this.#tellSoon()
  }

  #tellSoon(): void {
    this.#cancelTimer ??= this.#clock.after(reportIntervalMs, () => {
      this.flush()
    })
  }

  /** Tells what there is to tell. */
  flush(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const counts: Counts = this.#counts
    const refusals = this.#refusals
    if (Object.keys(counts).length === 0 && refusals.isEmpty) return
    this.#counts = {}
    if (refusals.isEmpty) return this.#report({ kind: 'counts', counts })
    this.#refusals = new RefusalTally()
    this.#report({ kind: 'counts', counts, refusals: refusals.total() })
  }
}
