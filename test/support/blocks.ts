import { Block, column, type Slice, type TimestampType } from '../../src/core/record.ts'

export interface RecordFields {
  readonly offset: number
  readonly timestamp?: number
  readonly key?: Uint8Array | string | null
  readonly value?: Uint8Array | string | null
  readonly headers?: readonly (readonly [string, Uint8Array | string | null])[]
}

export interface BlockOptions {
  readonly topic?: string
  readonly partition?: number
  readonly timestampType?: TimestampType
  readonly nextOffset?: number
  /** Default 0. */
  readonly leaderEpoch?: number
  readonly onRelease?: () => void
}

/** A block laid out as the decoder lays it out: header varints included. */
export function blockOf(records: readonly RecordFields[], options: BlockOptions = {}): Block {
  const bytes = new Bytes()
  const positions = new Int32Array(records.length * column.stride)
  records.forEach((record, index) => {
    const row = index * column.stride
    const put = (field: Uint8Array | string | null | undefined, start: number, end: number) => {
      positions[row + start] = field === null || field === undefined ? -1 : bytes.length
      if (field !== null && field !== undefined) bytes.add(Buffer.from(field))
      positions[row + end] = bytes.length
    }
    put(record.key, column.keyStart, column.keyEnd)
    put(record.value, column.valueStart, column.valueEnd)
    positions[row + column.headers] = bytes.length
    const headers = record.headers ?? []
    bytes.add(varint(headers.length))
    for (const [name, value] of headers) {
      const encoded = Buffer.from(name)
      bytes.add(varint(encoded.length))
      bytes.add(encoded)
      bytes.add(varint(value === null ? -1 : Buffer.from(value).length))
      if (value !== null) bytes.add(Buffer.from(value))
    }
    positions[row + column.end] = bytes.length
  })
  return new Block(
    {
      topic: options.topic ?? 'orders',
      partition: options.partition ?? 0,
      bytes: bytes.all(),
      count: records.length,
      offsets: Float64Array.from(records, record => record.offset),
      timestamps: Float64Array.from(records, record => record.timestamp ?? 1_700_000_000_000),
      timestampType: options.timestampType ?? 'CREATE_TIME',
      positions,
      nextOffset: options.nextOffset ?? (records.at(-1)?.offset ?? -1) + 1,
      leaderEpoch: options.leaderEpoch ?? 0
    },
    options.onRelease ?? (() => undefined)
  )
}

/** `count` records from `first` on, values of `valueBytes` bytes. */
export function plainBlock(first: number, count: number, options: BlockOptions & { valueBytes?: number } = {}): Block {
  const value = Buffer.alloc(options.valueBytes ?? 10, 120)
  return blockOf(
    Array.from({ length: count }, (_, index) => ({ offset: first + index, value })),
    options
  )
}

export const wholeSlice = (block: Block): Slice => ({ block, from: 0, to: block.count })

class Bytes {
  readonly #parts: Buffer[] = []
  length = 0

  add(part: Buffer): void {
    this.#parts.push(part)
    this.length += part.length
  }

  all(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

function varint(value: number): Buffer {
  let rest = value < 0 ? -2 * value - 1 : 2 * value
  const out: number[] = []
  while (rest > 127) {
    out.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  out.push(rest)
  return Buffer.from(out)
}
