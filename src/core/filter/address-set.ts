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

interface Range {
  readonly groups: Groups
  readonly low: Float64Array
  readonly high: Float64Array
}

/** Ranges of addresses, for strings in bytes. The same addresses as `addressDigits`, without a string. */
export class AddressSet {
  readonly #ranges: readonly Range[]
  /** The address that was read last. */
  readonly #address = new Float64Array(8)

  constructor(ranges: readonly AddressRange[]) {
    this.#ranges = ranges.map(({ low, high }) => ({
      groups: low.length === 8 ? 1 : 8,
      low: groupsOf(low),
      high: groupsOf(high)
    }))
  }

  has(bytes: Uint8Array, from: number, to: number): boolean {
    const groups = to - from > maxAddressLength ? 0 : this.#read(bytes, from, to)
    if (groups === 0) return false
    for (const range of this.#ranges) {
      if (range.groups === groups && this.#compare(range.low, groups) >= 0 && this.#compare(range.high, groups) <= 0)
        return true
    }
    return false
  }

  #compare(bound: Float64Array, groups: Groups): number {
    for (let at = 0; at < groups; at++) {
      const difference = this.#address[at]! - bound[at]!
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

function groupsOf(digits: string): Float64Array {
  const width = digits.length === 8 ? 8 : 4
  return Float64Array.from({ length: digits.length / width }, (_, at) =>
    Number.parseInt(digits.slice(at * width, (at + 1) * width), 16)
  )
}
