import type { Clock } from '../../ports/clock.ts'

/** Waits that can be cut short. A wake with nobody waiting counts for the next wait. */
export class Waiter {
  readonly #clock: Clock
  #wake: (() => void) | undefined
  #woken = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves after `delayMs`, or when woken. */
  wait(delayMs: number): Promise<void> {
    if (this.#woken) {
      this.#woken = false
      return Promise.resolve()
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#clock.after(delayMs, () => this.#wake?.())
    this.#wake = () => {
      cancel()
      this.#wake = undefined
      resolve()
    }
    return promise
  }

  wake(): void {
    if (this.#wake === undefined) this.#woken = true
    else this.#wake()
  }
}
