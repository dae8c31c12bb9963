import type { InvokeReply } from '../../src/core/retry/reply.ts'
import type { Invoker, InvokeRequest } from '../../src/ports/invoker.ts'
import type { Chance } from './chance.ts'
import type { Call, Checker } from './checker.ts'
import type { Owner } from './owner.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface FunctionSettings {
  readonly maxLatencyMs: number
  /** A call may take this long; then the answer is `timed-out`. */
  readonly timeoutMs: number
  /** Shares of the calls; what is left succeeds. */
  readonly fails: number
  readonly hangs: number
  readonly throttles: number
  readonly unreachable: number
  /** It did its work, but the answer never came. */
  readonly losesAnswer: number
  /** It answers long after everybody expected it. */
  readonly late: number
  /** More records than this are too large for it; 0: none are. */
  readonly tooManyRecords: number
  /** Every so-many-th record makes the call fail a few times; 0: none does. */
  readonly poisonEvery: number
}

/** The one function that all pollers call. Whether it did its work is decided apart from whether anybody is told. */
export class SimFunction {
  healed = false
  /** Every call fails until then. */
  brokenUntilMs = 0
  readonly #settings: FunctionSettings
  readonly #time: VirtualTime
  readonly #chance: Chance
  readonly #checker: Checker
  readonly #poisoned = new Map<number, number>()

  constructor(settings: FunctionSettings, time: VirtualTime, chance: Chance, checker: Checker) {
    this.#settings = settings
    this.#time = time
    this.#chance = chance
    this.#checker = checker
  }

  /** The function as one process reaches it. */
  invoker(owner: Owner): Invoker {
    return {
      invoke: (event, request) => this.#invoke(owner, event, request),
      close: () => Promise.resolve()
    }
  }

  #invoke(owner: Owner, event: Uint8Array, { signal }: InvokeRequest): Promise<InvokeReply> {
    if (!owner.life.alive) this.#checker.fail(`model: ${owner.name} calls although it is dead`)
    const call = this.#checker.began(owner, event)
    const { promise, resolve } = Promise.withResolvers<InvokeReply>()
    let open = true
    const answer = (reply: InvokeReply) => {
      if (!open) return
      open = false
      this.#checker.answered(call, reply)
      resolve(reply)
    }
    if (signal.aborted) answer({ kind: 'aborted' })
    else {
      const { afterMs, works, reply } = this.#course(call)
      if (works) this.#time.after(afterMs, () => this.#checker.succeeded(call))
      // The answer is on its way for a while after the work was done.
      this.#time.after(afterMs + this.#chance.int(3), () => answer(reply), owner.life)
      signal.addEventListener('abort', () => answer({ kind: 'aborted' }), { once: true })
    }
    return promise
  }

  #course(call: Call): { afterMs: number; works: boolean; reply: InvokeReply } {
    const settings = this.#settings
    const afterMs = 1 + this.#chance.int(this.healed ? 20 : settings.maxLatencyMs)
    const failed: InvokeReply = { kind: 'function-error', errorType: 'Error', errorMessage: 'boom', payload: nothing }
    const returned: InvokeReply = { kind: 'returned', payload: nothing }
    if (settings.tooManyRecords > 0 && call.records > settings.tooManyRecords) {
      return { afterMs: 1, works: false, reply: { kind: 'too-large', message: '413' } }
    }
    if (this.#isPoisoned(call)) return { afterMs, works: false, reply: failed }
    if (this.healed) return { afterMs, works: true, reply: returned }
    if (this.brokenUntilMs > this.#time.nowMs) return { afterMs, works: false, reply: failed }
    let draw = this.#chance.next()
    const within = (share: number) => (draw -= share) < 0
    const unreachable: InvokeReply = { kind: 'unavailable', message: 'connection refused' }
    if (within(settings.fails)) return { afterMs, works: false, reply: failed }
    if (within(settings.throttles)) return { afterMs: 1, works: false, reply: this.#throttled() }
    if (within(settings.unreachable)) return { afterMs: 1, works: false, reply: unreachable }
    if (within(settings.losesAnswer)) return { afterMs, works: true, reply: unreachable }
    const timedOut: InvokeReply = { kind: 'timed-out', afterMs: settings.timeoutMs }
    if (within(settings.hangs)) {
      return { afterMs: settings.timeoutMs, works: this.#chance.happens(0.5), reply: timedOut }
    }
    if (within(settings.late)) {
      return { afterMs: this.#chance.int(settings.timeoutMs), works: true, reply: returned }
    }
    return { afterMs, works: true, reply: returned }
  }

  #throttled(): InvokeReply {
    return this.#chance.happens(0.5)
      ? { kind: 'throttled', message: '429' }
      : { kind: 'throttled', message: '429', retryAfterMs: this.#chance.int(3_000) }
  }

  #isPoisoned(call: Call): boolean {
    const { poisonEvery } = this.#settings
    if (poisonEvery === 0) return false
    let poisoned = false
    for (const { records } of call.parts) {
      for (const { id } of records) {
        if (id % poisonEvery !== poisonEvery - 1) continue
        const left = this.#poisoned.get(id) ?? 1 + (id % 3)
        this.#poisoned.set(id, Math.max(0, left - 1))
        poisoned ||= left > 0
      }
    }
    return poisoned
  }
}

const nothing = new Uint8Array()
