import { maxAddressLength, type AddressRange } from './address.ts'

/** By byte: the value of a hexadecimal digit, -1 for others. */
const digitValue = new Int8Array(256).fill(-1)
for (let value = 0; value < 16; value++) {
  digitValue[value.toString(16).charCodeAt(0)] = value
  digitValue[value.toString(16).toUpperCase().charCodeAt(0)] = value
}
const colon = 58
const dot = 46

/** An address is this many groups: one of 32 bits, or eight of 16. */
type Groups = 1 | 8

/**
 * Where an address lies among all ranges that the conditions on one path name, for strings in bytes: slot 0 is no address, and
 * all addresses of a slot pass the same conditions. The same addresses as `addressDigits`, without a string.
 */
export class AddressIndex {
  readonly slots: number
  readonly #conditions: readonly (readonly AddressRange[])[]
  /** Where slots begin: digits as `addressDigits` has them, ascending; first those of IPv4. */
  readonly #starts: readonly string[]
  /** The same as numbers. */
  readonly #v4: Float64Array
  /** The same in groups of eight. */
  readonly #v6: Float64Array
  /** The address that was read last. */
  readonly #address = new Float64Array(8)

  constructor(conditions: readonly (readonly AddressRange[])[]) {
    this.#conditions = conditions
    const starts = (length: number): string[] => {
      const ranges = conditions.flat().filter(({ low }) => low.length === length)
      return [
        ...new Set([...ranges.map(({ low }) => low), ...ranges.flatMap(({ high }) => following(high))])
      ].toSorted()
    }
    const [v4, v6] = [starts(8), starts(32)]
    this.#starts = [...v4, ...v6]
    this.#v4 = Float64Array.from(v4, digits => Number.parseInt(digits, 16))
    this.#v6 = Float64Array.from(v6.flatMap(groupsOf))
    this.slots = v4.length + v6.length + 3
  }

  /** Do addresses of this slot pass a condition, counted from 0? */
  passes(condition: number, slot: number): boolean {
    const first = this.#v4.length + 2
    // Below the lowest start there is no range.
    if (slot <= 1 || slot === first) return false
    const start = this.#starts[slot < first ? slot - 2 : slot - 3]!
    return this.#conditions[condition]!.some(
      ({ low, high }) => low.length === start.length && low <= start && start <= high
    )
  }

  slotOf(bytes: Uint8Array, from: number, to: number): number {
    const groups = to - from > maxAddressLength ? 0 : this.#read(bytes, from, to)
    if (groups === 0) return 0
    return groups === 1 ? 1 + this.#startsUpToV4() : 2 + this.#v4.length + this.#startsUpToV6()
  }

  #startsUpToV4(): number {
    const address = this.#address[0]!
    let low = 0
    let high = this.#v4.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#v4[middle]! <= address) low = middle + 1
      else high = middle
    }
    return low
  }

  #startsUpToV6(): number {
    let low = 0
    let high = this.#v6.length / 8
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#compareV6(middle * 8) >= 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The address against the start whose groups begin at `from`. */
  #compareV6(from: number): number {
    for (let at = 0; at < 8; at++) {
      const difference = this.#address[at]! - this.#v6[from + at]!
      if (difference !== 0) return difference
    }
    return 0
  }

  /** 0 when it is no address. */
  #read(bytes: Uint8Array, from: number, to: number): Groups | 0 {
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!
      if (byte === dot) return this.#readV4(bytes, from, to) ? 1 : 0
      if (byte === colon) return this.#readV6(bytes, from, to)
      if (digitValue[byte]! < 0) return 0
    }
    return 0
  }

  #readV4(bytes: Uint8Array, from: number, to: number): boolean {
    if (to - from > 15) return false
    let value = 0
    let part = -1
    let parts = 1
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!
      if (byte === dot) {
        if (part < 0 || ++parts > 4) return false
        value = value * 256 + part
        part = -1
        continue
      }
      const digit = digitValue[byte]!
      if (digit < 0 || digit > 9) return false
      part = (part < 0 ? 0 : part * 10) + digit
      if (part > 255) return false
    }
    if (part < 0 || parts !== 4) return false
    this.#address[0] = value * 256 + part
    return true
  }

  #readV6(bytes: Uint8Array, from: number, to: number): Groups | 0 {
    const address = this.#address
    let count = 0
    /** How many groups stand before `::`. */
    let gap = -1
    let at = from
    if (bytes[at] === colon) {
      if (at + 1 >= to || bytes[at + 1] !== colon) return 0
      gap = 0
      at += 2
    }
    while (at < to) {
      let value = -1
      for (; at < to && bytes[at] !== colon; at++) {
        const digit = digitValue[bytes[at]!]!
        if (digit < 0) return 0
        value = (value < 0 ? 0 : value * 16) + digit
        if (value > 0xffff) return 0
      }
      if (value < 0 || count === 8) return 0
      address[count++] = value
      if (at === to) break
      at++
      // A colon must be followed by a group, or by the one gap.
      if (at === to) return 0
      if (bytes[at] === colon) {
        if (gap >= 0) return 0
        gap = count
        at++
      }
    }
    if (gap < 0 ? count !== 8 : count > 7) return 0
    if (gap >= 0) {
      address.copyWithin(gap + 8 - count, gap, count)
      address.fill(0, gap, gap + 8 - count)
    }
    return this.#mapped()
  }

  /** `::ffff:…` is an IPv4 address. */
  #mapped(): Groups {
    const address = this.#address
    if (address[5] !== 0xffff) return 8
    for (let at = 0; at < 5; at++) if (address[at] !== 0) return 8
    address[0] = address[6]! * 0x10000 + address[7]!
    return 1
  }
}

/** The address after; none after the last. */
function following(digits: string): string[] {
  const next = (BigInt(`0x${digits}`) + 1n).toString(16).padStart(digits.length, '0')
  return next.length > digits.length ? [] : [next]
}

const groupsOf = (digits: string): number[] =>
  Array.from({ length: 8 }, (_, at) => Number.parseInt(digits.slice(at * 4, at * 4 + 4), 16))
