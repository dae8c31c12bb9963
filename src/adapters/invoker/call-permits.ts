import type { InvokeReply } from '../../core/retry/reply.ts'
import type { Clock } from '../../ports/clock.ts'

/** The word that says how often a permit came back; the places follow it, each with the time (epoch ms) until it is taken. */
const headBytes = 8
/** Beyond the call's own time: after it the permit of a thread that died is anybody's. */
const marginMs = 5_000

/**
 * The right to one of so many calls at a time, shared by all threads of the process. A place is taken for a time, not for
 * ever: a thread that dies in the middle of a call takes no place with it.
 */
export class CallPermits {
  readonly #returns: Int32Array
  readonly #places: BigInt64Array
  readonly #clock: Pick<Clock, 'now'>

  constructor(memory: SharedArrayBuffer, clock: Pick<Clock, 'now'>) {
    this.#returns = new Int32Array(memory, 0, 1)
    this.#places = new BigInt64Array(memory, headBytes)
    this.#clock = clock
  }

  /** Memory for `most` calls at a time. */
  static memory(most: number): SharedArrayBuffer {
    return new SharedArrayBuffer(headBytes + most * 8)
  }

  /** Waits for a permit, however long, then makes the call with it. `longestMs`: the call ends by itself within this. */
  async within(longestMs: number, signal: AbortSignal, call: () => Promise<InvokeReply>): Promise<InvokeReply> {
    const place = await this.#take(longestMs, signal)
    if (place === undefined) return { kind: 'aborted' }
    try {
      return await call()
    } finally {
      this.#giveBack(place)
    }
  }

  async #take(longestMs: number, signal: AbortSignal): Promise<Place | undefined> {
    for (;;) {
      const returns = Atomics.load(this.#returns, 0)
      if (signal.aborted) {
        // It may have been woken for a permit that it does not want: the next in line is.
        Atomics.notify(this.#returns, 0, 1)
        return undefined
      }
      const place = this.#takeFree(longestMs)
      if (place !== undefined) return place
      await this.#returned(returns, signal)
    }
  }

  #takeFree(longestMs: number): Place | undefined {
    const now = BigInt(this.#clock.now())
    const until = now + BigInt(longestMs + marginMs)
    for (let index = 0; index < this.#places.length; index++) {
      const taken = Atomics.load(this.#places, index)
      if (taken > now) continue
      if (Atomics.compareExchange(this.#places, index, taken, until) === taken) return { index, until }
    }
    return undefined
  }

  #giveBack({ index, until }: Place): void {
    // Not when it was late and the place has another owner by now.
    Atomics.compareExchange(this.#places, index, until, 0n)
    Atomics.add(this.#returns, 0, 1)
    Atomics.notify(this.#returns, 0, 1)
  }

  /** Resolves when a permit came back since `returns` was read, when one may have run out, or when the signal fires. */
  async #returned(returns: number, signal: AbortSignal): Promise<void> {
    const wait = Atomics.waitAsync(this.#returns, 0, returns, this.#nextEndMs())
    if (!wait.async) return
    const aborted = Promise.withResolvers<void>()
    const onAbort = () => aborted.resolve()
    signal.addEventListener('abort', onAbort)
    await Promise.race([wait.value, aborted.promise])
    signal.removeEventListener('abort', onAbort)
    // The wait itself cannot be taken back: when it is woken after all, whoever waits behind it is.
    if (signal.aborted) void wait.value.then(() => Atomics.notify(this.#returns, 0, 1))
  }

  #nextEndMs(): number {
    let next = this.#places[0]!
    for (const until of this.#places) if (until < next) next = until
    return Math.max(1, Number(next) - this.#clock.now() + 1)
  }
}

interface Place {
  readonly index: number
  readonly until: bigint
}
