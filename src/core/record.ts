/** Kafka's names for where a record's timestamp comes from, as the event carries them (reference 2.3). */
export type TimestampType = 'CREATE_TIME' | 'LOG_APPEND_TIME'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** Columns of `Block.positions`: one row of `stride` byte positions a record. */
export const column = { keyStart: 0, keyEnd: 1, valueStart: 2, valueEnd: 3, headers: 4, end: 5, stride: 6 } as const

export interface BlockFields extends TopicPartition {
  /** Keys, values and headers lie in here, as Kafka's record format v2 has them, inflated. */
  readonly bytes: Buffer
  readonly count: number
  /** Ascending, not necessarily contiguous. Exact up to 2^53. */
  readonly offsets: Float64Array
  /** Milliseconds. */
  readonly timestamps: Float64Array
  readonly timestampType: TimestampType
  /** `column.stride` positions a record. A null key or value starts at -1. `headers` points at the header count (varint). */
  readonly positions: Int32Array
  /** One past the last offset this block accounts for; control records and holes left by compaction included. */
  readonly nextOffset: number
  readonly leaderEpoch: number
}

/**
 * A fetched record batch, decoded into one Buffer and columns: records travel as blocks, not objects.
 * It keeps its bytes until every record is finished, because retries and destinations read them again.
 */
export class Block implements BlockFields {
  readonly topic: string
  readonly partition: number
  bytes: Buffer
  offsets: Float64Array
  timestamps: Float64Array
  readonly timestampType: TimestampType
  positions: Int32Array
  readonly nextOffset: number
  readonly leaderEpoch: number
  #count: number
  #sparse = false
  #unfinished: number
  #release: () => void

  /** `release` is called once, when the last record is finished: the bytes may then be used again. */
  constructor(fields: BlockFields, release: () => void) {
    this.topic = fields.topic
    this.partition = fields.partition
    this.bytes = fields.bytes
    this.#count = fields.count
    this.offsets = fields.offsets
    this.timestamps = fields.timestamps
    this.timestampType = fields.timestampType
    this.positions = fields.positions
    this.nextOffset = fields.nextOffset
    this.leaderEpoch = fields.leaderEpoch
    this.#unfinished = fields.count
    this.#release = release
  }

  get count(): number {
    return this.#count
  }

  /** Records were taken out: those that are left do not lie next to each other in `bytes`. */
  get sparse(): boolean {
    return this.#sparse
  }

  /**
   * Keeps the records that `isKept` says, as if no others had been fetched: their rows close up in place. Only before any
   * slice of the block exists. Answers how many are left; with none, or few that are then copied, the bytes are free at once.
   */
  retain(isKept: (record: number) => boolean): number {
    const { stride } = column
    const fetchedBytes = payloadBytes(this.positions, this.#count)
    let kept = 0
    for (let record = 0; record < this.#count; record++) {
      if (!isKept(record)) continue
      if (kept < record) {
        this.offsets[kept] = this.offsets[record]!
        this.timestamps[kept] = this.timestamps[record]!
        this.positions.copyWithin(kept * stride, record * stride, (record + 1) * stride)
      }
      kept++
    }
    const gone = this.#count - kept
    if (gone === 0) return kept
    this.#count = kept
    this.#sparse = true
    this.finish(gone)
    if (kept > 0 && sparsePayloadBytes(this.positions, 0, kept) * 2 < fetchedBytes) this.#moveOut()
    return kept
  }

  /** Few records must not keep many bytes: they go on in a Buffer and columns of their own. */
  #moveOut(): void {
    const { stride, keyStart, valueStart } = column
    const bytes = Buffer.allocUnsafeSlow(sparsePayloadBytes(this.positions, 0, this.#count))
    const positions = this.positions.slice(0, this.#count * stride)
    let at = 0
    for (let row = 0; row < positions.length; row += stride) {
      const first = firstByte(positions, row)
      const end = positions[row + column.end]!
      this.bytes.copy(bytes, at, first, end)
      for (let cell = 0; cell < stride; cell++) {
        const isNull = (cell === keyStart || cell === valueStart) && positions[row + cell]! < 0
        if (!isNull) positions[row + cell]! += at - first
      }
      at += end - first
    }
    this.bytes = bytes
    this.positions = positions
    this.offsets = this.offsets.slice(0, this.#count)
    this.timestamps = this.timestamps.slice(0, this.#count)
    this.#release()
    this.#release = () => undefined
  }

  /** `records` more of this block are settled, filtered out, discarded or given up. */
  finish(records: number): void {
    if (records <= 0) return
    this.#unfinished -= records
    if (this.#unfinished < 0)
      throw new Error(`block ${this.topic}-${this.partition} finished more often than it has records`)
    if (this.#unfinished === 0) this.#release()
  }

  get finished(): boolean {
    return this.#unfinished === 0
  }
}

/** The records `from` (included) to `to` (excluded) of a block. */
export interface Slice {
  readonly block: Block
  readonly from: number
  readonly to: number
}

export const sliceRecords = (slice: Slice): number => slice.to - slice.from

/** First offset of a slice, and one past its last: up to the next record of the block, so that holes belong to somebody. */
export function sliceOffsets(slice: Slice): { first: number; next: number } {
  const { block, from, to } = slice
  return { first: block.offsets[from]!, next: to < block.count ? block.offsets[to]! : block.nextOffset }
}

/** Payload bytes of a slice as Kafka stores them: what the memory budget counts. */
export function slicePayloadBytes(slice: Slice): number {
  const { positions, sparse } = slice.block
  if (slice.to <= slice.from) return 0
  if (sparse) return sparsePayloadBytes(positions, slice.from, slice.to)
  const start = slice.from === 0 ? firstByte(positions) : positions[(slice.from - 1) * column.stride + column.end]!
  return positions[(slice.to - 1) * column.stride + column.end]! - start
}

function payloadBytes(positions: Int32Array, count: number): number {
  return count === 0 ? 0 : positions[(count - 1) * column.stride + column.end]! - firstByte(positions)
}

function sparsePayloadBytes(positions: Int32Array, from: number, to: number): number {
  let bytes = 0
  for (let row = from * column.stride; row < to * column.stride; row += column.stride)
    bytes += positions[row + column.end]! - firstByte(positions, row)
  return bytes
}

function firstByte(positions: Int32Array, row = 0): number {
  const key = positions[row + column.keyStart]!
  return key >= 0 ? key : positions[row + column.keyEnd]!
}
