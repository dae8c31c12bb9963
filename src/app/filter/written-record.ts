import { MillraceError } from '../../core/errors.ts'
import { metadataFields, type MetadataField } from '../../core/filter/criteria.ts'
import { JsonSyntaxError, jsonText, readJson, type Json } from '../../core/filter/json.ts'
import { nearest } from '../config/nearest.ts'
import type { Encoding } from './flags.ts'
import { recordBlock } from './record-block.ts'
import type { Block } from '../../core/record.ts'

/** A record as somebody wrote it, ready for a filter. */
export interface WrittenRecord {
  readonly block: Block
  /** What it says of itself besides its value. Key and headers are never missing: without them it has none. */
  readonly has: ReadonlySet<MetadataField>
  /** What was read as base64 because it looked like it. */
  readonly guessed: readonly ('key' | 'value')[]
}

type Object = Json & { readonly kind: 'object' }

/** Fields of a record in the function's event that a filter cannot see. */
const unseen = ['recordMetadata', 'keySchemaMetadata', 'valueSchemaMetadata']
const known = ['value', ...metadataFields, ...unseen]
/** Always there in the function's event, and seldom all of them where somebody writes a record by hand. */
const ofEvents = ['topic', 'partition', 'offset', 'timestamp', 'timestampType']

/**
 * Reads a record as the function's event shows it (key and value in base64, headers as lists of bytes), or written by hand:
 * the value as JSON or as text, the key as text, headers as texts by name. A whole event with one record will do.
 * Throws `MILL_FILTER_INPUT`.
 */
export function readRecord(text: string, encoding: Encoding): WrittenRecord {
  // Of repeated names the last counts, as JSON.parse has it.
  const fields = new Map(unwrapped(readObject(text)).members.map(({ name, value }) => [name, value]))
  for (const name of fields.keys()) {
    if (known.includes(name)) continue
    const near = nearest(name, known)
    throw bad(
      `has no field '${name}'${near === undefined ? `: use ${known.slice(0, 8).join(', ')}` : `: did you mean ${near}?`}`
    )
  }
  const isEvents = ofEvents.every(name => fields.has(name))
  const key = readBytes('key', fields.get('key'), encoding, isEvents)
  const value = readBytes('value', fields.get('value'), encoding, isEvents)
  return {
    block: recordBlock({
      topic: readString('topic', fields.get('topic')) ?? '',
      partition: readWhole('partition', fields.get('partition')) ?? 0,
      offset: readWhole('offset', fields.get('offset')) ?? 0,
      timestamp: readWhole('timestamp', fields.get('timestamp')) ?? 0,
      timestampType: readTimestampType(fields.get('timestampType')),
      key: key.bytes,
      value: value.bytes,
      headers: readHeaders(fields.get('headers'))
    }),
    has: new Set(metadataFields.filter(name => name === 'key' || name === 'headers' || fields.has(name))),
    guessed: [...(key.isGuessed ? (['key'] as const) : []), ...(value.isGuessed ? (['value'] as const) : [])]
  }
}

function readObject(text: string): Object {
  let record: Json
  try {
    record = readJson(text)
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw bad(`is not JSON: ${error.message} (position ${error.at})`)
  }
  if (record.kind === 'object') return record
  throw bad(`must be a JSON object with value, key, topic and so on, got ${shown(record)}`)
}

/** The record, where a whole event was given. */
function unwrapped(given: Object): Object {
  const lists = given.members.find(({ name }) => name === 'records')?.value
  if (lists?.kind !== 'object') return given
  const records = lists.members.flatMap(({ value }) => (value.kind === 'array' ? value.items : []))
  const [only] = records
  if (records.length === 1 && only?.kind === 'object') return only
  throw bad(`must be one record, got an event of ${records.length}: give one of them`)
}

interface ReadBytes {
  readonly bytes: Uint8Array | undefined
  readonly isGuessed: boolean
}

function readBytes(field: 'key' | 'value', given: Json | undefined, encoding: Encoding, isEvents: boolean): ReadBytes {
  if (given === undefined || (given.kind === 'literal' && given.text === 'null'))
    return { bytes: undefined, isGuessed: false }
  if (given.kind !== 'string') return { bytes: Buffer.from(jsonText(given)), isGuessed: false }
  const { value: text } = given
  const decoded = Buffer.from(text, 'base64')
  const isBase64 = decoded.toString('base64') === text
  if (encoding === 'base64') {
    if (isBase64) return { bytes: decoded, isGuessed: false }
    throw bad(`has a ${field} that is not base64: ${shown(given)}`)
  }
  if (encoding === 'auto' && isBase64 && text !== '') {
    if (isEvents) return { bytes: decoded, isGuessed: false }
    if (isText(decoded)) return { bytes: decoded, isGuessed: true }
  }
  return { bytes: Buffer.from(text), isGuessed: false }
}

/** Words that happen to be base64 nearly always stand for bytes that are no text. */
function isText(bytes: Uint8Array): boolean {
  try {
    return !/[^\P{Cc}\t\n\r]/u.test(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return false
  }
}

function readString(field: string, given: Json | undefined): string | undefined {
  if (given === undefined) return undefined
  if (given.kind === 'string') return given.value
  throw bad(`must have a string as ${field}, got ${shown(given)}`)
}

function readWhole(field: string, given: Json | undefined): number | undefined {
  if (given === undefined) return undefined
  const number = given.kind === 'number' ? Number(given.text) : NaN
  if (Number.isSafeInteger(number)) return number
  throw bad(`must have a whole number as ${field}, got ${shown(given)}`)
}

function readTimestampType(given: Json | undefined): Block['timestampType'] {
  const type = readString('timestampType', given) ?? 'CREATE_TIME'
  if (type === 'CREATE_TIME' || type === 'LOG_APPEND_TIME') return type
  throw bad(`must have CREATE_TIME or LOG_APPEND_TIME as timestampType, got ${JSON.stringify(type)}`)
}

/** A list of objects as the event has it, or one object. */
function readHeaders(given: Json | undefined): (readonly [name: string, value: Uint8Array])[] {
  if (given === undefined) return []
  const objects = given.kind === 'array' ? given.items : [given]
  return objects.flatMap(object => {
    if (object.kind !== 'object')
      throw bad(`must have headers such as [{"name":[104,105]}] or {"name":"hi"}, got ${shown(given)}`)
    return object.members.map(({ name, value }) => [name, readHeader(name, value)] as const)
  })
}

function readHeader(name: string, given: Json): Uint8Array {
  if (given.kind === 'string') return Buffer.from(given.value)
  const bytes =
    given.kind === 'array' ? given.items.map(item => (item.kind === 'number' ? Number(item.text) : NaN)) : [NaN]
  if (bytes.every(byte => Number.isInteger(byte) && byte >= -128 && byte <= 255)) return Uint8Array.from(bytes)
  throw bad(`must have a text or a list of bytes as header ${name}, got ${shown(given)}`)
}

const bad = (problem: string): MillraceError =>
  new MillraceError('MILL_FILTER_INPUT', [`The record of --record ${problem}.`])

const shown = (value: Json): string => {
  const text = jsonText(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
