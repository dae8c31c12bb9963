import { MillraceError } from '../../core/errors.ts'
import { isAddressRange } from '../../core/net/address-guard.ts'
import type { Address } from './shape.ts'
import { sourceText, type Given } from './source.ts'

/** How one value is written, and what is checked of it. */
export type ValueType =
  | { readonly kind: 'address' }
  | { readonly kind: 'path' }
  | { readonly kind: 'int'; readonly min: number; readonly max: number }
  | { readonly kind: 'int-or-auto'; readonly min: number; readonly max: number }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'choice'; readonly values: readonly string[] }
  /** `wanted` ends the sentence "… must be …". */
  | { readonly kind: 'pattern'; readonly pattern: RegExp; readonly wanted: string }
  | { readonly kind: 'store' }
  /** Never shown, not even in an error. */
  | { readonly kind: 'secret' }
  | { readonly kind: 'url' }
  /** Name to text; numbers and booleans are taken as they are written. */
  | { readonly kind: 'texts' }
  | { readonly kind: 'brokers' }
  /** Of IP addresses: a list, or one text with commas; none: an empty list. */
  | { readonly kind: 'ranges' }
  /** A program and its arguments. */
  | { readonly kind: 'command' }

interface ValueOf {
  address: Address
  path: string
  int: number
  'int-or-auto': number | 'auto'
  boolean: boolean
  choice: string
  pattern: string
  store: 'sqlite'
  secret: string
  url: string
  texts: Readonly<Record<string, string>>
  brokers: readonly string[]
  ranges: readonly string[]
  command: readonly string[]
}

type Kind = ValueType['kind']
type Readers = { [K in Kind]: (given: Given, type: Extract<ValueType, { kind: K }>) => ValueOf[K] }

/** The value, checked. Throws `MILL_CONFIG_VALUE` (or `MILL_CONFIG_NOT_BUILT`) naming it and where it came from. */
export function readValue<T extends ValueType>(type: T, given: Given): ValueOf[T['kind']] {
  // TypeScript cannot follow that the reader found by the type's kind takes that type: `never` fits them all.
  const read: (given: Given, type: never) => unknown = readers[type.kind]
  return read(given, type as never) as ValueOf[T['kind']]
}

/** What would do, as the end of "… must be …". */
export function wantedText(type: ValueType): string {
  switch (type.kind) {
    case 'address':
      return 'HOST:PORT such as 127.0.0.1:4577, with a port from 0 to 65535'
    case 'path':
      return 'a path'
    case 'int':
      return `a whole number from ${type.min} to ${type.max}`
    case 'int-or-auto':
      return `auto or a whole number from ${type.min} to ${type.max}`
    case 'boolean':
      return 'true or false'
    case 'choice':
      return `${type.values.slice(0, -1).join(', ')} or ${type.values.at(-1)}`
    case 'pattern':
      return type.wanted
    case 'store':
      return 'sqlite'
    case 'secret':
      return 'a text in quotes that is not empty'
    case 'url':
      return 'an absolute http or https URL such as http://127.0.0.1:9000/orders'
    case 'texts':
      return 'names with texts'
    case 'brokers':
      return 'a list of HOST:PORT such as [ "127.0.0.1:9092" ]'
    case 'ranges':
      return 'none or a list of ranges of addresses such as [ 10.0.0.0/8, fd00::/8, 192.0.2.7 ]'
    case 'command':
      return 'a list of a program and its arguments such as [ ./functions/parse/bootstrap ]'
    default:
      throw new Error(`unknown type ${JSON.stringify(type satisfies never)}`)
  }
}

/** The error for a value that cannot be used. `got` says what was given; secrets leave it to the kind of value. */
export function valueError(given: Given, wanted: string, got = describe(given.value)): MillraceError {
  return new MillraceError('MILL_CONFIG_VALUE', [given.name, wanted, got, sourceText(given.source)])
}

export function notBuilt(given: Given, advice: string): MillraceError {
  return new MillraceError('MILL_CONFIG_NOT_BUILT', [given.name, advice, sourceText(given.source)])
}

/** As `describe`, for values that may be a secret, or hold one: nothing of a text is shown. */
export const kindOf = (value: unknown): string => (typeof value === 'string' ? 'a text' : describe(value))

/** A value as a person would name it, short. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value)
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  return Array.isArray(value) ? 'a list' : 'keys and values'
}

const whole = (value: unknown): number =>
  typeof value === 'number' ? value : typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : NaN

function readInt(given: Given, type: Extract<ValueType, { kind: 'int' | 'int-or-auto' }>): number {
  const number = whole(given.value)
  if (!Number.isInteger(number) || number < type.min || number > type.max) throw valueError(given, wantedText(type))
  return number
}

/** `host:port`, an IPv6 address in brackets. undefined when it is not one. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[(?<six>[\da-fA-F:.]+)\]|(?<host>[\w.-]+)):(?<port>\d{1,5})$/.exec(text)
  const host = match?.groups?.['six'] ?? match?.groups?.['host']
  const port = Number(match?.groups?.['port'])
  return host === undefined || port > 65_535 ? undefined : { host, port }
}

/** As a person writes it: the reverse of `parseAddress`. */
export const addressText = ({ host, port }: Address): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

const truths: Readonly<Record<string, boolean>> = { true: true, '1': true, false: false, '0': false }

const readers: Readers = {
  address(given, type) {
    const address = typeof given.value === 'string' ? parseAddress(given.value) : undefined
    if (address === undefined) throw valueError(given, wantedText(type))
    return address
  },
  path(given, type) {
    if (typeof given.value !== 'string' || given.value === '') throw valueError(given, wantedText(type))
    return given.value
  },
  int: readInt,
  'int-or-auto': (given, type) => (given.value === 'auto' ? 'auto' : readInt(given, type)),
  boolean(given, type) {
    const truth = truths[String(given.value).toLowerCase()]
    if (truth === undefined) throw valueError(given, wantedText(type))
    return truth
  },
  choice(given, type) {
    if (typeof given.value !== 'string' || !type.values.includes(given.value)) {
      throw valueError(given, wantedText(type))
    }
    return given.value
  },
  pattern(given, type) {
    // YAML reads twelve digits without quotes as a number; nothing is lost unless it began with a zero.
    const text = typeof given.value === 'number' ? String(given.value) : given.value
    if (typeof text !== 'string' || !type.pattern.test(text)) throw valueError(given, wantedText(type))
    return text
  },
  store(given, type) {
    if (given.value === 'sqlite') return 'sqlite'
    if (typeof given.value === 'string' && /^postgres(ql)?:/.test(given.value)) {
      throw notBuilt({ ...given, name: 'store: postgres' }, 'use sqlite')
    }
    throw valueError(given, wantedText(type))
  },
  secret(given, type) {
    if (typeof given.value === 'string' && given.value !== '') return given.value
    throw valueError(
      given,
      wantedText(type),
      given.value === ''
        ? 'an empty one'
        : given.value === undefined || given.value === null
          ? 'nothing'
          : `a ${typeof given.value}`
    )
  },
  url(given, type) {
    const url = typeof given.value === 'string' ? URL.parse(given.value) : null
    // HTTP clients refuse or ignore them; a header says the same.
    if (url?.username || url?.password)
      throw valueError(given, 'a URL without user and password', describeUrl(given.value))
    if (url === null || !/^https?:$/.test(url.protocol))
      throw valueError(given, wantedText(type), describeUrl(given.value))
    return url.href
  },
  texts(given, type) {
    const value = given.value
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw valueError(given, wantedText(type), kindOf(value))
    return record(
      Object.entries(value).map(([name, text]) => {
        if (typeof text === 'string') return [name, text]
        if (typeof text === 'boolean' || Number.isSafeInteger(text)) return [name, String(text)]
        const got = Array.isArray(text) ? 'a list' : text === null ? 'nothing' : `a ${typeof text}`
        throw valueError({ ...given, name: `${given.name}.${name}` }, 'a text in quotes', got)
      })
    )
  },
  brokers(given, type) {
    const list = given.value
    if (!Array.isArray(list)) throw valueError(given, wantedText(type))
    return list.map((broker: unknown, at) => {
      const address = typeof broker === 'string' ? parseAddress(broker) : undefined
      if (address === undefined || address.port === 0) {
        throw valueError({ ...given, name: `${given.name}[${at}]`, value: broker }, 'HOST:PORT such as 127.0.0.1:9092')
      }
      return addressText(address)
    })
  },
  ranges(given, type) {
    if (given.value === 'none') return []
    const list: unknown =
      typeof given.value === 'string' ? given.value.split(',').map(each => each.trim()) : given.value
    if (!Array.isArray(list)) throw valueError(given, wantedText(type))
    return list.map((range: unknown, at) => {
      if (typeof range === 'string' && isAddressRange(range)) return range
      throw valueError(
        { ...given, name: `${given.name}[${at}]`, value: range },
        'a range of addresses such as 10.0.0.0/8, fd00::/8 or 192.0.2.7'
      )
    })
  },
  command(given, type) {
    const list = given.value
    if (!Array.isArray(list)) throw valueError(given, wantedText(type))
    const words = list.map((word: unknown, at) => {
      if (Number.isSafeInteger(word)) return String(word)
      if (typeof word === 'string' && !word.includes('\0')) return word
      throw valueError({ ...given, name: `${given.name}[${at}]`, value: word }, 'a text')
    })
    if ((words[0] ?? '') === '') throw valueError(given, wantedText(type), 'a list without a program')
    return words
  }
}

/** A map without a prototype, so that a name such as `constructor` finds nothing that was not written. */
export function record<V>(entries: readonly (readonly [string, V])[]): Readonly<Record<string, V>> {
  return Object.assign(Object.create(null) as Record<string, V>, Object.fromEntries(entries))
}

/** What came before the first character that may belong to a password or a key. */
const describeUrl = (value: unknown): string =>
  typeof value === 'string' ? describe(value.replace(/[?#].*$/s, '').replace(/\/\/[^/]*@/, '//***@')) : describe(value)
