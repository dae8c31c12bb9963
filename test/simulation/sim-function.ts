import type { InvokeReply } from '../../src/core/retry/reply.ts'
import type { Invoker, InvokeRequest } from '../../src/ports/invoker.ts'
import type { Chance } from './chance.ts'
import type { Call, Meaning } from './call.ts'
import type { CallChecks } from './call-checks.ts'
import type { Owner } from './owner.ts'
import type { SimRecord } from './partition-log.ts'
import { topic } from './sim-block.ts'
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
  /** Every so-many-th record makes each call fail for ever; 0: none does. */
  readonly incurableEvery: number
  /** It may name what failed. */
  readonly reportsItems: boolean
  /** Shares of the calls in which it names some records as failed, or says what nobody understands. */
  readonly namesSome: number
  readonly babbles: number
}

/** How one call goes: when it ends, what it did, what it answers. */
interface Course {
  readonly afterMs: number
  readonly works: boolean
  readonly reply: InvokeReply
  readonly meaning: Meaning
}

/** The one function that all pollers call. Whether it did its work is decided apart from whether anybody is told. */
export class SimFunction {
  healed = false
  /** Every call fails until then. */
  brokenUntilMs = 0
  readonly #settings: FunctionSettings
  readonly #time: VirtualTime
  readonly #chance: Chance
  readonly #checks: CallChecks
  readonly #poisoned = new Map<number, number>()

  constructor(settings: FunctionSettings, time: VirtualTime, chance: Chance, checks: CallChecks) {
    this.#settings = settings
    this.#time = time
    this.#chance = chance
    this.#checks = checks
  }

  /** The function as one process reaches it. */
  invoker(owner: Owner): Invoker {
    return {
      invoke: (event, request) => this.#invoke(owner, event, request),
      close: () => Promise.resolve()
    }
  }

  #invoke(owner: Owner, event: Uint8Array, { signal, requestId }: InvokeRequest): Promise<InvokeReply> {
    const call = this.#checks.began(owner, event, requestId)
    const { promise, resolve } = Promise.withResolvers<InvokeReply>()
    let open = true
    const answer = (reply: InvokeReply, meaning: Meaning) => {
      if (!open) return
      open = false
      this.#checks.answered(call, reply, meaning)
      resolve(reply)
    }
    const abort = () => answer({ kind: 'aborted' }, { kind: 'aborted' })
    if (signal.aborted) abort()
    else {
      const { afterMs, works, reply, meaning } = this.#course(call)
      const failed = meaning.kind === 'part-failed' ? meaning.failed : undefined
      if (works) this.#time.after(afterMs, () => this.#checks.succeeded(call, failed))
      // The answer is on its way for a while after the work was done.
      this.#time.after(afterMs + this.#chance.int(3), () => answer(reply, meaning), owner.life)
      signal.addEventListener('abort', abort, { once: true })
    }
    return promise
  }

  #course(call: Call): Course {
    const settings = this.#settings
    const afterMs = 1 + this.#chance.int(this.healed ? 20 : settings.maxLatencyMs)
    if (settings.tooManyRecords > 0 && call.records > settings.tooManyRecords) {
      const reply: InvokeReply = { kind: 'too-large', message: '413' }
      return { afterMs: 1, works: false, reply, meaning: { kind: 'too-large' } }
    }
    const failed: Course = {
      afterMs,
      works: false,
      reply: { kind: 'function-error', errorType: 'Error', errorMessage: 'boom', payload: nothing },
      meaning: { kind: 'failed' }
    }
    const bad = this.#badRecords(call)
    if (bad.size > 0)
      return settings.reportsItems && this.#chance.happens(0.7) ? this.#naming(call, bad, afterMs) : failed
    const well: Course = { afterMs, works: true, reply: this.#satisfied(), meaning: { kind: 'done' } }
    if (this.healed) return well
    if (this.brokenUntilMs > this.#time.nowMs) return failed
    let draw = this.#chance.next()
    const within = (share: number) => (draw -= share) < 0
    const unreachable: Course = {
      afterMs: 1,
      works: false,
      reply: { kind: 'unavailable', message: 'connection refused' },
      meaning: { kind: 'missed' }
    }
    if (within(settings.fails)) return failed
    if (within(settings.throttles)) return { ...unreachable, reply: this.#throttled() }
    if (within(settings.unreachable)) return unreachable
    if (within(settings.losesAnswer)) return { ...unreachable, afterMs, works: true }
    if (within(settings.hangs)) {
      const { timeoutMs } = settings
      const reply: InvokeReply = { kind: 'timed-out', afterMs: timeoutMs }
      return { ...failed, afterMs: timeoutMs, works: this.#chance.happens(0.5), reply }
    }
    if (within(settings.late)) return { ...well, afterMs: this.#chance.int(settings.timeoutMs) }
    if (settings.reportsItems && within(settings.namesSome)) return this.#naming(call, this.#some(call), afterMs)
    if (settings.reportsItems && within(settings.babbles)) return { ...failed, reply: this.#babble(call) }
    return well
  }

  /** Any records of the call, one at least. */
  #some(call: Call): ReadonlySet<SimRecord> {
    const all = call.parts.flatMap(({ records }) => records)
    const share = this.#chance.pick([0.1, 0.5, 0.5, 0.9])
    const some = all.filter(() => this.#chance.happens(share))
    return new Set(some.length > 0 ? some : [this.#chance.pick(all)])
  }

  /** Reference 6.1 and 6.2: names are objects, or, as some libraries have it, positions. */
  #naming(call: Call, failed: ReadonlySet<SimRecord>, afterMs: number): Course {
    const all = call.parts.flatMap(({ records }) => records)
    const asPositions = this.#chance.happens(0.2)
    const asText = this.#chance.happens(0.2)
    const items = [...failed].map(record => {
      const number = asPositions ? all.indexOf(record) : record.offset
      const given = asText ? String(number) : number
      return { itemIdentifier: asPositions ? given : { partition: `${topic}-${record.partition}`, offset: given } }
    })
    if (this.#chance.happens(0.2)) items.push(items[0]!)
    return {
      afterMs,
      works: true,
      reply: returned({ batchItemFailures: items }),
      meaning: { kind: 'part-failed', failed }
    }
  }

  /** Nothing has failed; a function that is not asked for failures may say what it likes. */
  #satisfied(): InvokeReply {
    const { reportsItems } = this.#settings
    const usual = [null, {}, [], { batchItemFailures: [] }, { batchItemFailures: null }, '']
    const answer = reportsItems ? this.#chance.pick(usual) : { batchItemFailures: [{ itemIdentifier: '0' }] }
    return returned(answer)
  }

  /** Whatever it meant: the whole batch has failed. */
  #babble(call: Call): InvokeReply {
    const first = call.parts[0]!.records[0]!
    const partition = `${topic}-${first.partition}`
    const item = (itemIdentifier: unknown) => returned({ batchItemFailures: [{ itemIdentifier }] })
    return this.#chance.pick<InvokeReply>([
      { kind: 'returned', payload: Buffer.from('all is') },
      returned(7),
      returned({ batchItemFailures: 'two' }),
      returned({ batchItemFailures: [{ item: 1 }] }),
      item(null),
      item(call.records),
      item({ partition, offset: 2 ** 40 }),
      item({ partition: 'elsewhere-0', offset: first.offset }),
      item({ partition })
    ])
  }

  #throttled(): InvokeReply {
    return this.#chance.happens(0.5)
      ? { kind: 'throttled', message: '429' }
      : { kind: 'throttled', message: '429', retryAfterMs: this.#chance.int(3_000) }
  }

  /** What the function cannot process: some of it a few times only. */
  #badRecords(call: Call): ReadonlySet<SimRecord> {
    const { poisonEvery, incurableEvery } = this.#settings
    const bad = new Set<SimRecord>()
    for (const { records } of call.parts) {
      for (const record of records) {
        const { id } = record
        if (incurableEvery > 0 && id % incurableEvery === incurableEvery - 1) bad.add(record)
        if (poisonEvery === 0 || id % poisonEvery !== poisonEvery - 1) continue
        const left = this.#poisoned.get(id) ?? 1 + (id % 3)
        this.#poisoned.set(id, Math.max(0, left - 1))
        if (left > 0) bad.add(record)
      }
    }
    return bad
  }
}

const returned = (answer: unknown): InvokeReply => ({ kind: 'returned', payload: Buffer.from(JSON.stringify(answer)) })

const nothing = new Uint8Array()
