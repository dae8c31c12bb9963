import { column, type Block, type Slice } from '../record.ts'
import { base64Bytes, writeBase64 } from './base64.ts'
import { headersJsonBytes, writeHeaders } from './headers.ts'

/** What every event of a mapping says about its source (reference 2.1, 2.2). */
export interface EventSourceFields {
  readonly kind: 'msk' | 'self-managed'
  /** MSK only. */
  readonly arn?: string
  /** Endpoints in use, comma-joined. */
  readonly bootstrapServers: string
}

export interface Encoded {
  /** Length of the event at the beginning of the buffer; 0 when not even the first record fits. */
  readonly bytes: number
  /** Records written, in the order of the slices. */
  readonly records: number
}

/** Lambda's limit for a synchronous call (reference 3.5). */
export const maxEventBytes = 6_291_456

const comma = 44
const tail = Buffer.from(']}}')
const timestampName = Buffer.from(',"timestamp":')
const keyName = ',"key":"'
const valueName = '"value":"'
const headersName = '"headers":['
/** `,"timestamp":`, two numbers, names and marks of a record: no record needs more besides its own bytes. */
const fixedBytes = 160

/** All of a record's JSON up to its key, as the last record of the partition had it: the next differs in a few digits. */
interface Template {
  readonly key: string
  readonly opening: Buffer
  readonly prefix: Buffer
  bytes: Buffer
  /** Over `bytes` and what fills up their last word of eight: copied by words. No UTF-8 text is a NaN, which would not survive. */
  words: Float64Array
  offset: number
  offsetWidth: number
  timestamp: number
  timestampWidth: number
  timestampType: string
}

/**
 * Writes the `aws:kafka` event straight into one Buffer: base64 and signed header bytes without a string or an object per
 * record, and the exact size kept while writing, so that the 6 MB rule needs no second pass. One per mapping and thread.
 */
export class EventEncoder {
  readonly #head: Buffer
  readonly #maxBytes: number
  readonly #templates = new Map<string, Template>()

  constructor(source: EventSourceFields, maxBytes = maxEventBytes) {
    const arn = source.arn === undefined ? '' : `"eventSourceArn":${JSON.stringify(source.arn)},`
    const name = source.kind === 'msk' ? 'aws:kafka' : 'SelfManagedKafka'
    this.#head = Buffer.from(
      `{"eventSource":"${name}",${arn}"bootstrapServers":${JSON.stringify(source.bootstrapServers)},"records":{`
    )
    this.#maxBytes = maxBytes
  }

  /** A buffer of this size surely holds as much of `slices` as one event may. */
  capacityFor(slices: readonly Slice[]): number {
    let bytes = this.#head.length + tail.length
    for (const { block, from, to } of slices) {
      const template = this.#template(block)
      bytes += template.opening.length + 2
      for (let record = from; record < to; record++) {
        bytes += recordBound(block, record, template)
        if (bytes >= this.#maxBytes) return this.#maxBytes
      }
    }
    return bytes
  }

  /** Encodes slices, those of one partition next to each other. Stops before the record that would pass the limit or the buffer. */
  encode(slices: readonly Slice[], out: Buffer): Encoded {
    // What may be used for anything but the closing marks.
    const limit = Math.min(this.#maxBytes, out.length) - tail.length
    if (this.#head.length > limit) return { bytes: 0, records: 0 }
    const view = viewOf(out)
    out.set(this.#head, 0)
    let at = this.#head.length
    let records = 0
    let open: Template | undefined
    encoding: for (const { block, from, to } of slices) {
      const template = this.#template(block)
      const input = viewOf(block.bytes)
      for (let record = from; record < to; record++) {
        const separator = template === open ? 1 : template.opening.length + (open === undefined ? 0 : closeList.length)
        if (
          at + separator + recordBound(block, record, template) > limit &&
          at + separator + recordBytes(block, record, template) > limit
        ) {
          break encoding
        }
        if (template === open) out[at++] = comma
        else {
          if (open !== undefined) at = put(closeList, out, at)
          out.set(template.opening, at)
          at += template.opening.length
          open = template
        }
        at = writeRecord(block, record, template, input, out, view, at)
        records++
      }
    }
    return { bytes: records === 0 ? 0 : put(tail, out, at), records }
  }

  /** The size of an event with this record alone: what a record that can never be sent would need. */
  bytesAlone(block: Block, record: number): number {
    const template = this.#template(block)
    return this.#head.length + template.opening.length + recordBytes(block, record, template) + tail.length
  }

  #template(block: Block): Template {
    const key = `${block.topic}-${block.partition}`
    let template = this.#templates.get(key)
    if (template === undefined) {
      template = {
        key,
        opening: Buffer.from(`${JSON.stringify(key)}:[`),
        prefix: Buffer.from(`{"topic":${JSON.stringify(block.topic)},"partition":${block.partition},"offset":`),
        bytes: Buffer.alloc(0),
        words: new Float64Array(0),
        offset: -1,
        offsetWidth: 0,
        timestamp: -1,
        timestampWidth: 0,
        timestampType: ''
      }
      this.#templates.set(key, template)
    }
    return template
  }
}

const closeList = Buffer.from('],')

/** Short constants: a loop beats the call into native code. */
function put(source: Buffer, out: Buffer, at: number): number {
  for (let i = 0; i < source.length; i++) out[at + i] = source[i]!
  return at + source.length
}

/** An upper bound, without looking at a byte of the record. */
function recordBound(block: Block, record: number, template: Template): number {
  const { positions } = block
  const row = record * column.stride
  const keyStart = positions[row + column.keyStart]!
  const valueStart = positions[row + column.valueStart]!
  return (
    template.prefix.length +
    fixedBytes +
    (keyStart < 0 ? 0 : base64Bytes(positions[row + column.keyEnd]! - keyStart)) +
    (valueStart < 0 ? 0 : base64Bytes(positions[row + column.valueEnd]! - valueStart)) +
    // A header of n bytes on the wire (two of them lengths) is never more than 8 n bytes of JSON.
    (positions[row + column.end]! - positions[row + column.headers]!) * 8
  )
}

/** The exact size of a record's JSON. */
function recordBytes(block: Block, record: number, template: Template): number {
  const { positions } = block
  const row = record * column.stride
  const keyStart = positions[row + column.keyStart]!
  const valueStart = positions[row + column.valueStart]!
  return (
    template.prefix.length +
    String(block.offsets[record]!).length +
    timestampName.length +
    String(block.timestamps[record]!).length +
    `,"timestampType":"${block.timestampType}",`.length +
    (keyStart < 0 ? 0 : keyName.length + base64Bytes(positions[row + column.keyEnd]! - keyStart) + 1) +
    (valueStart < 0 ? 0 : valueName.length + base64Bytes(positions[row + column.valueEnd]! - valueStart) + 2) +
    headersName.length +
    headersJsonBytes(block.bytes, positions[row + column.headers]!) +
    2
  )
}

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

/** Four characters as one little-endian word: names are written by a few stores that may overlap. */
const word = (text: string, from: number): number => Buffer.from(text).readInt32LE(from)

/** Words of a template are the host's own, unlike those above. */
const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

const quoteComma = word('",""', 0) & 0xffff
const key0 = word(keyName, 0)
const key4 = word(keyName, 4)
const value0 = word(valueName, 0)
const value4 = word(valueName, 4)
const value5 = word(valueName, 5)
const noHeaders = `${headersName}]}`
const headers0 = word(noHeaders, 0)
const headers4 = word(noHeaders, 4)
const headers8 = word(noHeaders, 8)
const headers9 = word(noHeaders, 9)

function writeRecord(
  block: Block,
  record: number,
  template: Template,
  input: DataView,
  out: Buffer,
  view: DataView,
  at: number
): number {
  const { bytes, positions } = block
  const row = record * column.stride
  at = writeOpening(template, block, record, view, at)
  const keyStart = positions[row + column.keyStart]!
  if (keyStart >= 0) {
    view.setInt32(at, key0, true)
    view.setInt32(at + 4, key4, true)
    at = writeBase64(bytes, input, keyStart, positions[row + column.keyEnd]!, out, view, at + 8)
    view.setInt16(at, quoteComma, true)
    at += 2
  } else out[at++] = comma
  const valueStart = positions[row + column.valueStart]!
  if (valueStart >= 0) {
    view.setInt32(at, value0, true)
    view.setInt32(at + 4, value4, true)
    view.setInt32(at + 5, value5, true)
    at = writeBase64(bytes, input, valueStart, positions[row + column.valueEnd]!, out, view, at + 9)
    view.setInt16(at, quoteComma, true)
    at += 2
  }
  view.setInt32(at, headers0, true)
  view.setInt32(at + 4, headers4, true)
  view.setInt32(at + 8, headers8, true)
  const headers = positions[row + column.headers]!
  if (bytes[headers] === 0) {
    view.setInt32(at + 9, headers9, true)
    return at + 13
  }
  at = writeHeaders(bytes, headers, out, view, at + 11)
  out[at++] = 93
  out[at++] = 125
  return at
}

/** `{"topic":…,"partition":…,"offset":…,"timestamp":…,"timestampType":"…"`: what changed is patched, then all is copied. */
function writeOpening(template: Template, block: Block, record: number, view: DataView, at: number): number {
  const offset = block.offsets[record]!
  const timestamp = block.timestamps[record]!
  const offsetWidth = digits(offset)
  const timestampWidth = timestamp < 0 ? 0 : digits(timestamp)
  if (
    offsetWidth !== template.offsetWidth ||
    timestampWidth !== template.timestampWidth ||
    timestampWidth === 0 ||
    block.timestampType !== template.timestampType
  ) {
    rebuild(template, block.timestampType, offset, offsetWidth, timestamp, timestampWidth)
  } else {
    if (offset !== template.offset) writeDigits(offset, offsetWidth, template.bytes, template.prefix.length)
    if (timestamp !== template.timestamp) {
      const from = template.prefix.length + offsetWidth + timestampName.length
      writeDigits(timestamp, timestampWidth, template.bytes, from)
    }
    template.offset = offset
    template.timestamp = timestamp
  }
  const { words } = template
  // What the last word has too much is written over by the record's next bytes, of which there are more.
  for (let i = 0; i < words.length; i++) view.setFloat64(at + i * 8, words[i]!, hostIsLittleEndian)
  return at + template.bytes.length
}

function rebuild(
  template: Template,
  timestampType: string,
  offset: number,
  offsetWidth: number,
  timestamp: number,
  timestampWidth: number
): void {
  const numbers = Buffer.from(`${offset},"timestamp":${timestamp},"timestampType":"${timestampType}"`)
  const length = template.prefix.length + numbers.length
  const words = new Float64Array(Math.ceil(length / 8))
  const bytes = Buffer.from(words.buffer, 0, length)
  bytes.set(template.prefix, 0)
  bytes.set(numbers, template.prefix.length)
  Object.assign(template, { bytes, words, offset, offsetWidth, timestamp, timestampWidth, timestampType })
}

/** Decimal digits of a non-negative safe integer. */
function digits(value: number): number {
  let count = 1
  for (let bound = 10; value >= bound; bound *= 10) count++
  return count
}

function writeDigits(value: number, width: number, out: Buffer, at: number): void {
  let end = at + width
  // Above 2^31 integer division has to go through doubles: nine digits at a time keep the rest in small integers.
  while (value >= 1e9) {
    const high = Math.floor(value / 1e9)
    let low = value - high * 1e9
    for (let i = 0; i < 9; i++) {
      const next = (low / 10) | 0
      out[--end] = 48 + low - next * 10
      low = next
    }
    value = high
  }
  let rest = value | 0
  while (end > at) {
    const next = (rest / 10) | 0
    out[--end] = 48 + rest - next * 10
    rest = next
  }
}
