import type { Clock } from '../../src/ports/clock.ts'

/** Time that moves only when told, and chance that is a constant. */
export class FakeClock implements Clock {
  #now = 0
  #timers: { at: number; order: number; run: () => void }[] = []
  #order = 0
  readonly #startMs: number
  nextChance = 0.5

  constructor(startMs = 1_700_000_000_000) {
    this.#startMs = startMs
  }

  now(): number {
    return this.#startMs + this.#now
  }

  monotonicMs(): number {
    return this.#now
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer)
    }
  }

  chance(): number {
    return this.nextChance
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#timers.length
  }

  /** Runs what falls due within `ms`, in order; promises settle between timers. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await settled()
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at || a.order - b.order)
      if (next === undefined) break
      this.#timers = this.#timers.filter(timer => timer !== next)
      this.#now = Math.max(this.#now, next.at)
      next.run()
      await settled()
    }
    this.#now = until
    await settled()
  }
}

/** All promise reactions that can run without time or I/O have run. */
export function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
