import { slicePayloadBytes, sliceRecords } from '../record.ts'
import type { Piece } from '../offsets/progress.ts'
import type { Lane } from './lane.ts'
import { type LaneShare, sharesRecords } from './shares.ts'

/** Why a batch closed; a metric label. */
export type CloseReason = 'count' | 'bytes' | 'window' | 'memory' | 'resume'

export interface BatchLimits {
  /** BatchSize, 1 to 10,000. */
  readonly maxRecords: number
  /** Payload bytes that surely fill an invocation; the encoder holds the exact limit. */
  readonly maxBytes: number
  /** 0 delivers what is there at once (AWS: batching window). */
  readonly windowMs: number
  /** A batch holds records of one lane only. */
  readonly singleLane?: boolean
  /** Bytes that may be needed to tell which records of a lane's share are finished; absent: it is all of them or none. */
  readonly maxDoneBytes?: number
}

/** Records sent together. Its lanes are busy until it is settled. */
export interface Batch {
  readonly shares: LaneShare[]
  readonly reason: CloseReason
  /** When its oldest record arrived. */
  readonly openedAt: number
  /** An earlier owner began it: the pieces it was in. One lane only. */
  readonly pieces?: readonly Piece[]
}

export const batchRecords = (batch: Batch): number => sharesRecords(batch.shares)

/**
 * Gathers the idle lanes' records into batches. A batch takes as much as it may from one lane before it touches the
 * next: plenty means concurrency, scarcity means full batches. No timer, no clock: ask `deadline`, come back with `next(now)`.
 */
export class BatchAssembler {
  readonly #limits: BatchLimits
  /** Idle lanes with records. A lane enters at the end, so equal ages go round. */
  readonly #ready = new Set<Lane>()

  constructor(limits: BatchLimits) {
    this.#limits = limits
  }

  /** The lane got records, or its batch is settled: it may take part again. */
  offer(lane: Lane): void {
    if (lane.ready) this.#ready.add(lane)
  }

  /** The lane has gone. */
  withdraw(lane: Lane): void {
    this.#ready.delete(lane)
  }

  /**
   * The next batch that is due at `now`, its lanes marked busy; undefined when none is. `short`: memory is, so take what is
   * there. `maxBytes`: of payload, where it is to be less than usual.
   */
  next(now: number, short = false, maxBytes = Number.POSITIVE_INFINITY): Batch | undefined {
    for (const lane of this.#ready) if (lane.resume !== undefined) return this.#resume(lane, lane.resume)
    const limitBytes = Math.min(maxBytes, this.#limits.maxBytes)
    if (this.#limits.singleLane === true) return this.#nextOfOne(now, short, limitBytes)
    const reason = this.#due(this.#ready, now, short)
    return reason === undefined ? undefined : this.#gather(this.#ready, reason, limitBytes)
  }

  /** When the window of the oldest waiting record ends; undefined when nothing waits. */
  deadline(): number | undefined {
    let oldest: number | undefined
    for (const { oldestAt } of this.#ready) {
      if (oldestAt !== undefined && (oldest === undefined || oldestAt < oldest)) oldest = oldestAt
    }
    return oldest === undefined ? undefined : oldest + this.#limits.windowMs
  }

  /** Each lane is due by itself; of those that are, the one that entered first. */
  #nextOfOne(now: number, short: boolean, maxBytes: number): Batch | undefined {
    for (const lane of this.#ready) {
      const reason = this.#due([lane], now, short)
      if (reason !== undefined) return this.#gather([lane], reason, maxBytes)
    }
    return undefined
  }

  #due(lanes: Iterable<Lane>, now: number, short: boolean): CloseReason | undefined {
    let records = 0
    let bytes = 0
    let oldest = Number.POSITIVE_INFINITY
    for (const lane of lanes) {
      oldest = Math.min(oldest, lane.oldestAt ?? oldest)
      records += lane.records
      bytes += lane.bytes
      if (records >= this.#limits.maxRecords) return 'count'
      if (bytes >= this.#limits.maxBytes) return 'bytes'
    }
    if (records === 0) return undefined
    if (now >= oldest + this.#limits.windowMs) return 'window'
    return short ? 'memory' : undefined
  }

  #resume(lane: Lane, { pieces, until }: { readonly pieces: readonly Piece[]; readonly until: number }): Batch {
    const openedAt = lane.oldestAt!
    lane.resume = undefined
    lane.busy = true
    this.#ready.delete(lane)
    return { shares: [{ lane, slices: lane.takeBelow(until) }], reason: 'resume', openedAt, pieces }
  }

  #gather(lanes: Iterable<Lane>, reason: CloseReason, maxBytes: number): Batch {
    const shares: LaneShare[] = []
    let records = 0
    let bytes = 0
    let openedAt = Number.POSITIVE_INFINITY
    for (const lane of oldestFirst(lanes)) {
      if (records >= this.#limits.maxRecords || (shares.length > 0 && bytes >= maxBytes)) break
      const arrivedAt = lane.oldestAt!
      const slices = lane.take(
        this.#limits.maxRecords - records,
        maxBytes - bytes,
        shares.length === 0,
        this.#limits.maxDoneBytes
      )
      if (slices.length === 0) break
      openedAt = Math.min(openedAt, arrivedAt)
      for (const slice of slices) {
        records += sliceRecords(slice)
        bytes += slicePayloadBytes(slice)
      }
      lane.busy = true
      this.#ready.delete(lane)
      shares.push({ lane, slices })
    }
    return { shares, reason, openedAt }
  }
}

/** Lanes by the age of their head; of equal ages the one that entered first. All are sorted only where the first is not enough. */
function* oldestFirst(lanes: Iterable<Lane>): Generator<Lane> {
  let oldest: Lane | undefined
  for (const lane of lanes) if (oldest === undefined || lane.oldestAt! < oldest.oldestAt!) oldest = lane
  if (oldest === undefined) return
  yield oldest
  const others = [...lanes].filter(lane => lane !== oldest)
  yield* others.sort((a, b) => a.oldestAt! - b.oldestAt!)
}
