const v4Form = /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/
const v6Form = /^[0-9a-fA-F:]*:[0-9a-fA-F:]*$/

/** Nobody writes more zeros than this. */
export const maxAddressLength = 64

/**
 * An IPv4 or IPv6 address as 4 or 16 bytes in hexadecimal, undefined for any other text. As event-ruler (Java) reads them:
 * leading zeros are decimal, `::ffff:…` is the IPv4 address in it, dots inside IPv6 are not known.
 */
export function addressDigits(text: string): string | undefined {
  if (text.length > maxAddressLength) return undefined
  if (v4Form.test(text)) return v4Digits(text)
  return v6Form.test(text) ? v6Digits(text) : undefined
}

const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0')

function v4Digits(text: string): string | undefined {
  if (text.length > 15) return undefined
  const parts = text.split('.').map(Number)
  return parts.every(part => part <= 255) ? parts.map(part => hex(part, 2)).join('') : undefined
}

function v6Digits(text: string): string | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [left, right] = halves.map(half => (half === '' ? [] : half.split(':').map(groupDigits)))
  const groups = [...left!, ...(right ?? [])]
  if (groups.includes(undefined) || (right === undefined ? groups.length !== 8 : groups.length > 7)) return undefined
  const all = [...left!, ...Array.from({ length: 8 - groups.length }, () => '0000'), ...(right ?? [])].join('')
  return all.startsWith(mappedV4) ? all.slice(mappedV4.length) : all
}

/** `::ffff:0:0/96` */
const mappedV4 = '00000000000000000000ffff'

function groupDigits(group: string): string | undefined {
  if (group === '') return undefined
  const value = Number.parseInt(group, 16)
  return value <= 0xffff ? hex(value, 4) : undefined
}

/** Lowest and highest address of a block, as `addressDigits` has them: they compare as text. */
export interface AddressRange {
  readonly low: string
  readonly high: string
}

/** Reads `10.0.0.0/24`. A text instead of a range says what is wrong with it. */
export function parseCidr(text: string): AddressRange | string {
  const slash = text.indexOf('/')
  if (slash < 0 || text.includes('/', slash + 1)) return 'must have the form ADDRESS/BITS, such as 10.0.0.0/24'
  const digits = addressDigits(text.slice(0, slash))
  if (digits === undefined) return `must begin with an IPv4 or IPv6 address, got '${text.slice(0, slash)}'`
  const mask = text.slice(slash + 1)
  const most = digits.length * 4 - 1
  const bits = /^[+]?[0-9]{1,4}$/.test(mask) ? Number(mask) : Number.NaN
  if (!(bits <= most)) return `must end with a number of bits from 0 to ${most}, got '${mask}'`
  const free = (1n << BigInt(most + 1 - bits)) - 1n
  const base = BigInt(`0x${digits}`)
  const wide = (value: bigint): string => value.toString(16).padStart(digits.length, '0')
  return { low: wide(base & ~free), high: wide(base | free) }
}
