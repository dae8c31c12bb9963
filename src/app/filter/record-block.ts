import { Block, column, type TimestampType } from '../../core/record.ts'

export interface OneRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds. */
  readonly timestamp: number
  readonly timestampType: TimestampType
  /** Undefined: null. */
  readonly key: Uint8Array | undefined
  readonly value: Uint8Array | undefined
  readonly headers: readonly (readonly [name: string, value: Uint8Array])[]
}

/** A block of one record, laid out as if it had been fetched: key, value and headers as Kafka's record format v2 has them. */
export function recordBlock({ key, value, headers, offset, timestamp, ...rest }: OneRecord): Block {
  const keyBytes = key ?? new Uint8Array(0)
  const keyAndValue = Buffer.concat([keyBytes, value ?? new Uint8Array(0)])
  const parts = headers.flatMap(([name, content]) => {
    const written = Buffer.from(name)
    return [varint(written.length), written, varint(content.length), content]
  })
  const bytes = Buffer.concat([keyAndValue, varint(headers.length), ...parts])
  const positions = new Int32Array(column.stride)
  positions[column.keyStart] = key === undefined ? -1 : 0
  positions[column.keyEnd] = keyBytes.length
  positions[column.valueStart] = value === undefined ? -1 : keyBytes.length
  positions[column.valueEnd] = keyAndValue.length
  positions[column.headers] = keyAndValue.length
  positions[column.end] = bytes.length
  const fields = {
    ...rest,
    bytes,
    positions,
    count: 1,
    offsets: Float64Array.of(offset),
    timestamps: Float64Array.of(timestamp),
    nextOffset: offset + 1,
    leaderEpoch: 0
  }
  return new Block(fields, () => undefined)
}

/** Zigzag, as Kafka writes lengths; they are never negative here. */
function varint(length: number): Buffer {
  const out: number[] = []
  let rest = length * 2
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128)
  return Buffer.from([...out, rest])
}
