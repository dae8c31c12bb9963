import type { Clock } from '../../ports/clock.ts'
import type { GroupProtocol } from './group-protocol.ts'

/**
 * Whether what a member owns may be somebody else's by now: it has not heard its coordinator for a whole session, or not
 * since the process stood still.
 */
export class Doubt {
  readonly #member: GroupProtocol
  readonly #clock: Clock
  /** The last time that it came back with a doubt. */
  #doubtedMs = -Infinity

  constructor(member: GroupProtocol, clock: Clock) {
    this.#member = member
    this.#clock = clock
  }

  /** Has the coordinator asked, once for each time that the process stood still. */
  get holds(): boolean {
    const cameBackMs = this.#clock.cameBackMs?.() ?? -Infinity
    // Who owns nothing has nothing to doubt.
    const { confirmedMs, identity, unheard } = this.#member
    if (identity === undefined) return false
    const stoodStill = confirmedMs < cameBackMs
    if (stoodStill && this.#doubtedMs !== cameBackMs) {
      this.#doubtedMs = cameBackMs
      this.#member.suspect()
    }
    return stoodStill || unheard
  }
}
