import type { WireUse } from './cluster.ts'

/** A broker gets a second long poll for partitions that the running one does not cover, say those just resumed. */
const slots = ['fetch', 'fetch-more'] as const satisfies readonly WireUse[]
export type Slot = (typeof slots)[number]

/** Two long polls that come back this close to each other are put together into one. */
const nearMs = 25

/** The long polls at one broker, and how it fares. */
export class BrokerPolls {
  /** When each poll is due to come back if nothing happens. */
  readonly #dueMs = new Map<Slot, number>()
  retryAtMs = 0
  /** Failures in a row. */
  tries = 0

  get busy(): boolean {
    return this.#dueMs.size > 0
  }

  get free(): Slot | undefined {
    return slots.find(slot => !this.#dueMs.has(slot))
  }

  begin(slot: Slot, dueMs: number): void {
    this.#dueMs.set(slot, dueMs)
  }

  end(slot: Slot): void {
    this.#dueMs.delete(slot)
  }

  /** The other poll comes back so soon that what is in no hurry may go out together with what it covers. */
  isNearlyBack(nowMs: number): boolean {
    for (const dueMs of this.#dueMs.values()) if (dueMs - nowMs < nearMs) return true
    return false
  }

  /** How long a poll beside the running one may take to come back at the same time. */
  alignedMs(nowMs: number, maxWaitMs: number): number {
    for (const dueMs of this.#dueMs.values()) if (dueMs > nowMs) return Math.min(maxWaitMs, Math.ceil(dueMs - nowMs))
    return maxWaitMs
  }
}
