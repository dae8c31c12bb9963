import { MillraceError } from '../../core/errors.ts'
import { JsonSyntaxError, jsonText, readJson, type Json } from '../../core/filter/json.ts'
import type { Line } from './input.ts'

/** One line of a file of cases. */
export interface Case {
  /** From 1. */
  readonly line: number
  readonly name: string
  readonly pattern: string
  /** The document and whether it matches; `invalid`: the pattern is to be refused. */
  readonly expected: { readonly event: string; readonly match: boolean } | 'invalid'
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads a line; undefined where nothing stands on it. Throws `MILL_FILTER_INPUT` with its number. */
export function readCase({ number, bytes }: Line): Case | undefined {
  const bad = (problem: string, cause?: unknown): MillraceError =>
    new MillraceError('MILL_FILTER_INPUT', [`Line ${number} of the cases ${problem}.`], { cause })
  const fields = readFields(number, bytes, bad)
  if (fields === undefined) return undefined
  /** `…Text` is exact and wins. */
  const exact = (field: 'pattern' | 'event'): string => {
    const text = fields.get(`${field}Text`)
    if (text?.kind === 'string') return text.value
    if (text !== undefined) throw bad(`must have a string as ${field}Text, got ${jsonText(text)}`)
    const value = fields.get(field)
    if (value === undefined) throw bad(`must have ${field} or ${field}Text`)
    return jsonText(value)
  }
  const flag = (field: 'match' | 'invalid'): boolean | undefined => {
    const value = fields.get(field)
    if (value === undefined) return undefined
    if (value.kind === 'literal' && value.text !== 'null') return value.text === 'true'
    throw bad(`must have true or false as ${field}, got ${jsonText(value)}`)
  }
  const name = fields.get('name')
  if (name !== undefined && name.kind !== 'string') throw bad(`must have a string as name, got ${jsonText(name)}`)
  const [match, isInvalid] = [flag('match'), flag('invalid')]
  if (match === undefined && isInvalid !== true) throw bad('must say match (true or false) or invalid (true)')
  if (match === true && isInvalid === true) throw bad('says both that the pattern is invalid and that it matches')
  try {
    return {
      line: number,
      name: name?.value ?? `line ${number}`,
      pattern: exact('pattern'),
      expected: isInvalid === true ? 'invalid' : { event: exact('event'), match: match === true }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw bad('is nested too deeply: give patternText and eventText', error)
  }
}

function readFields(
  number: number,
  bytes: Uint8Array,
  bad: (problem: string, cause?: unknown) => MillraceError
): ReadonlyMap<string, Json> | undefined {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch (error) {
    throw bad('is not UTF-8', error)
  }
  // Editors of some systems begin a file with a byte order mark.
  if (number === 1) text = text.replace(/^\uFEFF/, '')
  if (text.trim() === '') return undefined
  let line: Json
  try {
    line = readJson(text)
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw bad(`is not JSON: ${error.message} (position ${error.at})`, error)
  }
  if (line.kind !== 'object') throw bad('must be a JSON object with name, pattern, event and match')
  return new Map(line.members.map(({ name, value }) => [name, value]))
}
