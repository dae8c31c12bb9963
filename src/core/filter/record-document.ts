import { headersJsonBytes, writeHeaders } from '../event/headers.ts'
import { column, type Block } from '../record.ts'
import type { MetadataField } from './criteria.ts'
import { readJson, type Json, type Member } from './json.ts'

/** The fields of a record besides its value, as the event delivers them: the key in base64, headers as lists of signed bytes. */
export function metadataMembers(block: Block, row: number, wanted: ReadonlySet<string>): Member[] {
  return (Object.keys(readers) as MetadataField[]).flatMap(name => {
    const value = wanted.has(name) ? readers[name](block, row) : undefined
    return value === undefined ? [] : [{ name, value }]
  })
}

const readers: Record<MetadataField, (block: Block, row: number) => Json | undefined> = {
  topic: block => ({ kind: 'string', value: block.topic }),
  partition: block => ({ kind: 'number', text: String(block.partition) }),
  offset: (block, row) => ({ kind: 'number', text: String(block.offsets[row]!) }),
  timestamp: (block, row) => ({ kind: 'number', text: String(block.timestamps[row]!) }),
  timestampType: block => ({ kind: 'string', value: block.timestampType }),
  key: ({ bytes, positions }, row) => {
    const start = positions[row * column.stride + column.keyStart]!
    if (start < 0) return undefined
    return { kind: 'string', value: bytes.toString('base64', start, positions[row * column.stride + column.keyEnd]) }
  },
  headers: ({ bytes, positions }, row) => {
    const at = positions[row * column.stride + column.headers]!
    const length = headersJsonBytes(bytes, at)
    // Three bytes more than needed may be written.
    const out = Buffer.alloc(length + 3)
    writeHeaders(bytes, at, out, new DataView(out.buffer, out.byteOffset, out.length), 0)
    return readJson(`[${out.toString('utf8', 0, length)}]`)
  }
}

/** What a value is to a filter (reference 4.2): `json` is an object or a list, `text` any other UTF-8, bare JSON scalars included. */
export type ValueFormat = 'none' | 'json' | 'text' | 'binary'

export interface ReadValue {
  readonly format: ValueFormat
  /** The document, or the text as a string. */
  readonly value?: Json
}

// A byte order mark is not JSON, so it must not be taken off.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads a record's value the plain way. Undefined is a tombstone. */
export function readValue(bytes: Uint8Array | undefined): ReadValue {
  if (bytes === undefined) return { format: 'none' }
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return { format: 'binary' }
  }
  try {
    const value = readJson(text)
    if (value.kind === 'object' || value.kind === 'array') return { format: 'json', value }
  } catch {
    // Not JSON, then: a plain string.
  }
  return { format: 'text', value: { kind: 'string', value: text } }
}
