import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { GroupEvents } from './group-protocol.ts'

export interface RevocationsDeps {
  readonly clock: Clock
  readonly log: Log
  readonly events: GroupEvents
}

/** The partitions a member owns, and those of them that the listener is finishing with before they go. */
export class Revocations {
  readonly #timeoutMs: number
  readonly #deps: RevocationsDeps
  readonly #owned: Set<number>
  readonly #running = new Map<number, Promise<void>>()

  /**
   * @param owned A partition leaves this set when it has been given up.
   * @param timeoutMs The partitions of a listener that has not answered by then are taken from it.
   */
  constructor(owned: Set<number>, timeoutMs: number, deps: RevocationsDeps) {
    this.#owned = owned
    this.#timeoutMs = timeoutMs
    this.#deps = deps
  }

  /** The listener has not answered for it yet. */
  has(partition: number): boolean {
    return this.#running.has(partition)
  }

  /** Resolves when all of them have been given up. Those that are on their way out already are not told again. */
  revoke(partitions: readonly number[]): Promise<void> {
    const fresh = partitions.filter(partition => this.#owned.has(partition) && !this.#running.has(partition))
    if (fresh.length > 0) {
      const revoking = this.#awaitListener(fresh)
      for (const partition of fresh) this.#running.set(partition, revoking)
    }
    return this.pending(partitions)
  }

  /** Resolves when the listener has answered for those of them that it is still finishing with. */
  async pending(partitions: readonly number[]): Promise<void> {
    await Promise.all(partitions.flatMap(partition => this.#running.get(partition) ?? []))
  }

  async #awaitListener(partitions: readonly number[]): Promise<void> {
    const { clock, events, log } = this.#deps
    const { promise: late, resolve } = Promise.withResolvers<'late'>()
    const cancel = clock.after(this.#timeoutMs, () => resolve('late'))
    const drained = events.revoked(partitions).catch((error: unknown) => {
      log.error({ error: String(error), partitions }, 'revoking failed: the partitions are given up as they are')
    })
    const outcome = await Promise.race([drained, late])
    cancel()
    const still = partitions.filter(partition => this.#owned.delete(partition))
    for (const partition of partitions) this.#running.delete(partition)
    if (outcome !== 'late') return
    log.warn({ partitions }, `partitions were not drained within ${this.#timeoutMs} ms: they go as they are`)
    if (still.length > 0) events.lost(still)
  }
}
