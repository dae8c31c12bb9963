import { compareDecimals, parseDecimal, type Decimal } from './decimal.ts'
import type { Bound, Test } from './operators.ts'

/** Decimals of up to 15 digits and their nearest doubles compare alike: there are never two of them to one double. */
const exactDigits = 15
/** 10^0 to 10^22 are doubles without error, so one multiplication or division of a whole number gives the nearest double. */
const powers = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))

interface Limit {
  readonly exact: Decimal
  readonly inclusive: boolean
  /** The double of `exact`, if that compares alike. */
  readonly double: number
}

interface Range {
  readonly above: Limit | undefined
  readonly below: Limit | undefined
}

/** What one condition asks of numbers, compared by value. */
export class NumberTests {
  /** Numbers that pass, ascending, those that doubles can stand for. */
  readonly #equal: Float64Array
  readonly #equalExact: readonly Decimal[]
  readonly #ranges: readonly Range[]
  /** Each list: any number but these. */
  readonly #but: readonly (readonly Limit[])[]
  readonly #isEmpty: boolean
  readonly #all: boolean
  /** Everything here can be decided by doubles, when the value can. */
  readonly #byDouble: boolean

  constructor(tests: readonly Test[]) {
    const equal = tests.filter(test => test.kind === 'number').map(({ value }) => limit({ value, inclusive: true }))
    this.#equal = Float64Array.from(
      equal.flatMap(({ double }) => (Number.isNaN(double) ? [] : [double])).toSorted((left, right) => left - right)
    )
    this.#equalExact = equal.map(({ exact }) => exact)
    this.#ranges = tests
      .filter(test => test.kind === 'range')
      .map(({ above, below }) => ({ above: above && limit(above), below: below && limit(below) }))
    const buts = tests.filter(test => test.kind === 'anything-but')
    this.#but = buts.map(({ numbers }) => numbers.map(value => limit({ value, inclusive: true })))
    this.#all = buts.some(({ numbers }) => numbers.length === 0)
    this.#isEmpty = equal.length === 0 && this.#ranges.length === 0 && buts.length === 0
    const limits = [...this.#ranges.flatMap(({ above, below }) => [above, below]), ...this.#but.flat()]
    this.#byDouble = limits.every(bound => bound === undefined || !Number.isNaN(bound.double))
  }

  /** `bytes` from `from` to `to` is a JSON number. */
  pass(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#all) return true
    if (this.#isEmpty) return false
    const value = this.#byDouble ? quickDouble(bytes, from, to) : Number.NaN
    return Number.isNaN(value) ? this.#passExactly(bytes, from, to) : this.#passDouble(value)
  }

  #passDouble(value: number): boolean {
    if (this.#hasEqual(value)) return true
    for (const { above, below } of this.#ranges) {
      if (above !== undefined && !(value > above.double || (above.inclusive && value === above.double))) continue
      if (below !== undefined && !(value < below.double || (below.inclusive && value === below.double))) continue
      return true
    }
    for (const numbers of this.#but) {
      let isOther = true
      for (let at = 0; isOther && at < numbers.length; at++) isOther = numbers[at]!.double !== value
      if (isOther) return true
    }
    return false
  }

  #hasEqual(value: number): boolean {
    const equal = this.#equal
    let low = 0
    let high = equal.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (equal[middle]! < value) low = middle + 1
      else high = middle
    }
    return low < equal.length && equal[low] === value
  }

  #passExactly(bytes: Uint8Array, from: number, to: number): boolean {
    const value = parseDecimal(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1'))
    return (
      this.#equalExact.some(other => compareDecimals(value, other) === 0) ||
      this.#ranges.some(({ above, below }) => {
        const low = above === undefined ? 1 : compareDecimals(value, above.exact)
        const high = below === undefined ? -1 : compareDecimals(value, below.exact)
        return (low > 0 || (low === 0 && above!.inclusive)) && (high < 0 || (high === 0 && below!.inclusive))
      }) ||
      this.#but.some(numbers => numbers.every(({ exact }) => compareDecimals(value, exact) !== 0))
    )
  }
}

function limit({ value, inclusive }: Bound): Limit {
  const isExact = value.digits.length <= exactDigits && Math.abs(value.exponent) < 290
  const text = `${value.sign < 0 ? '-' : ''}0.${value.digits || '0'}e${value.exponent}`
  return { exact: value, inclusive, double: isExact ? Number(text) : Number.NaN }
}

/** The double of a number that is short enough to compare by it; NaN when it is not. Zero is never negative. */
function quickDouble(bytes: Uint8Array, from: number, to: number): number {
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
    else {
      if (digits > 0 || byte !== 48) digits++
      mantissa = mantissa * 10 + (byte - 48)
      if (inFraction) scale--
      if (digits > exactDigits) return Number.NaN
    }
  }
  if (at < to) {
    at++
    const sign = bytes[at]
    if (sign === 45 || sign === 43) at++
    let exponent = 0
    for (; at < to && exponent < 1000; at++) exponent = exponent * 10 + (bytes[at]! - 48)
    scale += sign === 45 ? -exponent : exponent
  }
  if (mantissa === 0) return 0
  if (scale < -22 || scale > 22) return Number.NaN
  const value = scale < 0 ? mantissa / powers[-scale]! : mantissa * powers[scale]!
  return negative ? -value : value
}
