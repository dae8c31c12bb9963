import { failureMessages, type Failure } from '../core/destination/document.ts'
import { type DestinationTarget, targetText } from '../core/destination/target.ts'
import { EventEncoder, type EventSourceFields } from '../core/event/encoder.ts'
import { sharesRecords } from '../core/batch/shares.ts'
import type { GiveUp } from '../core/offsets/progress.ts'
import { backoffMs } from '../core/retry/backoff.ts'
import type { Clock } from '../ports/clock.ts'
import type { Destination } from '../ports/destination.ts'
import type { Log } from '../ports/log.ts'
import { destinationHeld, recordsGivenUp, type GivenUpMessage, type HeldMessage } from './channels.ts'
import type { Counters } from './counters.ts'
import type { GivenUp } from './delivery.ts'
import { rangesOf } from './record-ranges.ts'

export interface FailureRouteParts {
  readonly mapping: string
  readonly functionArn: string
  readonly source: EventSourceFields
  /** Absent: what is given up is dropped. */
  readonly destination?: { readonly target: DestinationTarget; readonly adapter: Destination }
  readonly clock: Clock
  readonly log: Log
  readonly counters: Counters
}

/** A destination that does not take failures is asked again at least this often. */
const retryCapMs = 30_000

/** A destination that has not answered by then is taken not to have taken it. */
const attemptTimeoutMs = 30_000

/**
 * Where given-up records go: to the destination, or nowhere. Never neither silently: each is an event with offsets and a
 * count. A destination that fails holds the records (reference 8.6): they are neither dropped nor committed past.
 */
export class FailureRoute {
  readonly #parts: FailureRouteParts
  /** Without a limit: a record that is too large for the function has to be told of too. */
  readonly #encoder: EventEncoder
  /** When each was decided on: every delivery of a failure tells the same. */
  readonly #decidedAt = new WeakMap<GiveUp, number>()

  constructor(parts: FailureRouteParts) {
    this.#parts = parts
    this.#encoder = new EventEncoder(parts.source, Number.MAX_SAFE_INTEGER)
  }

  /** Resolves with undefined when the records are done with; else with how long to wait and why. */
  async take(
    given: GivenUp,
    tries: number,
    signal: AbortSignal
  ): Promise<{ waitMs: number; error: string } | undefined> {
    const { destination, counters, clock } = this.#parts
    const records = sharesRecords(given.shares)
    if (destination === undefined) {
      counters.add('DroppedEventCount', records)
      this.#tell(given, undefined)
      return undefined
    }
    const name = targetText(destination.target)
    try {
      const messages = failureMessages(destination.target, this.#failure(given))
      await this.#within(signal, limited => destination.adapter.deliver(messages, limited))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      const waitMs = backoffMs(tries, clock.chance(), { baseMs: 500, capMs: retryCapMs })
      counters.add('OnFailureDestinationDeliveryErrorCount', 1)
      this.#hold(given, name, message, waitMs)
      return { waitMs, error: `${name}: ${message}` }
    }
    counters.add('OnFailureDestinationDeliveredEventCount', records)
    this.#tell(given, name)
    return undefined
  }

  async close(): Promise<void> {
    await this.#parts.destination?.adapter.close()
  }

  /** Gives up waiting when `signal` fires or the time is over. */
  async #within(signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const limit = new AbortController()
    const cancel = this.#parts.clock.after(attemptTimeoutMs, () => {
      limit.abort(new Error(`no answer within ${attemptTimeoutMs} ms`))
    })
    try {
      await work(AbortSignal.any([signal, limit.signal]))
    } finally {
      cancel()
    }
  }

  #failure({ shares, reason, attempt }: GivenUp): Failure {
    const { mapping, functionArn, source, clock } = this.#parts
    const nowMs = this.#decidedAt.get(reason) ?? clock.now()
    this.#decidedAt.set(reason, nowMs)
    return {
      condition: reason.condition,
      requestId: reason.requestId,
      functionArn,
      mapping,
      // A record that was never sent counts as one call (reference 7.1).
      invokeCount: Math.max(1, attempt.failures),
      // The call went through, whatever the function made of it.
      response: reason.response === undefined ? undefined : { statusCode: 200, ...reason.response },
      nowMs,
      // Already one of its own, and the same for the next owner who delivers this again.
      uuid: reason.requestId,
      source,
      encoder: this.#encoder,
      slices: shares.flatMap(({ slices }) => slices)
    }
  }

  #tell(given: GivenUp, destination: string | undefined): void {
    const message: GivenUpMessage = {
      ...this.#messageOf(given),
      ...(destination === undefined ? {} : { destination })
    }
    const what = destination === undefined ? 'records dropped' : 'records delivered to the on-failure destination'
    this.#parts.log.warn({ ...message }, what)
    if (recordsGivenUp.hasSubscribers) recordsGivenUp.publish(message)
  }

  #hold(given: GivenUp, destination: string, error: string, waitMs: number): void {
    const message: HeldMessage = { ...this.#messageOf(given), destination, error, waitMs }
    this.#parts.log.warn({ ...message }, 'the on-failure destination did not take the records: their partitions wait')
    if (destinationHeld.hasSubscribers) destinationHeld.publish(message)
  }

  #messageOf({ shares, reason, attempt }: GivenUp): GivenUpMessage {
    return {
      mapping: this.#parts.mapping,
      requestId: reason.requestId,
      condition: reason.condition,
      records: sharesRecords(shares),
      calls: attempt.failures,
      partitions: rangesOf(shares)
    }
  }
}
