import { KafkaError } from './error-codes.ts'
import type { Held, Holder, LogBudget } from './log-budget.ts'
import { ProducerState } from './producer-state.ts'
import { checkProduced, placeBatch, readHeader, stampBatch } from './record-batch.ts'
import type { BatchHeader } from './record-batch.ts'
import { recordTimes } from './record-times.ts'
import type { RecordTime } from './record-times.ts'

interface StoredBatch extends Held {
  readonly buffer: Buffer
  readonly baseOffset: number
  readonly lastOffset: number
  readonly maxTimestamp: number
}

export interface Appended {
  readonly baseOffset: number
  /** The time given to the batch on topics with LogAppendTime, else −1. Milliseconds since the epoch. */
  readonly logAppendTime: number
}

/** What a topic's configuration asks of its logs; −1 for no limit. */
export interface LogLimits {
  readonly maxMessageBytes: number
  readonly retentionBytes: number
  readonly retentionMs: number
  readonly logAppendTime: boolean
}

/** Offsets from `from` on were written under this leader epoch. */
interface EpochStart {
  readonly epoch: number
  readonly from: number
}

/** A batch that keeps a larger chunk of memory alive than itself is copied out of it. */
function ownBytes(batch: Buffer): Buffer {
  if (batch.buffer.byteLength <= batch.length * 1.25) return batch
  const copy = Buffer.allocUnsafeSlow(batch.length)
  batch.copy(copy)
  return copy
}

/**
 * One partition in memory: whole batches in offset order. Offsets from `startOffset` up to but not including `endOffset`
 * can be read; a batch whose first records lie before `startOffset` stays until its last one does.
 */
export class PartitionLog implements Holder {
  readonly #budget: LogBudget
  readonly #limits: () => LogLimits
  #producers = new ProducerState()
  readonly #listeners = new Set<() => void>()
  #batches: StoredBatch[] = []
  /** Index of the first batch still held: dropping from the head must not move the rest every time. */
  #head = 0
  #bytes = 0
  #startOffset = 0
  #endOffset = 0
  /** Ascending; never empty. */
  #epochs: EpochStart[] = [{ epoch: 0, from: 0 }]

  constructor(budget: LogBudget, limits: () => LogLimits) {
    this.#budget = budget
    this.#limits = limits
  }

  get startOffset(): number {
    return this.#startOffset
  }

  /** One past the last record; also the high watermark and the last stable offset, for there is one replica. */
  get endOffset(): number {
    return this.#endOffset
  }

  get bytes(): number {
    return this.#bytes
  }

  get leaderEpoch(): number {
    return this.#epochs.at(-1)!.epoch
  }

  /** Refuses a client that takes another leader for the present one; −1: it does not say. */
  checkEpoch(epoch: number): void {
    if (epoch > this.leaderEpoch) throw new KafkaError('UNKNOWN_LEADER_EPOCH')
    if (epoch >= 0 && epoch < this.leaderEpoch) throw new KafkaError('FENCED_LEADER_EPOCH')
  }

  /** Under which the last record before `offset` was written. */
  epochBefore(offset: number): number {
    return (this.#epochs.findLast(({ from }) => from < offset) ?? this.#epochs[0]!).epoch
  }

  /** Where that epoch ended, or the last before it that wrote here; −1 for one that is still to come. */
  epochEnd(epoch: number): { leaderEpoch: number; endOffset: number } {
    if (epoch < 0 || epoch > this.leaderEpoch) return { leaderEpoch: -1, endOffset: -1 }
    const next = this.#epochs.findIndex(each => each.epoch > epoch)
    const found = this.#epochs.at(next < 0 ? -1 : next - 1)!
    return { leaderEpoch: found.epoch, endOffset: next < 0 ? this.#endOffset : this.#epochs[next]!.from }
  }

  /** A new leader epoch, in which the log goes on from `offset`: what lies there and behind is lost. */
  elect(offset: number): void {
    const inside = this.#batches.find(batch => batch.baseOffset < offset && batch.lastOffset >= offset)
    if (inside !== undefined || offset < this.#startOffset || offset > this.#endOffset)
      throw new Error(`the log can be cut between its batches only, and offset ${offset} is not between two`)
    const epoch = this.leaderEpoch + 1
    while (this.#batches.length > this.#head && this.#batches.at(-1)!.baseOffset >= offset) {
      const lost = this.#batches.pop()!
      this.#bytes -= lost.bytes
      this.#budget.removed(lost)
    }
    this.#endOffset = offset
    this.#epochs = [...this.#epochs.filter(({ from }) => from < offset), { epoch, from: offset }]
    // What producers sent last may be gone: they are taken as they come.
    this.#producers = new ProducerState()
    this.#announce()
  }

  /** Appends what a producer sent. Throws a KafkaError when it must be refused; then nothing has changed. */
  append(produced: Buffer, now: number): Appended {
    const header = checkProduced(produced)
    const { maxMessageBytes, logAppendTime } = this.#limits()
    if (produced.length > maxMessageBytes) {
      throw new KafkaError(
        'MESSAGE_TOO_LARGE',
        `the batch has ${produced.length} bytes, ${maxMessageBytes} are allowed`
      )
    }
    const repeated = this.#producers.check(header)
    if (repeated !== undefined) return { baseOffset: repeated.baseOffset, logAppendTime: repeated.timestamp }
    return this.#store(ownBytes(produced), header, logAppendTime ? now : -1, now)
  }

  /** Appends a batch that this process built: no size limit, no checks. */
  appendBuilt(batch: Buffer, now: number): Appended {
    return this.#store(batch, readHeader(batch), this.#limits().logAppendTime ? now : -1, now)
  }

  /**
   * Whole batches from the one that holds `offset` on, up to `maxBytes`. With `atLeastOne` the first comes even when it
   * alone is larger. Throws OFFSET_OUT_OF_RANGE outside the log.
   */
  read(offset: number, maxBytes: number, atLeastOne: boolean): { batches: Buffer[]; bytes: number } {
    if (offset < this.#startOffset || offset > this.#endOffset) {
      throw new KafkaError('OFFSET_OUT_OF_RANGE', `offset ${offset} is not in ${this.#startOffset}..${this.#endOffset}`)
    }
    const found: Buffer[] = []
    let bytes = 0
    for (let i = this.#indexOf(offset); i < this.#batches.length; i++) {
      const { buffer } = this.#batches[i]!
      if (bytes + buffer.length > maxBytes && !(atLeastOne && found.length === 0)) break
      found.push(buffer)
      bytes += buffer.length
    }
    return { batches: found, bytes }
  }

  /** The first record at or after `timestamp`, or nothing. */
  firstSince(timestamp: number): RecordTime | undefined {
    for (let i = this.#head; i < this.#batches.length; i++) {
      const batch = this.#batches[i]!
      if (batch.maxTimestamp < timestamp) continue
      const found = recordTimes(batch.buffer).find(({ timestamp: time, offset }) => {
        return time >= timestamp && offset >= this.#startOffset
      })
      if (found !== undefined) return found
    }
    return undefined
  }

  /** The first of the records with the highest timestamp, or nothing in an empty log. */
  latestByTime(): RecordTime | undefined {
    let latest: StoredBatch | undefined
    for (let i = this.#head; i < this.#batches.length; i++) {
      const batch = this.#batches[i]!
      if (latest === undefined || batch.maxTimestamp > latest.maxTimestamp) latest = batch
    }
    if (latest === undefined) return undefined
    const { maxTimestamp, buffer } = latest
    return recordTimes(buffer).find(record => record.timestamp === maxTimestamp) ?? recordTimes(buffer)[0]
  }

  /** Moves the start of the log. Throws OFFSET_OUT_OF_RANGE past its end; an offset already gone changes nothing. */
  deleteBefore(offset: number): void {
    if (offset < 0 || offset > this.#endOffset) {
      throw new KafkaError('OFFSET_OUT_OF_RANGE', `offset ${offset} is not in 0..${this.#endOffset}`)
    }
    if (offset <= this.#startOffset) return
    this.#startOffset = offset
    while (this.#batches[this.#head] !== undefined && this.#batches[this.#head]!.lastOffset < offset) this.#drop()
    this.#announce()
  }

  dropOldest(): void {
    const oldest = this.#batches[this.#head]
    if (oldest === undefined) return
    this.#startOffset = Math.max(this.#startOffset, oldest.lastOffset + 1)
    this.#drop()
  }

  /** Lets go what retention.ms and retention.bytes of the topic no longer keep. */
  expire(now: number): void {
    const { retentionBytes, retentionMs } = this.#limits()
    if (retentionMs >= 0) {
      while ((this.#batches[this.#head]?.maxTimestamp ?? Infinity) < now - retentionMs) this.dropOldest()
    }
    if (retentionBytes >= 0) {
      while (this.#bytes > retentionBytes && this.#head < this.#batches.length - 1) this.dropOldest()
    }
  }

  /** Lets everything go: the topic has been deleted. Readers that wait are woken to find that out. */
  clear(): void {
    while (this.#head < this.#batches.length) this.#drop()
    this.#startOffset = this.#endOffset
    this.#announce()
  }

  /** Calls `listener` after every change of the log's ends, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #store(buffer: Buffer, header: BatchHeader, logAppendTime: number, now: number): Appended {
    const baseOffset = this.#endOffset
    placeBatch(buffer, baseOffset, this.leaderEpoch)
    if (logAppendTime >= 0) stampBatch(buffer, logAppendTime)
    const batch: StoredBatch = {
      buffer,
      bytes: buffer.length,
      dropped: false,
      baseOffset,
      lastOffset: baseOffset + header.lastOffset - header.baseOffset,
      maxTimestamp: logAppendTime >= 0 ? logAppendTime : header.maxTimestamp
    }
    this.#batches.push(batch)
    this.#bytes += batch.bytes
    this.#endOffset = batch.lastOffset + 1
    this.#producers.appended(header, baseOffset, logAppendTime)
    this.#budget.added(this, batch)
    this.expire(now)
    this.#announce()
    return { baseOffset, logAppendTime }
  }

  /** Index of the batch that holds `offset`, or one past the last. */
  #indexOf(offset: number): number {
    let low = this.#head
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#batches[middle]!.lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  #drop(): void {
    const batch = this.#batches[this.#head]!
    this.#head += 1
    this.#bytes -= batch.bytes
    this.#budget.removed(batch)
    if (this.#head > 256 && this.#head * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(this.#head)
      this.#head = 0
    }
  }

  #announce(): void {
    for (const listener of this.#listeners) listener()
  }
}
