import type { Batch } from '../core/batch/assembler.ts'
import type { Lane } from '../core/batch/lane.ts'
import { type LaneShare, sharesRecords, splitByPieces } from '../core/batch/shares.ts'
import type { EventEncoder } from '../core/event/encoder.ts'
import type { GiveUp, Piece } from '../core/offsets/progress.ts'
import { type Slice, sliceOffsets, slicePayloadBytes, sliceRecords } from '../core/record.ts'
import { type ItemFailureRules, readItemFailures } from '../core/retry/item-failures.ts'
import { classify } from '../core/retry/outcome.ts'
import { type Attempt, isExhausted, plan, type Step } from '../core/retry/plan.ts'
import type { RetryPolicy } from '../core/retry/policy.ts'
import type { InvokeReply } from '../core/retry/reply.ts'
import { freshItem, msToExpiry, resumedItem, sentRecords, Work, type WorkItem } from '../core/retry/work.ts'
import type { Clock } from '../ports/clock.ts'
import type { Invoker } from '../ports/invoker.ts'
import type { EventBuffers } from './event-buffers.ts'
import type { Places } from './places.ts'

/** The answer that ends a doubt is on its way. */
export const doubtPauseMs = 20

/** Records that are to be given up. */
export interface GivenUp {
  readonly shares: readonly LaneShare[]
  readonly reason: GiveUp
  readonly attempt: Attempt
}

/** What a delivery asks of its poller. */
export interface DeliveryWorld {
  readonly mapping: string
  readonly qualifier?: string
  readonly policy: RetryPolicy
  readonly itemFailures: ItemFailureRules
  readonly encoder: EventEncoder
  readonly buffers: EventBuffers
  readonly invoker: Invoker
  readonly clock: Clock
  readonly places: Places
  newRequestId(): string
  /** Whether its partitions are still ours is being asked: no call begins meanwhile. */
  inDoubt(): boolean
  /** Done with these records for good. */
  settle(share: LaneShare): void
  /** Not ours any more: free their memory, settle nothing. */
  forget(share: LaneShare): void
  /** The batch could not hold these: back to the head of the lane. */
  putBack(share: LaneShare, arrivedAt: number): void
  /** The lane has nothing in this batch any more: told once a lane, whatever became of its records. */
  free(lane: Lane): void
  /** What the lane's next owner would have to know, from now on; the batch ends at `until`. */
  bind(lane: Lane, pieces: readonly Piece[], until: number): void
  /** A call with `records` records begins. */
  calling(delivery: Delivery, records: number): void
  /** A call has ended. */
  called(delivery: Delivery, call: { readonly reply: InvokeReply; readonly records: number; readonly step: Step }): void
  /** Resolves with how long to wait before the destination is tried again; undefined: the records are done with. Never rejects. */
  giveUp(delivery: Delivery, given: GivenUp, tries: number, signal: AbortSignal): Promise<number | undefined>
}

/**
 * One batch from its close until every record of it is settled, back in its lane, or not ours any more.
 *
 * ```
 * ┌─► expire ─► encode ─► invoke ─► plan ─┬─► settle
 * │      │         │                      ├─► wait, then again, whole or what failed of it (its lanes stay busy)
 * │      │         │                      ├─► split: the first half to its end, then the second
 * │      └─────────┴──────────────────────┼─► give up: to the destination, or dropped
 * └───────────────── next item ───────────┴─► leave (all lanes have gone, or we stop)
 * ```
 */
export class Delivery {
  readonly batch: Batch
  readonly #world: DeliveryWorld
  readonly #abort = new AbortController()
  readonly #work: Work
  /** Lanes that have something in this batch, and where it ends. */
  readonly #held: Map<Lane, number>
  #requestId = ''
  #response: GiveUp['response']
  #wake: (() => void) | undefined
  /** Monotonic: the present item waits until then. */
  #notBefore = 0
  /** How often the destination has refused the present item. */
  #refusals = 0
  #cuts: readonly { readonly lane: Lane; readonly offset: number }[] = []
  /** Something happened to the batch that the next owner of its lanes has to know. */
  #bound: boolean
  /** Whoever closed the batch took a place for its first call. */
  #placed = true

  constructor(batch: Batch, world: DeliveryWorld) {
    this.batch = batch
    this.#world = world
    this.#bound = batch.pieces !== undefined
    this.#work = new Work(itemsOf(batch))
    this.#held = new Map(batch.shares.map(({ lane, slices }) => [lane, sliceOffsets(slices.at(-1)!).next]))
  }

  /** Of the call under way or the last one. */
  get requestId(): string {
    return this.#requestId
  }

  /** Of the item being called. */
  get shares(): readonly LaneShare[] {
    return this.#work.current?.shares ?? []
  }

  /** Unfinished ones, all items together. */
  get records(): number {
    return this.#work.records
  }

  /** The lane's log ends at `offset` now: what was there is not sent again. A call under way goes on. */
  cut(lane: Lane, offset: number): void {
    this.#cuts = [...this.#cuts, { lane, offset }]
    this.#wake?.()
  }

  /** A lane of the batch is leaving: a batch that waits lets it go at once. */
  wake(): void {
    this.#wake?.()
  }

  /** Ends the call under way; nothing of it is settled. */
  abort(): void {
    this.#abort.abort()
    this.#wake?.()
  }

  /** Never rejects. When it resolves, every record is settled, forgotten or back in its lane. */
  async run(): Promise<void> {
    try {
      for (let item = this.#next(); item !== undefined; item = this.#next()) await this.#advance(item)
    } finally {
      this.#releasePlace()
    }
  }

  /** Lets go what has left or is lost, and takes out what is too old; the item to be done then. */
  #next(): WorkItem | undefined {
    this.#prune()
    const { clock, policy } = this.#world
    const before = this.#work.current
    if (before !== undefined && before.giveUp === undefined && isExhausted(policy, before.attempt)) {
      before.giveUp = this.#reason('retries')
    }
    const isFresh = this.#requestId === ''
    this.#giveBack(this.#work.expire(clock.now(), policy.maxAgeMs, isFresh, () => this.#reason('age')))
    return this.#work.current
  }

  async #advance(item: WorkItem): Promise<void> {
    const { clock, policy } = this.#world
    const waitMs = this.#notBefore - clock.monotonicMs()
    if (this.#world.inDoubt()) {
      this.#releasePlace()
      await this.#wait(doubtPauseMs)
    } else if (item.giveUp !== undefined) await this.#giveUp(item, item.giveUp)
    else if (waitMs > 0) {
      this.#releasePlace()
      await this.#wait(Math.min(waitMs, msToExpiry(item, clock.now(), policy.maxAgeMs)))
    } else if (this.#placed) await this.#call(item)
    else await this.#queueForPlace()
  }

  async #call(item: WorkItem): Promise<void> {
    const event = this.#encode(item)
    if (event === undefined) return
    const records = sharesRecords(item.shares)
    this.#requestId = this.#world.newRequestId()
    const { mapping, qualifier, invoker, policy, itemFailures, clock } = this.#world
    this.#world.calling(this, records)
    const reply = await this.#whileOut(
      invoker.invoke(event.bytes, {
        requestId: this.#requestId,
        mapping,
        signal: this.#abort.signal,
        ...(qualifier === undefined ? {} : { qualifier })
      })
    )
    this.#world.buffers.giveBack(event.whole)
    const outcome = policy.reportsItemFailures
      ? classify(reply, payload => readItemFailures(payload, sentRecords(item.shares), itemFailures))
      : classify(reply)
    const step = plan(policy, records, item.attempt, outcome, clock.chance())
    this.#response = this.#responseOf(reply)
    this.#world.called(this, { reply, records, step })
    this.#take(step)
  }

  #take(step: Step): void {
    if (step.kind === 'leave') {
      this.#letGo(this.#work.without(() => true))
      return
    }
    if (step.kind === 'split' && step.cause === 'size' && this.#work.current?.bound === false) {
      // Nothing ran: partitions of the second half need not wait for the first.
      this.#putBack(Math.ceil(this.#work.records / 2))
      return
    }
    const settled = this.#work.apply(step, this.#reason(step.kind === 'discard' ? step.condition : 'retries'))
    this.#notBefore = step.kind === 'again' ? this.#world.clock.monotonicMs() + step.waitMs : 0
    this.#bound ||= step.kind !== 'settle' && !(step.kind === 'again' && step.attempt.failures === 0)
    this.#settle(settled)
  }

  /** What of the present item has been decided on is delivered or dropped; its place is for calls. */
  async #giveUp(item: WorkItem, reason: GiveUp): Promise<void> {
    this.#bound = true
    this.#bindLanes()
    this.#releasePlace()
    const given = { shares: item.shares, reason, attempt: item.attempt }
    const waitMs = await this.#whileOut(this.#world.giveUp(this, given, this.#refusals, this.#abort.signal))
    if (waitMs === undefined) {
      this.#refusals = 0
      this.#notBefore = 0
      this.#settle(this.#work.dropCurrent())
    } else {
      this.#refusals++
      await this.#wait(waitMs)
    }
  }

  /** Writes the event; what does not fit comes later. Undefined: nothing to send this time round. */
  #encode(item: WorkItem): { whole: Buffer; bytes: Buffer } | undefined {
    const { buffers, encoder } = this.#world
    const slices = item.shares.flatMap(share => share.slices)
    let whole = buffers.take(guessBytes(slices))
    let encoded = encoder.encode(slices, whole)
    const total = sharesRecords(item.shares)
    while (encoded.records < total) {
      const larger = buffers.take(whole.length * 2)
      const grew = larger.length > whole.length
      buffers.giveBack(grew ? whole : larger)
      if (!grew) break
      whole = larger
      encoded = encoder.encode(slices, whole)
    }
    if (encoded.records === 0) {
      buffers.giveBack(whole)
      // Reference 3.6: a record that alone is larger than an event can never be sent.
      this.#work.isolateFirst(this.#reason('size'))
      return undefined
    }
    if (encoded.records < total) this.#putBack(encoded.records)
    return { whole, bytes: whole.subarray(0, encoded.bytes) }
  }

  /** The present item keeps its first `records`; the others go back to their lanes, unless they are bound to this batch. */
  #putBack(records: number): void {
    this.#giveBack(this.#work.fit(records))
  }

  /** To their lanes, to go with another batch. */
  #giveBack(shares: readonly LaneShare[]): void {
    if (shares.length === 0) return
    for (const share of shares) this.#world.putBack(share, this.batch.openedAt)
    this.#bindLanes()
    this.#freeLanes()
  }

  #settle(shares: readonly LaneShare[]): void {
    for (const share of shares) {
      // A revoked lane may still answer: settling it would be to commit for its new owner.
      if (share.lane.closed) this.#world.forget(share)
      else this.#world.settle(share)
    }
    this.#bindLanes()
    this.#freeLanes()
  }

  /** Drops what belongs to lanes that leave, all of it when we stop, and what was cut off its log. */
  #prune(): void {
    const stopping = this.#abort.signal.aborted
    const gone = this.#work.without(lane => stopping || lane.leaving)
    gone.push(...this.#takeCuts())
    if (gone.length > 0) this.#letGo(gone)
  }

  /** Lanes that have something behind the present item only need not wait for it to leave, or to go on below a cut. */
  async #whileOut<T>(out: Promise<T>): Promise<T> {
    this.#wake = () => {
      const lanesOut = new Set(this.shares.map(({ lane }) => lane))
      const gone = this.#work.without(lane => lane.leaving && !lanesOut.has(lane))
      this.#letGo([...gone, ...this.#takeCuts(lane => !lanesOut.has(lane))])
    }
    try {
      return await out
    } finally {
      this.#wake = undefined
    }
  }

  #takeCuts(of: (lane: Lane) => boolean = () => true): LaneShare[] {
    const [now, later] = [this.#cuts.filter(({ lane }) => of(lane)), this.#cuts.filter(({ lane }) => !of(lane))]
    this.#cuts = later
    return now.flatMap(({ lane, offset }) => this.#work.cut(lane, offset))
  }

  #letGo(shares: readonly LaneShare[]): void {
    for (const share of shares) this.#world.forget(share)
    this.#freeLanes()
  }

  #bindLanes(): void {
    if (!this.#bound) return
    // What was cut off while a call was under way is not to be told as owed.
    for (const share of this.#takeCuts()) this.#world.forget(share)
    for (const [lane, until] of this.#held) this.#world.bind(lane, this.#work.pieces(lane), until)
  }

  #freeLanes(): void {
    const left = this.#work.lanes()
    for (const lane of this.#held.keys()) {
      if (left.has(lane)) continue
      this.#held.delete(lane)
      this.#world.free(lane)
    }
  }

  #reason(condition: GiveUp['condition']): GiveUp {
    const requestId = this.#requestId === '' ? this.#world.newRequestId() : this.#requestId
    const response = condition === 'retries' ? this.#response : undefined
    return { condition, requestId, ...(response === undefined ? {} : { response }) }
  }

  /** What a destination is told of the last answer (reference 8.5): null when the function answered, but named what failed. */
  #responseOf(reply: InvokeReply): GiveUp['response'] {
    if (reply.kind !== 'returned' && reply.kind !== 'function-error' && reply.kind !== 'timed-out') return undefined
    const version = reply.kind === 'timed-out' ? undefined : reply.executedVersion
    const functionError = reply.kind === 'function-error' ? (reply.functionError ?? 'Unhandled') : 'Unhandled'
    return {
      executedVersion: version ?? this.#world.qualifier ?? '$LATEST',
      functionError: reply.kind === 'returned' ? null : functionError
    }
  }

  #releasePlace(): void {
    if (!this.#placed) return
    this.#placed = false
    this.#world.places.release()
  }

  /** A lane that leaves meanwhile, or a stop, is heeded at once; what is left of the batch queues on. */
  async #queueForPlace(): Promise<void> {
    this.#wake = () => {
      this.#prune()
    }
    await this.#world.places.take()
    this.#placed = true
    this.#wake = undefined
  }

  /** Returns early when nothing is left to wait for. */
  #wait(waitMs: number): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        cancel()
        this.#wake = undefined
        resolve()
      }
      const cancel = this.#world.clock.after(Math.max(0, waitMs), done)
      this.#wake = () => {
        this.#prune()
        if (this.#work.current === undefined) done()
      }
      this.#wake()
    })
  }
}

/** The items of a batch: fresh, or what an earlier owner left of it, piece by piece. */
function itemsOf({ shares, pieces }: Batch): WorkItem[] {
  if (pieces === undefined) return [freshItem(shares)]
  return splitByPieces(shares, pieces).map(({ shares, piece }) => resumedItem(shares, piece))
}

/** The usual size of an event; headers may make it larger, and then a larger buffer is taken. */
function guessBytes(slices: readonly Slice[]): number {
  return slices.reduce((sum, slice) => sum + slicePayloadBytes(slice) * 1.4 + sliceRecords(slice) * 220, 4_096)
}
