import { parseCidr, addressDigits } from './address.ts'
import { compareDecimals, parseDecimal, type Decimal } from './decimal.ts'
import type { Json, Member } from './json.ts'
import { PatternError } from './pattern-error.ts'
import { parseWildcard, type Pieces } from './wildcard.ts'

/** What a string has to be. */
export type StringTest =
  | { readonly kind: 'equals'; readonly text: string }
  | { readonly kind: 'prefix'; readonly text: string; readonly ignoreCase: boolean }
  | { readonly kind: 'suffix'; readonly text: string; readonly ignoreCase: boolean }
  | { readonly kind: 'equals-ignore-case'; readonly text: string }
  | { readonly kind: 'wildcard'; readonly text: string; readonly pieces: Pieces }

export interface Bound {
  readonly value: Decimal
  readonly inclusive: boolean
}

/** One entry of a leaf array: the field matches when one of them does. */
export type Test =
  | StringTest
  | { readonly kind: 'literal'; readonly text: 'true' | 'false' | 'null' }
  | { readonly kind: 'number'; readonly value: Decimal }
  | { readonly kind: 'range'; readonly above?: Bound; readonly below?: Bound }
  /** Addresses as `addressDigits` has them. */
  | { readonly kind: 'address'; readonly low: string; readonly high: string }
  | { readonly kind: 'exists'; readonly expected: boolean }
  | { readonly kind: 'anything-but'; readonly strings: readonly StringTest[]; readonly numbers: readonly Decimal[] }

/** Operators of the object form, as the messages list them. */
export const operatorNames = [
  'anything-but',
  'cidr',
  'equals-ignore-case',
  'exactly',
  'exists',
  'numeric',
  'prefix',
  'suffix',
  'wildcard'
] as const

/** Reads one entry of a leaf array that stands at `place` of the pattern. */
export function parseTest(entry: Json, place: string): Test {
  switch (entry.kind) {
    case 'string':
      return equals(entry.value, place)
    case 'number':
      return { kind: 'number', value: parseDecimal(entry.text) }
    case 'literal':
      return entry
    case 'object':
      return operator(entry.members, place)
    case 'array':
      throw new PatternError(place, 'must be a string, a number, true, false, null or an operator, got a list')
    default:
      throw new Error(`no such JSON: ${entry satisfies never}`)
  }
}

/** A text that is an address stands for the address, however it is spelt, as event-ruler has it. */
function equals(text: string, place: string): Test {
  const digits = addressDigits(text)
  return digits === undefined
    ? { kind: 'equals', text: wellFormed(text, place) }
    : { kind: 'address', low: digits, high: digits }
}

function operator(members: readonly Member[], place: string): Test {
  const { name, value } = only(members, place, operatorNames)
  const at = `${place}.${name}`
  switch (name) {
    case 'exactly':
      return { kind: 'equals', text: stringOf(value, at) }
    case 'equals-ignore-case':
      return { kind: 'equals-ignore-case', text: stringOf(value, at) }
    case 'prefix':
    case 'suffix':
      return affix(name, value, at)
    case 'wildcard':
      return wildcard(value, at)
    case 'exists':
      if (value.kind === 'literal' && value.text !== 'null') return { kind: 'exists', expected: value.text === 'true' }
      throw new PatternError(at, `must be true or false, got ${described(value)}`)
    case 'cidr':
      return cidr(stringOf(value, at), at)
    case 'numeric':
      return numeric(value, at)
    case 'anything-but':
      return anythingBut(value, at)
    default:
      throw new PatternError(at, `is no operator: use one of ${operatorNames.join(', ')}`)
  }
}

function only(members: readonly Member[], place: string, names: readonly string[]): Member {
  const [member] = members
  if (member === undefined)
    throw new PatternError(place, `must hold an operator, one of ${names.join(', ')}; got an empty object`)
  if (members.length > 1)
    throw new PatternError(
      place,
      `must hold one operator, got ${members.map(({ name }) => name).join(' and ')}: give each an object of its own`
    )
  return member
}

function affix(kind: 'prefix' | 'suffix', value: Json, place: string): StringTest {
  if (value.kind !== 'object') return { kind, text: stringOf(value, place), ignoreCase: false }
  const { name, value: inner } = only(value.members, place, ['equals-ignore-case'])
  const at = `${place}.${name}`
  if (name !== 'equals-ignore-case')
    throw new PatternError(at, `cannot stand in ${kind}: use a string or equals-ignore-case`)
  return { kind, text: stringOf(inner, at), ignoreCase: true }
}

function wildcard(value: Json, place: string): StringTest {
  const text = stringOf(value, place)
  const pieces = parseWildcard(text)
  if (typeof pieces === 'string') throw new PatternError(place, pieces)
  return { kind: 'wildcard', text, pieces }
}

function cidr(text: string, place: string): Test {
  const range = parseCidr(text)
  if (typeof range === 'string') throw new PatternError(place, range)
  return { kind: 'address', ...range }
}

const numericForm = 'must be a list such as ["=", 5], [">", 0] or [">=", 0, "<", 10]'

function numeric(value: Json, place: string): Test {
  if (value.kind !== 'array') throw new PatternError(place, `${numericForm}, got ${described(value)}`)
  const [first, ...rest] = pairs(value.items, place)
  if (first === undefined) throw new PatternError(place, `${numericForm}, got an empty list`)
  const bound: Bound = { value: first.value, inclusive: first.comparison.endsWith('=') }
  const [second] = rest
  switch (first.comparison) {
    case '=':
      if (second !== undefined) throw new PatternError(place, 'must have nothing beside "="')
      return { kind: 'number', value: first.value }
    case '<':
    case '<=':
      if (second !== undefined) throw new PatternError(place, 'must name the lower bound (> or >=) first')
      return { kind: 'range', below: bound }
    case '>':
    case '>=': {
      if (second === undefined) return { kind: 'range', above: bound }
      if (rest.length > 1) throw new PatternError(place, 'must have at most two comparisons')
      if (second.comparison !== '<' && second.comparison !== '<=')
        throw new PatternError(`${place}[2]`, `must be "<" or "<=" after a lower bound, got "${second.comparison}"`)
      if (compareDecimals(first.value, second.value) >= 0)
        throw new PatternError(place, 'must have its lower bound below its upper bound')
      return { kind: 'range', above: bound, below: { value: second.value, inclusive: second.comparison === '<=' } }
    }
    default:
      throw new Error(`no such comparison: ${first.comparison satisfies never}`)
  }
}

const comparisons = ['=', '<', '<=', '>', '>='] as const

function pairs(items: readonly Json[], place: string): { comparison: (typeof comparisons)[number]; value: Decimal }[] {
  return Array.from({ length: Math.ceil(items.length / 2) }, (_, pair) => {
    const [name, value] = [items[pair * 2]!, items[pair * 2 + 1]]
    const comparison = comparisons.find(known => name.kind === 'string' && name.value === known)
    if (comparison === undefined)
      throw new PatternError(`${place}[${pair * 2}]`, `must be one of ${comparisons.join(' ')}, got ${described(name)}`)
    if (value?.kind !== 'number')
      throw new PatternError(
        `${place}[${pair * 2 + 1}]`,
        `must be a number, got ${value === undefined ? 'nothing' : described(value)}`
      )
    return { comparison, value: finite(value.text, `${place}[${pair * 2 + 1}]`) }
  })
}

/** Comparisons are promised in the range of IEEE doubles, and are exact there. */
function finite(text: string, place: string): Decimal {
  const value = parseDecimal(text)
  const double = Number(text)
  if (!Number.isFinite(double) || (double === 0 && value.sign !== 0))
    throw new PatternError(place, `must be a number that a double can come near (about 5e-324 to 1.8e308), got ${text}`)
  return value
}

const anythingButForm =
  'must be a string, a number, a list of strings, a list of numbers, or one of prefix, suffix, equals-ignore-case and wildcard'

function anythingBut(value: Json, place: string): Test {
  if (value.kind === 'object') return anythingButOperator(value.members, place)
  const items = value.kind === 'array' ? value.items : [value]
  const at = (index: number): string => (value.kind === 'array' ? `${place}[${index}]` : place)
  if (items.length === 0) throw new PatternError(place, `${anythingButForm}; got an empty list`)
  const strings: StringTest[] = []
  const numbers: Decimal[] = []
  for (const [index, item] of items.entries()) {
    if (item.kind === 'string') strings.push({ kind: 'equals', text: wellFormed(item.value, at(index)) })
    else if (item.kind === 'number') numbers.push(finite(item.text, at(index)))
    else throw new PatternError(at(index), `${anythingButForm}; got ${described(item)}`)
  }
  if (strings.length > 0 && numbers.length > 0)
    throw new PatternError(place, 'must hold strings only or numbers only, got both')
  return { kind: 'anything-but', strings, numbers }
}

function anythingButOperator(members: readonly Member[], place: string): Test {
  const { name, value } = only(members, place, ['prefix', 'suffix', 'equals-ignore-case', 'wildcard'])
  const outer = `${place}.${name}`
  const items = value.kind === 'array' ? value.items : [value]
  const strings = items.map((item, index): StringTest => {
    const at = value.kind === 'array' ? `${outer}[${index}]` : outer
    switch (name) {
      case 'prefix':
      case 'suffix': {
        const text = stringOf(item, at)
        if (text === '') throw new PatternError(at, 'must not be empty inside anything-but: nothing would match')
        return { kind: name, text, ignoreCase: false }
      }
      case 'equals-ignore-case':
        return { kind: 'equals-ignore-case', text: stringOf(item, at) }
      case 'wildcard':
        return wildcard(item, at)
      default:
        throw new PatternError(at, 'cannot stand in anything-but: use prefix, suffix, equals-ignore-case or wildcard')
    }
  })
  if (strings.length === 0) throw new PatternError(outer, 'must hold at least one string, got an empty list')
  return { kind: 'anything-but', strings, numbers: [] }
}

function stringOf(value: Json, place: string): string {
  if (value.kind !== 'string') throw new PatternError(place, `must be a string, got ${described(value)}`)
  return wellFormed(value.value, place)
}

/** Half of a character has no bytes, so no record could hold it. */
function wellFormed(text: string, place: string): string {
  if (!text.isWellFormed()) throw new PatternError(place, 'must be valid Unicode, got half of a surrogate pair')
  return text
}

/** What was given, for a message. */
export function described(value: Json): string {
  switch (value.kind) {
    case 'object':
      return value.members.length === 0 ? 'an empty object' : 'an object'
    case 'array':
      return value.items.length === 0 ? 'an empty list' : 'a list'
    case 'string':
      return value.value.length > 40 ? 'a string' : `the string ${JSON.stringify(value.value)}`
    case 'number':
      return value.text.length > 40 ? 'a number' : `the number ${value.text}`
    case 'literal':
      return value.text
    default:
      throw new Error(`no such JSON: ${value satisfies never}`)
  }
}
