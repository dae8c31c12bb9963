const tickMs = 500
/** Shorter than any session that a broker allows, longer than a thread that works is ever late. */
const stillMs = 2_500

/**
 * Notices that the thread stood still: SIGSTOP, a frozen container, a machine that slept. It ticks from the first question on,
 * and looks at the time at every question too: what runs first after such a pause may be anything.
 */
export class Stillness {
  readonly #monotonicMs: () => number
  #timer: NodeJS.Timeout | undefined
  #seenMs = 0
  #cameBackMs = -Infinity

  constructor(monotonicMs: () => number = () => performance.now()) {
    this.#monotonicMs = monotonicMs
  }

  /** When it last came back; -Infinity: it has not stood still since it was first asked. */
  cameBackMs(): number {
    if (this.#timer === undefined) {
      this.#seenMs = this.#monotonicMs()
      this.#timer = setInterval(() => this.#look(), tickMs).unref()
    }
    this.#look()
    return this.#cameBackMs
  }

  #look(): void {
    const now = this.#monotonicMs()
    if (now - this.#seenMs > stillMs) this.#cameBackMs = now
    this.#seenMs = now
  }
}
