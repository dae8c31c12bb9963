import type { DestinationTarget } from '../../src/core/destination/target.ts'
import type { Destination, FailureMessage } from '../../src/ports/destination.ts'
import type { Chance } from './chance.ts'
import type { Document, FailureChecks } from './failure-checks.ts'
import type { Owner } from './owner.ts'
import { readEvent } from './sim-block.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface DestinationSettings {
  /** What its documents look like: one a record, or one a batch. */
  readonly kind: 'kafka' | 'file'
  readonly maxLatencyMs: number
  /** Shares of the deliveries; what is left is taken. */
  readonly refuses: number
  /** It took it, but the answer never came. */
  readonly losesAnswer: number
  /** Neither takes it nor answers. */
  readonly hangs: number
}

export const targetOf = ({ kind }: DestinationSettings): DestinationTarget =>
  kind === 'kafka' ? { kind, topic: 'failures' } : { kind, name: 'failures.jsonl' }

/** Where all pollers send what they give up. Whether it took something is decided apart from whether anybody is told. */
export class SimDestination {
  healed = false
  /** It takes nothing until then. */
  brokenUntilMs = 0
  readonly #settings: DestinationSettings
  readonly #time: VirtualTime
  readonly #chance: Chance
  readonly #checks: FailureChecks

  constructor(settings: DestinationSettings, time: VirtualTime, chance: Chance, checks: FailureChecks) {
    this.#settings = settings
    this.#time = time
    this.#chance = chance
    this.#checks = checks
  }

  /** The destination as one process reaches it. */
  adapter(owner: Owner): Destination {
    return {
      deliver: (messages, signal) => this.#deliver(owner, messages, signal),
      close: () => Promise.resolve()
    }
  }

  #deliver(owner: Owner, messages: readonly FailureMessage[], signal: AbortSignal): Promise<void> {
    const telling = this.#checks.telling(owner, messages.map(documentOf))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    let open = true
    const answer = (error?: Error) => {
      if (!open) return
      open = false
      this.#checks.ended(telling, error === undefined)
      if (error === undefined) resolve()
      else reject(error)
    }
    if (signal.aborted) answer(new Error('given up'))
    else {
      const { takes, answers } = this.#course()
      const afterMs = 1 + this.#chance.int(this.healed ? 20 : this.#settings.maxLatencyMs)
      if (takes) this.#time.after(afterMs, () => this.#checks.took(telling))
      const reply = () => answer(takes && answers === 'well' ? undefined : new Error('the queue does not answer'))
      if (answers !== 'never') this.#time.after(afterMs + this.#chance.int(3), reply, owner.life)
      signal.addEventListener('abort', () => answer(new Error('given up')), { once: true })
    }
    return promise
  }

  #course(): { takes: boolean; answers: 'well' | 'badly' | 'never' } {
    const { refuses, losesAnswer, hangs } = this.#settings
    if (this.healed) return { takes: true, answers: 'well' }
    if (this.brokenUntilMs > this.#time.nowMs) return { takes: false, answers: 'badly' }
    let draw = this.#chance.next()
    const within = (share: number) => (draw -= share) < 0
    if (within(refuses)) return { takes: false, answers: 'badly' }
    if (within(losesAnswer)) return { takes: true, answers: this.#chance.happens(0.5) ? 'badly' : 'never' }
    if (within(hangs)) return { takes: false, answers: 'never' }
    return { takes: true, answers: 'well' }
  }
}

const conditions: Readonly<Record<string, Document['condition']>> = {
  RetryAttemptsExhausted: 'retries',
  RetriesExhausted: 'retries',
  MaximumPayloadSizeExceeded: 'size',
  RecordAgeExceeded: 'age'
}

interface Head {
  readonly requestContext: {
    readonly requestId: string
    readonly condition: string
    readonly approximateInvokeCount: number
  }
}

const payloadMark = ',"payload":'

/** Payloads are large: only the ids of their records are read. */
function documentOf({ body }: FailureMessage): Document {
  const payloadAt = body.indexOf(payloadMark)
  const { requestContext } = JSON.parse(`${body.toString('utf8', 0, payloadAt)}}`) as Head
  const { requestId, condition, approximateInvokeCount } = requestContext
  const isText = body[payloadAt + payloadMark.length] === quote
  return {
    condition: conditions[condition]!,
    requestId,
    invokeCount: approximateInvokeCount,
    // A topic's document has the event as it is, the others have it as a string.
    records: readEvent(isText ? unquoted(body.subarray(payloadAt + payloadMark.length, -1)) : body)
  }
}

const quote = '"'.charCodeAt(0)
const unquoted = (text: Buffer): Buffer => Buffer.from(JSON.parse(text.toString()) as string)
