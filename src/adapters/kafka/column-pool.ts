import { column } from '../../core/record.ts'

/** Of one record: offset and timestamp, and its row of positions. */
const bytesPerRecord = 8 + 8 + 4 * column.stride
const smallestCapacity = 16

/** Room for the columns of a block. What lies in them from before is of no meaning. */
export interface Columns {
  /** Records. */
  readonly capacity: number
  readonly bytes: number
  readonly offsets: Float64Array
  readonly timestamps: Float64Array
  readonly positions: Int32Array
}

/**
 * Columns for blocks, used again when a block is finished: memory outside the heap that comes and goes with every record
 * batch makes the garbage collector mark the whole heap again and again. Sizes are powers of two.
 */
export class ColumnPool {
  readonly #idle = new Map<number, Columns[]>()
  readonly #maxIdleBytes: number
  #idleBytes = 0

  /** @param maxIdleBytes Columns beyond this are left to the garbage collector when they come back. */
  constructor(maxIdleBytes: number) {
    this.#maxIdleBytes = maxIdleBytes
  }

  /** Bytes of columns that wait to be used again. */
  get idleBytes(): number {
    return this.#idleBytes
  }

  /** Room for `count` records or more. */
  take(count: number): Columns {
    const capacity = count <= smallestCapacity ? smallestCapacity : 2 ** Math.ceil(Math.log2(count))
    const found = this.#idle.get(capacity)?.pop()
    if (found === undefined) return columnsFor(capacity)
    this.#idleBytes -= capacity * bytesPerRecord
    return found
  }

  /** Nobody may read them afterwards. */
  giveBack(columns: Columns): void {
    const { capacity, bytes } = columns
    if (this.#idleBytes + bytes > this.#maxIdleBytes) return
    const shelf = this.#idle.get(capacity)
    if (shelf === undefined) this.#idle.set(capacity, [columns])
    else shelf.push(columns)
    this.#idleBytes += bytes
  }
}

function columnsFor(capacity: number): Columns {
  const memory = new ArrayBuffer(capacity * bytesPerRecord)
  return {
    capacity,
    bytes: memory.byteLength,
    offsets: new Float64Array(memory, 0, capacity),
    timestamps: new Float64Array(memory, 8 * capacity, capacity),
    positions: new Int32Array(memory, 16 * capacity, column.stride * capacity)
  }
}
