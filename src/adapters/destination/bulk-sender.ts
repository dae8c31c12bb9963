import type { Clock } from '../../ports/clock.ts'
import type { Destination, FailureMessage } from '../../ports/destination.ts'

/** One request to the outside. */
export interface Bulk {
  /** As people know the destination. */
  readonly name: string
  readonly maxMessages: number
  /** Of all bodies together; one message alone is sent however large it is. */
  readonly maxBytes: number
  /** Requests under way at the same time. */
  readonly inFlight: number
  readonly timeLimitMs: number
  /** Answers for each message in order: undefined (it is there) or why not. Rejects: of none it is certain. */
  readonly send: (messages: readonly FailureMessage[], signal: AbortSignal) => Promise<readonly (Error | undefined)[]>
  readonly close: () => void
}

/** One call of `deliver`. */
interface Delivery {
  unsent: number
  readonly settle: (error?: Error) => void
  isSettled: boolean
}

interface Entry {
  readonly message: FailureMessage
  readonly delivery: Delivery
}

/**
 * Gathers the messages of concurrent deliveries into as few requests as the outside allows. A message that is refused fails
 * its own delivery and no other; a request that fails or takes too long fails those it carried.
 */
export class BulkSender implements Destination {
  readonly #bulk: Bulk
  readonly #clock: Clock
  readonly #waiting: Entry[] = []
  readonly #deliveries = new Set<Delivery>()
  readonly #closing = new AbortController()
  #inFlight = 0
  #isScheduled = false

  constructor(bulk: Bulk, clock: Clock) {
    this.#bulk = bulk
    this.#clock = clock
  }

  deliver(messages: readonly FailureMessage[], signal: AbortSignal): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closedError())
    if (signal.aborted) return Promise.reject(this.#abortError())
    if (messages.length === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const onAbort = () => delivery.settle(this.#abortError())
      const delivery: Delivery = {
        unsent: messages.length,
        isSettled: false,
        settle: error => {
          if (delivery.isSettled) return
          delivery.isSettled = true
          this.#deliveries.delete(delivery)
          signal.removeEventListener('abort', onAbort)
          if (error === undefined) resolve()
          else reject(error)
        }
      }
      signal.addEventListener('abort', onAbort)
      this.#deliveries.add(delivery)
      for (const message of messages) this.#waiting.push({ message, delivery })
      this.#schedule()
    })
  }

  close(): Promise<void> {
    this.#closing.abort(this.#closedError())
    for (const delivery of this.#deliveries) delivery.settle(this.#closedError())
    this.#waiting.length = 0
    this.#bulk.close()
    return Promise.resolve()
  }

  /** Not at once: what other lanes give up in the same turn may go along. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      while (this.#inFlight < this.#bulk.inFlight) {
        const entries = this.#take()
        if (entries.length === 0) break
        this.#inFlight++
        void this.#request(entries).finally(() => {
          this.#inFlight--
          if (this.#waiting.length > 0) this.#schedule()
        })
      }
    })
  }

  /** What the next request carries, in the order it came; of deliveries that have ended nothing is sent any more. */
  #take(): Entry[] {
    const { maxMessages, maxBytes } = this.#bulk
    const taken: Entry[] = []
    let looked = 0
    let bytes = 0
    for (const entry of this.#waiting) {
      if (!entry.delivery.isSettled) {
        bytes += entry.message.body.length
        if (taken.length === maxMessages || (taken.length > 0 && bytes > maxBytes)) break
        taken.push(entry)
      }
      looked++
    }
    this.#waiting.splice(0, looked)
    return taken
  }

  /** Never rejects. */
  async #request(entries: readonly Entry[]): Promise<void> {
    try {
      const answers = await this.#inTime(signal =>
        this.#bulk.send(
          entries.map(({ message }) => message),
          signal
        )
      )
      entries.forEach(({ delivery }, at) => {
        const error = answers[at]
        delivery.unsent--
        if (error !== undefined) delivery.settle(error)
        else if (delivery.unsent === 0) delivery.settle()
      })
    } catch (error) {
      const told = error instanceof Error ? error : new Error(String(error))
      for (const { delivery } of entries) delivery.settle(told)
    }
  }

  /** Ends with the time limit or with `close`, whatever `run` makes of its signal. */
  async #inTime<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { name, timeLimitMs } = this.#bulk
    const cut = new AbortController()
    const { promise: isCut, reject } = Promise.withResolvers<never>()
    const end = (error: Error) => {
      reject(error)
      cut.abort(error)
    }
    const onClose = () => end(this.#closedError())
    this.#closing.signal.addEventListener('abort', onClose)
    const stopTimer = this.#clock.after(timeLimitMs, () =>
      end(new Error(`Destination ${name} did not answer within ${timeLimitMs / 1_000} s.`))
    )
    try {
      return await Promise.race([run(cut.signal), isCut])
    } finally {
      stopTimer()
      this.#closing.signal.removeEventListener('abort', onClose)
    }
  }

  #closedError(): Error {
    return new Error(`Destination ${this.#bulk.name} is closed.`)
  }

  #abortError(): Error {
    return new DOMException(`The delivery to ${this.#bulk.name} was ended.`, 'AbortError')
  }
}
