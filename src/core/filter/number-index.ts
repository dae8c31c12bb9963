import { compareDecimals, parseDecimal, type Decimal } from './decimal.ts'
import type { Test } from './operators.ts'

/** Decimals of up to 15 digits and their nearest doubles compare alike: there are never two of them to one double. */
const exactDigits = 15
/** 10^0 to 10^22 are doubles without error, so one multiplication or division of a whole number gives the nearest double. */
const powers = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))
/** Whole numbers below are looked up: some when there are many limits, few otherwise. */
const [tabled, tabledForFew, fewLimits] = [16_384, 16, 8]

const rangesPerLimit = 4

/** What one condition asks of numbers: slots it takes, both ends included. */
interface Wanted {
  readonly spans: readonly { readonly from: number; readonly to: number }[]
  /** Each list: any slot but these. */
  readonly buts: readonly ReadonlySet<number>[]
}

/**
 * Where a number lies among all numbers that the conditions on one path name, by exact value: slot 2n is below the nth of them
 * and above the one before, slot 2n+1 is the nth itself. All numbers of a slot pass the same conditions.
 */
export class NumberIndex {
  readonly slots: number
  readonly #limits: readonly Decimal[]
  /** The nearest doubles of the limits, ascending. */
  readonly #doubles: Float64Array
  /** By limit: another number than the limit, or another limit, may have this double. */
  readonly #isAmbiguous: Uint8Array
  /** Doubles are sorted into ranges by how they begin; by range, its first limit. */
  readonly #starts: Int32Array
  #shift = 0
  readonly #lowest: number
  readonly #wanted: readonly Wanted[]
  /** Slots of small whole numbers. */
  readonly small: Int32Array

  constructor(conditions: readonly (readonly Test[])[]) {
    const limits = conditions.flat().flatMap(limitsOf).toSorted(compareDecimals)
    this.#limits = limits.filter((each, at) => at === 0 || compareDecimals(each, limits[at - 1]!) !== 0)
    this.#doubles = Float64Array.from(this.#limits, nearestDouble)
    this.slots = this.#limits.length * 2 + 1
    const inexact = new Set(this.#limits.filter(each => !isExact(each)).map(nearestDouble))
    this.#isAmbiguous = Uint8Array.from(this.#doubles, double => Number(inexact.has(double)))
    const orders = Array.from(this.#doubles, orderOf)
    const [first, last] = [orders[0] ?? 0, orders.at(-1) ?? 0]
    while ((last >> this.#shift) - (first >> this.#shift) > this.#limits.length * rangesPerLimit) this.#shift++
    this.#lowest = first >> this.#shift
    const ranges = (last >> this.#shift) - this.#lowest + 1
    let limit = 0
    this.#starts = Int32Array.from({ length: ranges + 1 }, (_, range) => {
      while (limit < orders.length && (orders[limit]! >> this.#shift) - this.#lowest < range) limit++
      return limit
    })
    this.#wanted = conditions.map(tests => this.#wantedBy(tests))
    const isMany = this.#limits.length > fewLimits
    this.small = Int32Array.from({ length: isMany ? tabled : tabledForFew }, (_, value) => this.#search(value))
  }

  /** Do numbers of this slot pass a condition, counted from 0? */
  passes(condition: number, slot: number): boolean {
    const { spans, buts } = this.#wanted[condition]!
    return spans.some(({ from, to }) => slot >= from && slot <= to) || buts.some(but => !but.has(slot))
  }

  /** `bytes` from `from` to `to` is a JSON number. */
  slotOf(bytes: Uint8Array, from: number, to: number): number {
    if (this.slots === 1) return 0
    let slot = -1
    if (reader.read(bytes, from, to))
      slot = reader.isExact ? this.#searchDouble(reader.value) : this.#searchNear(reader.value)
    return slot < 0 ? this.#searchExactly(parseDecimal(latin1(bytes, from, to))) : slot
  }

  /** Of a whole number that is not negative, and has at most 15 digits. */
  slotOfInteger(value: number): number {
    if (this.slots === 1) return 0
    return value < this.small.length ? this.small[value]! : this.#search(value)
  }

  #search(value: number): number {
    const slot = this.#searchDouble(value)
    return slot < 0 ? this.#searchExactly(parseDecimal(String(value))) : slot
  }

  /** -1 when the double does not tell. */
  #searchDouble(value: number): number {
    const doubles = this.#doubles
    const range = Math.max(0, Math.min(this.#starts.length - 2, (orderOf(value) >> this.#shift) - this.#lowest))
    let low = this.#starts[range]!
    const end = this.#starts[range + 1]!
    // Without branches: no processor guesses which way a search goes.
    for (let length = end - low; length > 1;) {
      const half = length >> 1
      low += Math.imul(Number(doubles[low + half - 1]! < value), half)
      length -= half
    }
    if (low < end) low += Number(doubles[low]! < value)
    if (low === doubles.length || doubles[low] !== value) return low * 2
    return this.#isAmbiguous[low] === 1 ? -1 : low * 2 + 1
  }

  /** -1 when a limit is so near that it takes all digits. */
  #searchNear(value: number): number {
    const away = Math.abs(value) * 1e-13
    const slot = this.#searchDouble(value - away)
    return (slot & 1) === 0 && slot === this.#searchDouble(value + away) ? slot : -1
  }

  #searchExactly(value: Decimal): number {
    let low = 0
    let high = this.#limits.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareDecimals(this.#limits[middle]!, value) < 0) low = middle + 1
      else high = middle
    }
    return low < this.#limits.length && compareDecimals(this.#limits[low]!, value) === 0 ? low * 2 + 1 : low * 2
  }

  #wantedBy(tests: readonly Test[]): Wanted {
    const slotOf = (value: Decimal): number => this.#searchExactly(value)
    const spans = tests.flatMap(test => {
      if (test.kind === 'number') return [{ from: slotOf(test.value), to: slotOf(test.value) }]
      if (test.kind !== 'range') return []
      const { above, below } = test
      const from = above === undefined ? 0 : slotOf(above.value) + Number(!above.inclusive)
      const to = below === undefined ? this.slots - 1 : slotOf(below.value) - Number(!below.inclusive)
      return [{ from, to }]
    })
    const buts = tests.flatMap(test => (test.kind === 'anything-but' ? [new Set(test.numbers.map(slotOf))] : []))
    return { spans, buts }
  }
}

const aDouble = new Float64Array(1)
const itsWords = new Int32Array(aDouble.buffer)

/** The upper half of a double, such that of two numbers the lower one never has the greater. */
function orderOf(value: number): number {
  aDouble[0] = value
  const upper = itsWords[1]!
  return upper < 0 ? ~upper ^ -0x80000000 : upper
}

function limitsOf(test: Test): readonly Decimal[] {
  if (test.kind === 'number') return [test.value]
  if (test.kind === 'anything-but') return test.numbers
  if (test.kind !== 'range') return []
  return [test.above, test.below].flatMap(bound => (bound === undefined ? [] : [bound.value]))
}

const isExact = ({ digits, exponent }: Decimal): boolean => digits.length <= exactDigits && Math.abs(exponent) < 290

/** Beyond all doubles it is infinity, or zero. */
const nearestDouble = ({ sign, digits, exponent }: Decimal): number =>
  sign === 0 ? 0 : sign * Number(`0.${digits}e${Math.max(-400, Math.min(400, exponent))}`)

const latin1 = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1')

/** Reads numbers without making strings of them. */
class NumberReader {
  /** In an array, where a double is no object of its own. */
  readonly #value = new Float64Array(1)
  /** `value` compares as the number does. */
  isExact = true

  /** The number that was read last, up to a relative error of 1e-14. */
  get value(): number {
    return this.#value[0]!
  }

  /** False when it is near the borders of what a double can hold. Zero is never negative. */
  read(bytes: Uint8Array, from: number, to: number): boolean {
    const negative = bytes[from] === 45
    let at = negative ? from + 1 : from
    let mantissa = 0
    let digits = 0
    let scale = 0
    let inFraction = false
    for (; at < to; at++) {
      const byte = bytes[at]!
      if (byte === 46) inFraction = true
      else if (byte > 57) break
      else if (digits < exactDigits) {
        if (digits > 0 || byte !== 48) digits++
        mantissa = mantissa * 10 + (byte - 48)
        if (inFraction) scale--
      } else {
        digits++
        if (!inFraction) scale++
      }
    }
    if (at < to) {
      at++
      const sign = bytes[at]
      if (sign === 45 || sign === 43) at++
      let exponent = 0
      for (; at < to && exponent < 100_000_000; at++) exponent = exponent * 10 + (bytes[at]! - 48)
      scale += sign === 45 ? -exponent : exponent
    }
    this.isExact = digits <= exactDigits && (mantissa === 0 || (scale >= -22 && scale <= 22))
    if (mantissa === 0) {
      this.#value[0] = 0
      return true
    }
    if (scale < -290 || scale > 290) return false
    const value = !this.isExact
      ? mantissa * 10 ** scale
      : scale < 0
        ? mantissa / powers[-scale]!
        : mantissa * powers[scale]!
    this.#value[0] = negative ? -value : value
    return true
  }
}

const reader = new NumberReader()
