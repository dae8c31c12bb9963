import { column, type Block } from '../../core/record.ts'

/** A record as it lies in a topic. */
export interface ReadRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
}

/** One record of a block, copied: it outlives the block. */
export function recordAt(block: Block, index: number): ReadRecord {
  const { topic, partition, offsets, timestamps, positions, bytes } = block
  const row = index * column.stride
  const part = (start: number, end: number): Buffer | null => {
    const from = positions[row + start]!
    return from < 0 ? null : Buffer.from(bytes.subarray(from, positions[row + end]))
  }
  return {
    topic,
    partition,
    offset: offsets[index]!,
    timestampMs: timestamps[index]!,
    key: part(column.keyStart, column.keyEnd),
    value: part(column.valueStart, column.valueEnd),
    headers: headersAt(bytes, positions[row + column.headers]!)
  }
}

function headersAt(bytes: Buffer, position: number): ReadRecord['headers'] {
  let at = position
  const varint = (): number => {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++]!
      value += (byte & 0x7f) * shift
      if (byte < 0x80) return value % 2 === 1 ? -(value + 1) / 2 : value / 2
    }
  }
  const take = (length: number): Buffer => Buffer.from(bytes.subarray(at, (at += length)))
  return Array.from({ length: varint() }, () => {
    const name = take(varint()).toString()
    const length = varint()
    return [name, length < 0 ? null : take(length)] as const
  })
}

/** A line that `millrace send --file` and `--seed` read again to the same bytes. */
export function recordJson({ topic, partition, offset, timestampMs, key, value, headers }: ReadRecord): string {
  return JSON.stringify({
    topic,
    partition,
    offset,
    timestamp: timestampMs,
    ...(key === null ? {} : coded('key', key)),
    ...(value === null ? { value: null } : coded('value', value)),
    ...headersJson(headers)
  })
}

const coded = (name: string, bytes: Buffer): Record<string, string> => {
  const text = textOf(bytes)
  return text === undefined ? { [`${name}Base64`]: bytes.toString('base64') } : { [name]: text }
}

type Values = [name: string, values: (Buffer | null)[]]

const isText = ([, values]: Values): boolean => values.every(value => value === null || textOf(value) !== undefined)

const valuesJson = (entries: readonly Values[], encoding: 'utf8' | 'base64'): object =>
  Object.fromEntries(
    entries.map(([name, values]) => {
      const texts = values.map(value => value?.toString(encoding) ?? null)
      return [name, texts.length === 1 ? texts[0] : texts]
    })
  )

/** A name with a value that is no text has all of them as base64: their order stays. */
function headersJson(headers: ReadRecord['headers']): Record<string, unknown> {
  const byName = new Map<string, (Buffer | null)[]>()
  for (const [name, value] of headers) byName.set(name, [...(byName.get(name) ?? []), value])
  const entries = [...byName]
  const texts = entries.filter(isText)
  const bytes = entries.filter(entry => !isText(entry))
  return {
    ...(texts.length === 0 ? {} : { headers: valuesJson(texts, 'utf8') }),
    ...(bytes.length === 0 ? {} : { headersBase64: valuesJson(bytes, 'base64') })
  }
}

/** Undefined: they are no UTF-8. */
export function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** For people, on one line. */
export function recordText(record: ReadRecord): string {
  const { topic, partition, offset, timestampMs, key, value, headers } = record
  const time = new Date(timestampMs).toISOString()
  const named = headers.map(([name, each]) => `${name}=${shown(each)}`)
  return [
    `${time} ${topic}-${partition}@${offset}`,
    ...(key === null ? [] : [`key=${shown(key)}`]),
    ...(named.length === 0 ? [] : [`[${named.join(' ')}]`]),
    shown(value)
  ].join(' ')
}

function shown(bytes: Buffer | null): string {
  if (bytes === null) return 'null'
  const text = textOf(bytes)
  if (text === undefined) return `base64:${bytes.toString('base64')}`
  // What moves a terminal's cursor is shown, not obeyed.
  return text.replace(/\p{Cc}/gu, each => JSON.stringify(each).slice(1, -1))
}
