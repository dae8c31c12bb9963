import type { ProducerMessage } from '../../adapters/kafka/producer.ts'
import { MillraceError } from '../../core/errors.ts'
import { JsonSyntaxError, jsonText, readJson, type Json } from '../../core/filter/json.ts'
import { nearest } from '../config/nearest.ts'

/** A record to send, and the topic where its line names one. */
export interface WrittenRecord {
  readonly topic?: string
  readonly message: ProducerMessage
}

type Fields = ReadonlyMap<string, Json>
type Header = readonly [name: string, value: Buffer | null]

/** What a line may hold; `offset` is what `millrace tail` writes beside them, and says nothing here. */
export const recordFields = [
  'value',
  'valueBase64',
  'key',
  'keyBase64',
  'headers',
  'headersBase64',
  'partition',
  'timestamp',
  'topic',
  'offset'
] as const

/**
 * Reads one line of JSON, `{"key", "value", "headers": {}, "partition", "timestamp"}`. A value that is no text is sent as the
 * JSON it is, digit for digit; `null` is a tombstone. Throws `MILL_RECORD_INVALID`; `where` begins its text.
 */
export function readRecordLine(bytes: Buffer, where: string): WrittenRecord {
  const refuse = (problem: string): MillraceError => new MillraceError('MILL_RECORD_INVALID', [where, problem])
  const fields = readFields(bytes, refuse)
  const reader = new LineReader(fields, refuse)
  const partition = reader.whole('partition', 2_147_483_647)
  const timestampMs = reader.time('timestamp')
  const topic = reader.text('topic')
  const value = reader.bytes('value', 'valueBase64')
  if (value === undefined)
    throw refuse('has no value: give value, valueBase64 for bytes, or "value": null for a tombstone')
  const key = reader.bytes('key', 'keyBase64')
  const headers = reader.headers()
  return {
    ...(topic === undefined ? {} : { topic }),
    message: {
      value,
      ...(key === undefined ? {} : { key }),
      ...(headers.length === 0 ? {} : { headers }),
      ...(partition === undefined ? {} : { partition }),
      ...(timestampMs === undefined ? {} : { timestampMs })
    }
  }
}

type Refuse = (problem: string) => MillraceError

function readFields(bytes: Buffer, refuse: Refuse): Fields {
  let json: Json
  try {
    json = readJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw refuse(`is not JSON: ${error.message} (position ${error.at})`)
    throw refuse('is not UTF-8: bytes go into valueBase64 and keyBase64')
  }
  if (json.kind !== 'object') throw refuse(`must be an object such as {"key":"k","value":"v"}, got ${shown(json)}`)
  for (const { name } of json.members) {
    if (recordFields.some(known => known === name)) continue
    const near = nearest(name, recordFields)
    throw refuse(
      `has no field ${JSON.stringify(name)}${near === undefined ? `: use ${recordFields.slice(0, 9).join(', ')}` : `: did you mean ${near}?`}`
    )
  }
  // Of repeated names the last counts, as JSON.parse has it.
  return new Map(json.members.map(({ name, value }) => [name, value]))
}

class LineReader {
  readonly #fields: Fields
  readonly #refuse: Refuse

  constructor(fields: Fields, refuse: Refuse) {
    this.#fields = fields
    this.#refuse = refuse
  }

  text(name: string): string | undefined {
    const given = this.#fields.get(name)
    if (given === undefined || given.kind === 'string') return given?.value
    throw this.#refuse(`must have a text as ${name}, got ${shown(given)}`)
  }

  whole(name: string, max: number): number | undefined {
    const given = this.#fields.get(name)
    if (given === undefined) return undefined
    const number = given.kind === 'number' ? Number(given.text) : NaN
    if (Number.isInteger(number) && number >= 0 && number <= max) return number
    throw this.#refuse(`must have a whole number from 0 as ${name}, got ${shown(given)}`)
  }

  /** Epoch milliseconds, or a time as ISO 8601 writes it. */
  time(name: string): number | undefined {
    const given = this.#fields.get(name)
    if (given?.kind !== 'string') return this.whole(name, Number.MAX_SAFE_INTEGER)
    const ms = /^\d{4}-\d\d-\d\d/.test(given.value) ? Date.parse(given.value) : NaN
    if (ms >= 0) return ms
    throw this.#refuse(
      `must have milliseconds since 1970 or a time such as 2026-01-31T12:00:00Z as ${name}, got ${shown(given)}`
    )
  }

  /** Undefined: neither is there. */
  bytes(name: string, base64Name: string): Buffer | null | undefined {
    const given = this.#fields.get(name)
    const coded = this.#fields.get(base64Name)
    if (given !== undefined && coded !== undefined)
      throw this.#refuse(`has ${name} and ${base64Name}: give one of them`)
    if (coded !== undefined) return this.#decoded(base64Name, coded)
    if (given === undefined) return undefined
    if (given.kind === 'string') return Buffer.from(given.value)
    return isNull(given) ? null : Buffer.from(jsonText(given))
  }

  headers(): Header[] {
    return [
      ...this.#headers('headers', (name, value) => {
        if (value.kind === 'string') return Buffer.from(value.value)
        if (value.kind === 'number' || value.kind === 'literal')
          return isNull(value) ? null : Buffer.from(jsonText(value))
        throw this.#refuse(`must have a text, a list of texts or null as ${name}, got ${shown(value)}`)
      }),
      ...this.#headers('headersBase64', (name, value) => this.#decoded(name, value))
    ]
  }

  /** A name may come more than once: then its values are a list. */
  #headers(field: string, read: (name: string, value: Json) => Buffer | null): Header[] {
    const given = this.#fields.get(field)
    if (given === undefined || isNull(given)) return []
    if (given.kind !== 'object')
      throw this.#refuse(`must have names with texts such as {"source":"shop"} as ${field}, got ${shown(given)}`)
    return given.members.flatMap(({ name, value }) =>
      (value.kind === 'array' ? value.items : [value]).map((each): Header => [name, read(`${field}.${name}`, each)])
    )
  }

  #decoded(name: string, given: Json): Buffer | null {
    if (isNull(given)) return null
    const text = given.kind === 'string' ? given.value : ''
    const bytes = Buffer.from(text, 'base64')
    if (given.kind === 'string' && bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '')) return bytes
    throw this.#refuse(`must have base64 as ${name}, got ${shown(given)}`)
  }
}

const isNull = (given: Json): boolean => given.kind === 'literal' && given.text === 'null'

function shown(given: Json): string {
  const text = jsonText(given)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
