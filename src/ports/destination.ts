import type { FailureMessage } from '../core/destination/message.ts'

export type { FailureMessage } from '../core/destination/message.ts'

/** Takes what a mapping gives up (AWS: Kafka on-failure destinations). One per poller. */
export interface Destination {
  /**
   * Resolves when all of `messages` are durably there. Rejects when that is not certain, with an error that names the
   * destination in plain words: the caller then delivers all of them again, so each is there at least once. Never drops anything by itself.
   * Several calls may be under way; an adapter may send them together. `signal` ends the wait: rejects.
   */
  deliver(messages: readonly FailureMessage[], signal: AbortSignal): Promise<void>
  /** Ends connections; deliveries under way reject. */
  close(): Promise<void>
}
