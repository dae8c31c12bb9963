/**
 * A JSON number by its exact value: `sign` × 0.`digits` × 10^`exponent`, digits without zeros at either end. Zero has no
 * digits. Doubles would call 9007199254740993 and 9007199254740992 equal; the text does not.
 */
export interface Decimal {
  readonly sign: -1 | 0 | 1
  readonly digits: string
  /** Beyond ±10^15 they count as infinite: nobody tells such numbers apart. */
  readonly exponent: number
}

const zero: Decimal = { sign: 0, digits: '', exponent: 0 }

/** Of a number as JSON writes it: `-0.50e+3`. */
export function parseDecimal(text: string): Decimal {
  const negative = text.startsWith('-')
  const mark = text.search(/[eE]/)
  const mantissa = text.slice(negative ? 1 : 0, mark < 0 ? undefined : mark)
  const point = mantissa.indexOf('.')
  const whole = point < 0 ? mantissa : mantissa.slice(0, point)
  const all = point < 0 ? mantissa : whole + mantissa.slice(point + 1)
  let from = 0
  while (all.charCodeAt(from) === 48) from++
  let to = all.length
  while (to > from && all.charCodeAt(to - 1) === 48) to--
  if (from === to) return zero
  const scale = mark < 0 ? 0 : bounded(Number(text.slice(mark + 1)))
  return { sign: negative ? -1 : 1, digits: all.slice(from, to), exponent: whole.length - from + scale }
}

const bounded = (exponent: number): number =>
  Math.abs(exponent) <= 1e15 ? exponent : exponent * Number.POSITIVE_INFINITY

/** Negative, 0 or positive, as `left` is below, equal to or above `right`. */
export function compareDecimals(left: Decimal, right: Decimal): number {
  if (left.sign !== right.sign) return left.sign - right.sign
  if (left.exponent !== right.exponent) return left.exponent < right.exponent ? -left.sign : left.sign
  // Digits after the point of 0.…: compared as text, they compare as values.
  if (left.digits === right.digits) return 0
  return left.digits < right.digits ? -left.sign : left.sign
}
