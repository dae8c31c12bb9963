import { MillraceError } from '../errors.ts'
import { fieldNames, mappingFields } from './fields.ts'
import type { Field, Members, Shape, ValueOf } from './fields.ts'

export type Operation = 'create' | 'update'

/**
 * Reads the members of a request body against the table of fields. Unknown members are ignored, as AWS does; null is absent.
 * Throws `MILL_BODY_TYPE` for a value of the wrong JSON type, `MILL_CONSTRAINT` with every broken limit at once.
 */
export function readMembers(operation: Operation, body: unknown): Members {
  const given = asObject(body, 'The request body')
  const members: Record<string, unknown> = {}
  const broken: string[] = []
  for (const name of fieldNames) {
    const field: Field = mappingFields[name]
    if (operation === 'update' && field.createOnly === true) continue
    const value = given[name]
    if (value !== undefined && value !== null) members[name] = readValue(field.shape, value, name, broken)
    else if (operation === 'create' && field.requiredOnCreate === true) broken.push(isNull(name))
  }
  refuse(broken)
  return members
}

/** Reads one value that is not part of a mapping's body, for example a member of a query. */
export function readOne<S extends Shape>(shape: S, value: unknown, name: string): ValueOf<S> {
  const broken: string[] = []
  const read = readValue(shape, value, name, broken)
  refuse(broken)
  return read as ValueOf<S>
}

/** The error for a required member that is not there, as AWS's model check words it. */
export const missingMember = (name: string): MillraceError => constraintError([isNull(name)])

/** The error for one value that breaks one limit. */
export const brokenConstraint = (value: string, name: string, constraint: string): MillraceError =>
  constraintError([failed(value, lowerFirst(name), constraint)])

function refuse(broken: readonly string[]): void {
  if (broken.length > 0) throw constraintError(broken)
}

/** All are counted; of very many, which only a hostile request has, these are told. */
const mostShown = 50

function constraintError(broken: readonly string[]): MillraceError {
  const count = `${broken.length} validation ${broken.length === 1 ? 'error' : 'errors'} detected: `
  return new MillraceError('MILL_CONSTRAINT', [count + broken.slice(0, mostShown).join('; ')])
}

const lowerFirst = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1)
const failed = (value: string, path: string, constraint: string): string =>
  `Value '${shortened(value)}' at '${path}' failed to satisfy constraint: ${constraint}`
const shortened = (text: string): string => (text.length > 1_000 ? `${text.slice(0, 1_000)}…` : text)
const isNull = (name: string): string =>
  `Value null at '${lowerFirst(name)}' failed to satisfy constraint: Member must not be null`

/** `path` as the user wrote it (`SelfManagedEventSource.Endpoints`); AWS's texts begin each of its names in lower case. */
function readValue(shape: Shape, value: unknown, path: string, broken: string[]): unknown {
  switch (shape.type) {
    case 'string':
      if (typeof value !== 'string') throw wrongType(path, 'a string', value)
      return limit(shape, value, path, broken)
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(path, 'an integer', value)
      return limit(shape, value, path, broken)
    case 'boolean':
      if (typeof value !== 'boolean') throw wrongType(path, 'true or false', value)
      return value
    case 'timestamp':
      return readTimestamp(value, path)
    case 'list':
      return readList(shape, value, path, broken)
    case 'map':
      return readMap(shape, value, path, broken)
    case 'structure':
      return readStructure(shape, value, path, broken)
    default:
      throw new Error(`no reader for ${shape satisfies never}`)
  }
}

type Scalar = Extract<Shape, { type: 'string' | 'integer' }>

function limit(shape: Scalar, value: string | number, path: string, broken: string[]): unknown {
  for (const constraint of constraints(shape))
    if (!constraint.holds(value)) broken.push(failed(String(value), awsPath(path), constraint.text))
  return value
}

function readList(shape: Shape & { type: 'list' }, value: unknown, path: string, broken: string[]): unknown {
  if (!Array.isArray(value)) throw wrongType(path, 'a list', value)
  const { element } = shape
  limitLength(shape, value.length, shown(value), path, broken)
  if (element.type !== 'string')
    return value.map((item, at) => readValue(element, item, `${path}.${at + 1}.member`, broken))
  for (const item of value) if (typeof item !== 'string') throw wrongType(`${path}[]`, 'a string', item)
  const texts = value as readonly string[]
  // AWS shows the whole list and every limit of its elements, not the element's place (reference 1.9).
  const limits = constraints(element)
  if (texts.some(text => limits.some(limit => !limit.holds(text)))) {
    const all = limits.map(limit => limit.text).join(', ')
    broken.push(failed(shown(texts), awsPath(path), `Member must satisfy constraint: [${all}]`))
  }
  return texts
}

function readMap(shape: Shape & { type: 'map' }, value: unknown, path: string, broken: string[]): unknown {
  const given = Object.entries(asObject(value, path)).filter(([, item]) => item !== null)
  limitLength(shape, given.length, shown(given.map(([key]) => key)), path, broken)
  const limits = constraints(shape.key)
  const unfit = limits.filter(limit => given.some(([key]) => !limit.holds(key))).map(limit => limit.text)
  if (unfit.length > 0) {
    const keys = shown(given.map(([key]) => key))
    broken.push(failed(keys, awsPath(path), `Map keys must satisfy constraint: [${unfit.join(', ')}]`))
  }
  // A null prototype: a key named __proto__ is a key like any other.
  const read = Object.create(null) as Record<string, unknown>
  for (const [key, item] of given) read[key] = readValue(shape.value, item, `${path}.${key}`, broken)
  return read
}

function readStructure(shape: Shape & { type: 'structure' }, value: unknown, path: string, broken: string[]): unknown {
  const given = asObject(value, path)
  const read: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(shape.members)) {
    const item = given[name]
    if (item !== undefined && item !== null) read[name] = readValue(member, item, `${path}.${name}`, broken)
  }
  return read
}

function readTimestamp(value: unknown, path: string): number {
  const wanted = 'a number of epoch seconds or an ISO 8601 time'
  const ms = typeof value === 'number' ? Math.round(value * 1000) : typeof value === 'string' ? Date.parse(value) : NaN
  // Beyond a Date's range there is no time either; below 0 Kafka reads the number as "earliest" or "latest".
  if (Number.isNaN(new Date(ms).getTime()) || ms < 0) throw wrongType(path, wanted, value)
  return ms
}

interface Constraint {
  readonly text: string
  holds(value: string | number): boolean
}

function constraints(shape: Scalar): Constraint[] {
  const found: Constraint[] = []
  if (shape.type === 'integer') {
    found.push({ text: atMost('value', shape.max), holds: value => Number(value) <= shape.max })
    found.push({ text: atLeast('value', shape.min), holds: value => Number(value) >= shape.min })
    return found
  }
  const { min, max, pattern, values } = shape
  if (max !== undefined) found.push({ text: atMost('length', max), holds: value => String(value).length <= max })
  if (min !== undefined) found.push({ text: atLeast('length', min), holds: value => String(value).length >= min })
  if (values !== undefined)
    found.push({
      text: `Member must satisfy enum value set: [${values.join(', ')}]`,
      holds: value => values.includes(String(value))
    })
  if (pattern !== undefined) {
    const whole = new RegExp(`^(?:${pattern})$`, 's')
    found.push({
      text: `Member must satisfy regular expression pattern: ${pattern}`,
      // A text that is too long is refused for that; matching it as well could cost without bound.
      holds: value => String(value).length > (max ?? 2048) || whole.test(String(value))
    })
  }
  return found
}

function limitLength(
  { min, max }: { readonly min?: number; readonly max?: number },
  length: number,
  text: string,
  path: string,
  broken: string[]
): void {
  if (max !== undefined && length > max) broken.push(failed(text, awsPath(path), atMost('length', max)))
  if (min !== undefined && length < min) broken.push(failed(text, awsPath(path), atLeast('length', min)))
}

const atMost = (what: string, max: number): string => `Member must have ${what} less than or equal to ${max}`
const atLeast = (what: string, min: number): string => `Member must have ${what} greater than or equal to ${min}`
const awsPath = (path: string): string => path.split('.').map(lowerFirst).join('.')
const shown = (items: readonly unknown[]): string => `[${items.slice(0, 100).map(kindOf).join(', ')}]`

/** A text or number as it is; of anything deeper only what it is, for its depth is the sender's choice. */
function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  return String(value)
}

export function asObject(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(path, 'an object', value)
  return value as Readonly<Record<string, unknown>>
}

function wrongType(path: string, wanted: string, value: unknown): MillraceError {
  const given = typeof value === 'string' ? JSON.stringify(value) : kindOf(value)
  return new MillraceError('MILL_BODY_TYPE', [path, wanted, shortened(given)])
}
