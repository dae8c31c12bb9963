import { MillraceError } from '../core/errors.ts'
import { backoffMs } from '../core/retry/backoff.ts'
import type { InvokeReply } from '../core/retry/reply.ts'
import type { Clock } from '../ports/clock.ts'
import type { FunctionEntry } from '../ports/functions.ts'
import type { Log } from '../ports/log.ts'
import type { Invoke, InvokeCall } from './handlers/invoke.ts'

export interface BackgroundCallsOptions {
  readonly invoke: Invoke
  readonly clock: Clock
  readonly log: Log
}

/** Waiting for their turn or for their next try. */
const mostWaiting = 1_000
const mostWaitingBytes = 64 * 1_048_576
const mostRunning = 16
/** After the first and the second failure, as AWS does; a third is the last. */
const waitsMs = [60_000, 120_000]
/** Throttles and functions that cannot be reached spend no try, but end here, as at AWS. */
const longestMs = 6 * 3_600_000

interface BackgroundCall {
  readonly entry: FunctionEntry
  readonly call: InvokeCall
  readonly acceptedMs: number
  failures: number
  busy: number
}

/**
 * Runs what Invoke takes with the type Event: in memory, so a stop forgets what waits and says so in the log. A function
 * error is tried twice more (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
 */
export class BackgroundCalls {
  readonly #options: BackgroundCallsOptions
  readonly #ready: BackgroundCall[] = []
  /** Taking back their timers, by call. */
  readonly #resting = new Map<BackgroundCall, () => void>()
  #running = 0
  #waitingBytes = 0
  #stopped = false

  constructor(options: BackgroundCallsOptions) {
    this.#options = options
  }

  /** Throws `MILL_INVOKE_THROTTLED` when too much waits already. */
  accept(entry: FunctionEntry, call: InvokeCall): void {
    const bytes = this.#waitingBytes + call.payload.byteLength
    if (this.#stopped || this.#ready.length + this.#resting.size >= mostWaiting || bytes > mostWaitingBytes)
      throw new MillraceError('MILL_INVOKE_THROTTLED', ['Too many asynchronous invocations are waiting.'])
    this.#waitingBytes = bytes
    this.#ready.push({ entry, call, acceptedMs: this.#options.clock.monotonicMs(), failures: 0, busy: 0 })
    this.#pump()
  }

  start(): void {
    this.#stopped = false
  }

  /** What runs goes on by itself; what waits is forgotten. */
  stop(): void {
    this.#stopped = true
    const forgotten = this.#ready.length + this.#resting.size
    for (const cancel of this.#resting.values()) cancel()
    this.#resting.clear()
    this.#ready.length = 0
    this.#waitingBytes = 0
    if (forgotten > 0) this.#options.log.warn({ forgotten }, 'asynchronous invocations were waiting and are forgotten')
  }

  #pump(): void {
    while (this.#running < mostRunning) {
      const next = this.#ready.shift()
      if (next === undefined) return
      this.#running += 1
      void this.#run(next)
    }
  }

  async #run(one: BackgroundCall): Promise<void> {
    let reply: InvokeReply
    try {
      reply = await this.#options.invoke(one.entry, one.call)
    } catch (error) {
      reply = { kind: 'unavailable', message: error instanceof Error ? error.message : String(error) }
    }
    this.#running -= 1
    this.#settle(one, reply)
    this.#pump()
  }

  #settle(one: BackgroundCall, reply: InvokeReply): void {
    const { clock, log } = this.#options
    if (reply.kind === 'returned') return this.#leave(one)
    const isFailure = reply.kind === 'function-error' || reply.kind === 'timed-out' || reply.kind === 'too-large'
    const waitMs = isFailure ? waitsMs[one.failures++] : backoffMs(one.busy++, clock.chance())
    const fields = { function: one.entry.name, requestId: one.call.requestId, error: textOf(reply) }
    const isLate = clock.monotonicMs() - one.acceptedMs + (waitMs ?? 0) > longestMs
    if (waitMs === undefined || isLate || this.#stopped) {
      log.error({ ...fields, failures: one.failures }, 'an asynchronous invocation is given up')
      return this.#leave(one)
    }
    log.warn({ ...fields, waitMs: Math.round(waitMs) }, 'an asynchronous invocation failed and is tried again')
    const cancel = clock.after(waitMs, () => {
      this.#resting.delete(one)
      this.#ready.push(one)
      this.#pump()
    })
    this.#resting.set(one, cancel)
  }

  #leave(one: BackgroundCall): void {
    if (!this.#stopped) this.#waitingBytes -= one.call.payload.byteLength
  }
}

function textOf(reply: Exclude<InvokeReply, { kind: 'returned' }>): string {
  switch (reply.kind) {
    case 'function-error':
      return `${reply.errorType}: ${reply.errorMessage}`
    case 'timed-out':
      return `no answer within ${reply.afterMs} ms`
    case 'aborted':
      return 'the call was ended'
    case 'throttled':
    case 'unavailable':
    case 'too-large':
      return reply.message
    default:
      throw new Error(`no text for ${reply satisfies never}`)
  }
}
