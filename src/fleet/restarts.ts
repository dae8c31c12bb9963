import { backoffMs } from '../core/retry/backoff.ts'

/** A poller that ran this long without failing was well: its next failure counts as the first. */
const wellAfterMs = 60_000

/** How long to wait before a poller that failed is started again. */
export class Restarts {
  #failures = 0
  #startedAt = 0

  started(now: number): void {
    this.#startedAt = now
  }

  /** Milliseconds to wait. */
  failed(now: number, chance: number): number {
    if (now - this.#startedAt > wellAfterMs) this.#failures = 0
    return backoffMs(this.#failures++, chance)
  }
}
