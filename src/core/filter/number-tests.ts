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
  readonly #equal: readonly Decimal[]
  readonly #ranges: readonly Range[]
  /** Each list: any number but these. */
  readonly #but: readonly (readonly Limit[])[]
  /** The same for doubles; undefined where not all limits have one. */
  readonly #doubles: DoubleTests | undefined
  readonly #isEmpty: boolean
  readonly #all: boolean

  constructor(tests: readonly Test[]) {
    const equal = tests.filter(test => test.kind === 'number').map(({ value }) => limit({ value, inclusive: true }))
    this.#equal = equal.map(({ exact }) => exact)
    this.#ranges = tests
      .filter(test => test.kind === 'range')
      .map(({ above, below }) => ({ above: above && limit(above), below: below && limit(below) }))
    const buts = tests.filter(test => test.kind === 'anything-but')
    this.#but = buts.map(({ numbers }) => numbers.map(value => limit({ value, inclusive: true })))
    this.#all = buts.some(({ numbers }) => numbers.length === 0)
    this.#isEmpty = equal.length === 0 && this.#ranges.length === 0 && buts.length === 0
    const needed = [...this.#ranges.flatMap(({ above, below }) => [above, below]), ...this.#but.flat()]
    this.#doubles = needed.every(bound => bound === undefined || !Number.isNaN(bound.double))
      ? new DoubleTests(equal, this.#ranges, this.#but)
      : undefined
  }

  /** `bytes` from `from` to `to` is a JSON number. */
  pass(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#all) return true
    if (this.#isEmpty) return false
    const value = this.#doubles === undefined ? Number.NaN : quickDouble(bytes, from, to)
    return Number.isNaN(value) ? this.#passExactly(bytes, from, to) : this.#doubles!.pass(value)
  }

  #passExactly(bytes: Uint8Array, from: number, to: number): boolean {
    const value = parseDecimal(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1'))
    return (
      this.#equal.some(other => compareDecimals(value, other) === 0) ||
      this.#ranges.some(({ above, below }) => {
        const low = above === undefined ? 1 : compareDecimals(value, above.exact)
        const high = below === undefined ? -1 : compareDecimals(value, below.exact)
        return (low > 0 || (low === 0 && above!.inclusive)) && (high < 0 || (high === 0 && below!.inclusive))
      }) ||
      this.#but.some(numbers => numbers.every(({ exact }) => compareDecimals(value, exact) !== 0))
    )
  }
}

/** Ranges that do not touch, ascending, so that one search finds the only one a value may lie in. */
class DoubleTests {
  readonly #lows: Float64Array
  readonly #highs: Float64Array
  readonly #takesLow: Uint8Array
  readonly #takesHigh: Uint8Array
  /** Numbers that every anything-but excludes, ascending; undefined without one. */
  readonly #excluded: Float64Array | undefined

  constructor(equal: readonly Limit[], ranges: readonly Range[], buts: readonly (readonly Limit[])[]) {
    const spans = [
      ...equal
        .filter(({ double }) => !Number.isNaN(double))
        .map(({ double }): Span => ({ low: double, high: double, takesLow: true, takesHigh: true })),
      ...ranges.map(({ above, below }): Span => ({
        low: above?.double ?? Number.NEGATIVE_INFINITY,
        high: below?.double ?? Number.POSITIVE_INFINITY,
        takesLow: above?.inclusive ?? true,
        takesHigh: below?.inclusive ?? true
      }))
    ]
    const merged = merge(spans)
    this.#lows = Float64Array.from(merged, ({ low }) => low)
    this.#highs = Float64Array.from(merged, ({ high }) => high)
    this.#takesLow = Uint8Array.from(merged, ({ takesLow }) => Number(takesLow))
    this.#takesHigh = Uint8Array.from(merged, ({ takesHigh }) => Number(takesHigh))
    const [first, ...others] = buts.map(numbers => numbers.map(({ double }) => double))
    this.#excluded =
      first && Float64Array.from(first.filter(value => others.every(other => other.includes(value)))).toSorted()
  }

  pass(value: number): boolean {
    const excluded = this.#excluded
    if (excluded !== undefined) {
      const at = lastUpTo(excluded, value)
      if (at < 0 || excluded[at] !== value) return true
    }
    // A range that ends at a value and one that begins there, both without it, leave a gap of one number.
    for (let at = lastUpTo(this.#lows, value); at >= 0; at--) {
      const [low, high] = [this.#lows[at]!, this.#highs[at]!]
      if (value < high || (value === high && this.#takesHigh[at] === 1)) {
        if (value > low || this.#takesLow[at] === 1) return true
      }
      if (low < value) return false
    }
    return false
  }
}

interface Span {
  readonly low: number
  readonly high: number
  readonly takesLow: boolean
  readonly takesHigh: boolean
}

function merge(spans: readonly Span[]): Span[] {
  const merged: Span[] = []
  for (const span of spans.toSorted(
    (left, right) => compareLows(left.low, right.low) || Number(right.takesLow) - Number(left.takesLow)
  )) {
    const last = merged.at(-1)
    const touches =
      last !== undefined && (span.low < last.high || (span.low === last.high && (span.takesLow || last.takesHigh)))
    if (!touches) merged.push(span)
    else if (span.high > last.high || (span.high === last.high && span.takesHigh))
      merged[merged.length - 1] = { ...last, high: span.high, takesHigh: span.takesHigh }
  }
  return merged
}

/** The last of the ascending numbers that is not above `value`, -1 when there is none. */
function lastUpTo(ascending: Float64Array, value: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (ascending[middle]! <= value) low = middle + 1
    else high = middle
  }
  return low - 1
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

/** Not by subtraction: infinities give no number. */
const compareLows = (left: number, right: number): number => Number(left > right) - Number(left < right)
