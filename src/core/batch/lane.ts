import { varintBytes } from '../offsets/metadata.ts'
import type { Piece } from '../offsets/progress.ts'
import { type Slice, slicePayloadBytes, sliceRecords, type TopicPartition } from '../record.ts'

interface Waiting {
  slice: Slice
  readonly arrivedAt: number
}

/**
 * The unit of order inside a poller: its batches go out one at a time. A queue of slices, oldest first, with its
 * bookkeeping; it neither knows the time nor decides anything.
 *
 * idle: takes part in the next batch · busy: a batch of it is out (in flight or waiting for its retry) ·
 * leaving: the partition goes; the batch in flight may still settle, nothing new is sent ·
 * closed: the partition has gone; what still comes back settles nothing.
 */
export class Lane implements TopicPartition {
  readonly topic: string
  readonly partition: number
  #waiting: Waiting[] = []
  #head = 0
  #records = 0
  #bytes = 0
  /**
   * What an earlier owner left unfinished goes out first, in the pieces it was in. Until all of it has been fetched the
   * lane takes part in no batch.
   */
  resume: { readonly pieces: readonly Piece[]; readonly until: number; complete: boolean } | undefined
  busy = false
  leaving = false
  closed = false

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  /** Records that wait. */
  get records(): number {
    return this.#records
  }

  /** Payload bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** It may give to a batch. */
  get ready(): boolean {
    return !this.busy && !this.leaving && this.#records > 0 && this.resume?.complete !== false
  }

  /** When the oldest waiting record arrived: the window of its batch began then (reference 3.3). */
  get oldestAt(): number | undefined {
    return this.#waiting[this.#head]?.arrivedAt
  }

  add(slice: Slice, now: number): void {
    this.#waiting.push({ slice, arrivedAt: now })
    this.#records += sliceRecords(slice)
    this.#bytes += slicePayloadBytes(slice)
  }

  /**
   * Takes slices from the head: at most `maxRecords` records and `maxBytes` bytes, but with `atLeastOne` a first record of
   * any size; and no more than whose finished and unfinished offsets can be told apart in `maxDoneBytes`.
   */
  take(maxRecords: number, maxBytes: number, atLeastOne: boolean, maxDoneBytes = Number.POSITIVE_INFINITY): Slice[] {
    const most = maxDoneBytes === Number.POSITIVE_INFINITY ? maxRecords : this.#within(maxRecords, maxDoneBytes)
    return this.#take(most, maxBytes, atLeastOne)
  }

  /** A record below `offset` waits. */
  holdsBelow(offset: number): boolean {
    const first = this.#waiting[this.#head]?.slice
    return first !== undefined && first.block.offsets[first.from]! < offset
  }

  /** Takes everything below `offset`. */
  takeBelow(offset: number): Slice[] {
    let records = 0
    for (const { slice } of this.#waiting.slice(this.#head)) {
      const { block, from, to } = slice
      let end = from
      while (end < to && block.offsets[end]! < offset) end++
      records += end - from
      if (end < to) break
    }
    return records === 0 ? [] : this.#take(records, Number.POSITIVE_INFINITY, true)
  }

  /** How many records may be finished and unfinished in any pattern, if to tell which takes `maxBytes`: as runs or as bits. */
  #within(maxRecords: number, maxBytes: number): number {
    let records = 0
    let first: number | undefined
    let before = 0
    let runsBytes = 0
    for (let at = this.#head; at < this.#waiting.length; at++) {
      const { block, from, to } = this.#waiting[at]!.slice
      for (let record = from; record < to && records < maxRecords; record++) {
        const offset = block.offsets[record]!
        first ??= offset
        // Up to two numbers a record: how far it reaches, and how far what nobody wanted before the next.
        if (records > 0) runsBytes += 2 * varintBytes(offset - before)
        if (records > 0 && Math.min(runsBytes, (offset - first) / 8 + 1) > maxBytes) return records
        before = offset
        records++
      }
    }
    return records
  }

  #take(maxRecords: number, maxBytes: number, atLeastOne: boolean): Slice[] {
    const taken: Slice[] = []
    let records = 0
    let bytes = 0
    while (this.#head < this.#waiting.length && records < maxRecords) {
      const first = this.#waiting[this.#head]!
      const part = fitting(first.slice, maxRecords - records, maxBytes - bytes, atLeastOne && taken.length === 0)
      if (part === undefined) break
      taken.push(part)
      records += sliceRecords(part)
      bytes += slicePayloadBytes(part)
      if (part.to < first.slice.to) {
        first.slice = { block: first.slice.block, from: part.to, to: first.slice.to }
        break
      }
      this.#head++
    }
    this.#forget()
    this.#records -= records
    this.#bytes -= bytes
    return taken
  }

  /** Gives back what a batch could not hold, to the head, in its order. */
  putBack(slices: readonly Slice[], arrivedAt: number): void {
    this.#waiting.splice(0, this.#head, ...slices.map(slice => ({ slice, arrivedAt })))
    this.#head = 0
    for (const slice of slices) {
      this.#records += sliceRecords(slice)
      this.#bytes += slicePayloadBytes(slice)
    }
  }

  /** Gives up what waits at or above `offset`, and returns it so that its memory can be freed. */
  cut(offset: number): Slice[] {
    const waiting = this.#waiting.slice(this.#head)
    this.clear()
    const given: Slice[] = []
    for (const { slice, arrivedAt } of waiting) {
      const { block, from, to } = slice
      let end = to
      while (end > from && block.offsets[end - 1]! >= offset) end--
      if (end > from) this.add({ block, from, to: end }, arrivedAt)
      if (end < to) given.push({ block, from: end, to })
    }
    return given
  }

  /** Gives up everything that waits, and returns it so that its memory can be freed. */
  clear(): Slice[] {
    const rest = this.#waiting.slice(this.#head).map(waiting => waiting.slice)
    this.#waiting = []
    this.#head = 0
    this.#records = 0
    this.#bytes = 0
    return rest
  }

  #forget(): void {
    if (this.#head === this.#waiting.length) {
      this.#waiting = []
      this.#head = 0
    } else if (this.#head > 64 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
  }
}

/** The longest beginning of `slice` within the limits; a single record at least when `force`. */
function fitting(slice: Slice, maxRecords: number, maxBytes: number, force: boolean): Slice | undefined {
  const longest = Math.min(slice.to, slice.from + maxRecords)
  const whole = longest === slice.to ? slice : { block: slice.block, from: slice.from, to: longest }
  if (slicePayloadBytes(whole) <= maxBytes) return whole
  let low = slice.from
  let high = longest
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (slicePayloadBytes({ block: slice.block, from: slice.from, to: middle }) <= maxBytes) low = middle
    else high = middle - 1
  }
  if (low === slice.from) return force ? { block: slice.block, from: slice.from, to: slice.from + 1 } : undefined
  return { block: slice.block, from: slice.from, to: low }
}
