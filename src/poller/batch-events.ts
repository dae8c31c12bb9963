import type { InvokeReply } from '../core/retry/reply.ts'
import type { Step } from '../core/retry/plan.ts'
import type { Log } from '../ports/log.ts'
import {
  type BatchMessage,
  batchRetried,
  batchSettled,
  batchSplit,
  callEnded,
  type CallEndedMessage,
  type CallMessage,
  callStarted,
  type RetryMessage,
  type SplitMessage
} from './channels.ts'
import type { Counters } from './counters.ts'
import type { Delivery } from './delivery.ts'
import { rangesOf } from './record-ranges.ts'
import type { ProcessingResult } from './processing-result.ts'

/** Tells what becomes of batches: to the log, to who listens, to the counts, and to LastProcessingResult. */
export class BatchEvents {
  readonly #mapping: string
  readonly #log: Log
  readonly #counters: Counters
  readonly #result: ProcessingResult

  constructor(mapping: string, log: Log, counters: Counters, result: ProcessingResult) {
    this.#mapping = mapping
    this.#log = log
    this.#counters = counters
    this.#result = result
  }

  calling(delivery: Delivery, records: number): void {
    if (callStarted.hasSubscribers) callStarted.publish(this.#callOf(delivery, records))
  }

  /** A call with `records` records has ended, and `step` follows. */
  called(delivery: Delivery, { records, step }: { reply: InvokeReply; records: number; step: Step }): void {
    if (step.kind === 'leave') return
    if (callEnded.hasSubscribers)
      callEnded.publish({ ...this.#callOf(delivery, records), ...consequenceOf(step) } satisfies CallEndedMessage)
    this.#counters.add('InvokedEventCount', records)
    if (step.kind === 'settle') return
    const named = step.kind === 'split' ? undefined : step.failed?.length
    this.#counters.add('FailedInvokeEventCount', named ?? records)
    if (named === undefined) this.#counters.add('InvokeErrorCount', 1)
    if (step.kind === 'again') this.#retrying(delivery, step, named ?? records)
    else if (step.kind === 'split') this.#split(delivery, step, records)
  }

  /** The destination did not take what was given up. */
  held(delivery: Delivery, error: string): void {
    this.#result.failing(delivery, 'destination', error)
  }

  /** Every record of the batch is settled, or not ours any more. */
  ended(delivery: Delivery, records: number): void {
    this.#result.ended(delivery)
    if (batchSettled.hasSubscribers) batchSettled.publish(this.#messageOf(delivery, records))
  }

  #retrying(delivery: Delivery, { error, waitMs, attempt }: Extract<Step, { kind: 'again' }>, records: number): void {
    const { requestId, shares } = delivery
    const partitions = shares.map(({ lane }) => lane.partition)
    this.#log.warn(
      { requestId, records, partitions, error, waitMs: Math.round(waitMs), failures: attempt.failures },
      'function call failed: the batch is tried again'
    )
    if (batchRetried.hasSubscribers)
      batchRetried.publish({ ...this.#messageOf(delivery, records), error, waitMs } satisfies RetryMessage)
    this.#result.failing(delivery, 'function', error)
  }

  #split(delivery: Delivery, { cause, error }: Extract<Step, { kind: 'split' }>, records: number): void {
    const { requestId } = delivery
    const partitions = rangesOf(delivery.shares)
    this.#log.warn({ requestId, records, partitions, cause, error }, 'function call failed: the batch is split in two')
    if (batchSplit.hasSubscribers)
      batchSplit.publish({ ...this.#messageOf(delivery, records), partitions, cause, error } satisfies SplitMessage)
    this.#result.failing(delivery, 'function', error)
  }

  #callOf({ requestId, shares }: Delivery, records: number): CallMessage {
    return { mapping: this.#mapping, requestId, records, partitions: rangesOf(shares) }
  }

  #messageOf({ requestId, batch }: Delivery, records: number): BatchMessage {
    return { mapping: this.#mapping, requestId, records, reason: batch.reason }
  }
}

/** A step as those hear of it who look on. */
function consequenceOf(step: Exclude<Step, { kind: 'leave' }>): Omit<CallEndedMessage, keyof CallMessage> {
  if (step.kind === 'settle') return { step: step.kind }
  const { kind, error } = step
  if (kind === 'split') return { step: kind, error }
  return {
    step: kind,
    error,
    failures: step.attempt.failures,
    ...(step.failed === undefined ? {} : { failed: step.failed.length }),
    ...(kind === 'again' ? { waitMs: step.waitMs } : {})
  }
}
