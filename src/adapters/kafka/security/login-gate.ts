import type { Clock } from '../../../ports/clock.ts'
import { AuthenticationRefused } from '../problems.ts'
import { retryDelayMs } from '../retry-delay.ts'

const firstPauseMs = 1000

interface Refused {
  readonly fingerprint: string
  readonly error: AuthenticationRefused
  readonly tries: number
  untilMs: number
}

/**
 * Lets one connection at a time authenticate, and after a refusal none until a pause is over that doubles each time:
 * a wrong password tried by every connection to every broker would lock the account. Other credentials need not wait.
 */
export class LoginGate {
  readonly #clock: Clock
  #refused: Refused | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @param fingerprint Tells these credentials from others.
   * @param longestPauseMs The pause grows up to this.
   * Rejects with the last refusal, and without a try, while its pause lasts.
   */
  enter<Result>(fingerprint: string, longestPauseMs: number, authenticate: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(() => this.#enter(fingerprint, longestPauseMs, authenticate))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async #enter<Result>(
    fingerprint: string,
    longestPauseMs: number,
    authenticate: () => Promise<Result>
  ): Promise<Result> {
    const before = this.#refused?.fingerprint === fingerprint ? this.#refused : undefined
    if (before !== undefined && this.#clock.monotonicMs() < before.untilMs) throw before.error
    try {
      const result = await authenticate()
      this.#refused = undefined
      return result
    } catch (error) {
      if (error instanceof AuthenticationRefused) {
        const tries = before === undefined ? 0 : before.tries + 1
        const pauseMs = retryDelayMs(tries, this.#clock.chance(), firstPauseMs, longestPauseMs)
        this.#refused = { fingerprint, error, tries, untilMs: this.#clock.monotonicMs() + pauseMs }
      }
      throw error
    }
  }
}
