import { type Batch, batchRecords, type LaneShare } from '../core/batch/assembler.ts'
import type { EventEncoder } from '../core/event/encoder.ts'
import { type Slice, slicePayloadBytes, sliceRecords } from '../core/record.ts'
import { classify } from '../core/retry/outcome.ts'
import { type Attempt, firstAttempt, plan, type Step } from '../core/retry/plan.ts'
import type { Clock } from '../ports/clock.ts'
import type { Invoker } from '../ports/invoker.ts'
import type { EventBuffers } from './event-buffers.ts'
import type { Places } from './places.ts'

/** What a delivery asks of its poller. */
export interface DeliveryWorld {
  readonly mapping: string
  readonly qualifier?: string
  readonly encoder: EventEncoder
  readonly buffers: EventBuffers
  readonly invoker: Invoker
  readonly clock: Clock
  readonly places: Places
  newRequestId(): string
  /** Done with these records for good. */
  settle(share: LaneShare, slices: readonly Slice[]): void
  /** Not ours any more: free their memory, settle nothing. */
  forget(share: LaneShare, slices: readonly Slice[]): void
  /** The batch could not hold these: back to the head of the lane. */
  putBack(share: LaneShare, slices: readonly Slice[], arrivedAt: number): void
  /** The lane has nothing in this batch any more: told once a lane, whatever became of its records. */
  free(share: LaneShare): void
  /** The record can never be sent: its event would have `bytes` bytes. */
  dropped(share: LaneShare, slice: Slice, bytes: number): void
  retrying(delivery: Delivery, step: Extract<Step, { kind: 'again' }>): void
}

/**
 * One batch from its close until every record of it is settled, back in its lane, or not ours any more.
 *
 * ```
 * encode → invoke → settle
 *             ├─► wait, then again (the batch stays whole; its lanes stay busy)
 *             ├─► halve (the event was too large): the second half goes back to its lanes
 *             └─► leave (all lanes have gone, or we stop)
 * ```
 */
export class Delivery {
  readonly batch: Batch
  readonly #world: DeliveryWorld
  readonly #abort = new AbortController()
  #shares: LaneShare[]
  #attempt: Attempt = firstAttempt
  #requestId = ''
  #wake: (() => void) | undefined
  /** Whoever closed the batch took a place for its first call. */
  #placed = true

  constructor(batch: Batch, world: DeliveryWorld) {
    this.batch = batch
    this.#shares = batch.shares
    this.#world = world
  }

  /** Of the call under way or the last one. */
  get requestId(): string {
    return this.#requestId
  }

  get attempt(): Attempt {
    return this.#attempt
  }

  get shares(): readonly LaneShare[] {
    return this.#shares
  }

  get records(): number {
    return batchRecords({ ...this.batch, shares: this.#shares })
  }

  /** A lane of the batch is leaving: a batch that waits for its retry lets it go at once. */
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
      await this.#deliver()
    } finally {
      if (this.#placed) this.#world.places.release()
    }
  }

  async #deliver(): Promise<void> {
    while (this.#prune()) {
      const buffer = this.#encode()
      if (buffer === undefined) continue
      const step = await this.#invoke(buffer.bytes)
      this.#world.buffers.giveBack(buffer.whole)
      switch (step.kind) {
        case 'settle':
          this.#settle()
          return
        case 'halve':
          this.#halve()
          break
        case 'leave':
          this.#leave()
          return
        case 'again':
          this.#attempt = step.attempt
          // A partition that left meanwhile must not wait for a retry that it takes no part in.
          if (!this.#prune()) return
          this.#world.retrying(this, step)
          this.#placed = false
          this.#world.places.release()
          await this.#wait(step.waitMs)
          if (!this.#prune()) return
          await this.#queueForPlace()
          break
        default:
          throw new Error(`unknown step ${JSON.stringify(step satisfies never)}`)
      }
    }
  }

  /** Drops the shares of lanes that leave; false when nothing is left to send. */
  #prune(): boolean {
    const stopping = this.#abort.signal.aborted
    this.#shares = this.#shares.filter(share => {
      const keep = !stopping && !share.lane.leaving && share.slices.length > 0
      if (!keep) {
        this.#world.forget(share, share.slices)
        this.#world.free(share)
      }
      return keep
    })
    return this.#shares.length > 0
  }

  /** Writes the event; what does not fit goes back. Undefined: nothing to send this time round. */
  #encode(): { whole: Buffer; bytes: Buffer } | undefined {
    const slices = this.#shares.flatMap(share => share.slices)
    let whole = this.#world.buffers.take(guessBytes(slices))
    let encoded = this.#world.encoder.encode(slices, whole)
    const total = slices.reduce((sum, slice) => sum + sliceRecords(slice), 0)
    while (encoded.records < total) {
      const larger = this.#world.buffers.take(whole.length * 2)
      const grew = larger.length > whole.length
      this.#world.buffers.giveBack(grew ? whole : larger)
      if (!grew) break
      whole = larger
      encoded = this.#world.encoder.encode(slices, whole)
    }
    if (encoded.records === 0) {
      this.#world.buffers.giveBack(whole)
      this.#dropFirst()
      return undefined
    }
    this.#keep(encoded.records)
    return { whole, bytes: whole.subarray(0, encoded.bytes) }
  }

  async #invoke(event: Buffer): Promise<Step> {
    this.#requestId = this.#world.newRequestId()
    const { mapping, qualifier } = this.#world
    const reply = await this.#world.invoker.invoke(event, {
      requestId: this.#requestId,
      mapping,
      signal: this.#abort.signal,
      ...(qualifier === undefined ? {} : { qualifier })
    })
    return plan(this.#attempt, classify(reply), this.#world.clock.chance())
  }

  #settle(): void {
    for (const share of this.#shares) {
      // A revoked lane may still answer: settling it would be to commit for its new owner.
      if (share.lane.closed) this.#world.forget(share, share.slices)
      else this.#world.settle(share, share.slices)
      this.#world.free(share)
    }
    this.#shares = []
  }

  #leave(): void {
    for (const share of this.#shares) {
      this.#world.forget(share, share.slices)
      this.#world.free(share)
    }
    this.#shares = []
  }

  /** The function takes less than the event's limit: half of the records go back; one alone is given up. */
  #halve(): void {
    const records = this.records
    if (records === 1) this.#dropFirst()
    else this.#keep(Math.ceil(records / 2))
  }

  /** The first record can never be sent (reference 3.6): given up, counted, committed past. */
  #dropFirst(): void {
    const share = this.#shares[0]!
    const [first, ...rest] = share.slices
    const { block, from, to } = first!
    const one = { block, from, to: from + 1 }
    this.#world.dropped(share, one, this.#world.encoder.bytesAlone(block, from))
    this.#world.settle(share, [one])
    // A share left empty is dropped by the next `#prune`.
    share.slices = from + 1 < to ? [{ block, from: from + 1, to }, ...rest] : rest
  }

  /** Keeps the first `records`; the others go back to their lanes, at the head. */
  #keep(records: number): void {
    const kept: LaneShare[] = []
    for (const share of this.#shares) {
      const [mine, others] = cut(share.slices, records)
      records -= mine.reduce((sum, slice) => sum + sliceRecords(slice), 0)
      share.slices = mine
      if (others.length > 0) this.#world.putBack(share, others, this.batch.openedAt)
      if (mine.length > 0) kept.push(share)
      else this.#world.free(share)
    }
    this.#shares = kept
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

  /** Returns early when it is woken: `run` looks again at what is left. */
  #wait(waitMs: number): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        cancel()
        this.#wake = undefined
        resolve()
      }
      const cancel = this.#world.clock.after(waitMs, done)
      this.#wake = () => {
        if (this.#abort.signal.aborted || this.#shares.every(share => share.lane.leaving)) done()
        else this.#prune()
      }
    })
  }
}

/** Splits after `records`. */
function cut(slices: readonly Slice[], records: number): [Slice[], Slice[]] {
  const mine: Slice[] = []
  const others: Slice[] = []
  for (const slice of slices) {
    const here = Math.min(sliceRecords(slice), Math.max(0, records))
    records -= here
    const { block, from, to } = slice
    if (here > 0) mine.push({ block, from, to: from + here })
    if (from + here < to) others.push({ block, from: from + here, to })
  }
  return [mine, others]
}

/** The usual size of an event; headers may make it larger, and then a larger buffer is taken. */
function guessBytes(slices: readonly Slice[]): number {
  return slices.reduce((sum, slice) => sum + slicePayloadBytes(slice) * 1.4 + sliceRecords(slice) * 220, 4_096)
}
