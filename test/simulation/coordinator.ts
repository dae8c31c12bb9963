import { errorCode } from '../../src/adapters/kafka/problems.ts'
import type { VirtualTime } from './virtual-time.ts'

export const brokers = 3

/**
 * Which broker coordinates the group. While that moves, the old one answers that it does not, or nothing at all; who asks
 * for the new one is first told that there is none, then where it is, and there that it still reads the group's log.
 */
export class Coordinator {
  readonly #time: VirtualTime
  #node = 0
  /** The node that is no more and says nothing. */
  #silentNode = -1
  #foundMs = 0
  /** Since when it has read the group's log. */
  #loadedMs = -1

  constructor(time: VirtualTime) {
    this.#time = time
  }

  /** Answers when the new one will have read the group's log. */
  move(forMs: number, isSilent: boolean): number {
    const { nowMs } = this.#time
    this.#silentNode = isSilent ? this.#node : -1
    this.#node = (this.#node + 1) % brokers
    this.#foundMs = nowMs + forMs / 2
    this.#loadedMs = nowMs + forMs
    return this.#loadedMs
  }

  /** What who looks for it is told: a node, or an error code. */
  find(): { readonly code: number; readonly node: number } {
    if (this.#foundMs > this.#time.nowMs) return { code: errorCode.coordinatorNotAvailable, node: -1 }
    return { code: errorCode.none, node: this.#node }
  }

  /** It has not moved since then. */
  isSettledSince(sinceMs: number): boolean {
    return this.#loadedMs < sinceMs
  }

  /** Nothing comes from it any more, not even what it had answered. */
  isSilent(node: number): boolean {
    return node === this.#silentNode
  }

  /** What `node` says to a request of the group: an error code; undefined: nothing. */
  admits(node: number): number | undefined {
    if (node !== this.#node) return this.isSilent(node) ? undefined : errorCode.notCoordinator
    return this.#loadedMs > this.#time.nowMs ? errorCode.coordinatorLoadInProgress : errorCode.none
  }
}
