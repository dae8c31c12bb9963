import { addressDigits } from './address.ts'
import { foldedEnd, foldedStart, spellings } from './case-folding.ts'
import { compareDecimals, parseDecimal } from './decimal.ts'
import type { Scalar } from './json.ts'
import type { StringTest, Test } from './operators.ts'
import { wildcardMatches } from './wildcard.ts'

/** Does a value of the record pass? Plain and slow: what the scanner does with bytes has to be the same. */
export function passes(test: Test, value: Scalar): boolean {
  switch (test.kind) {
    case 'literal':
      return value.kind === 'literal' && value.text === test.text
    case 'number':
      return value.kind === 'number' && compareDecimals(parseDecimal(value.text), test.value) === 0
    case 'range':
      return value.kind === 'number' && isInRange(test, value.text)
    case 'address': {
      const digits = value.kind === 'string' ? addressDigits(value.value) : undefined
      return digits?.length === test.low.length && digits >= test.low && digits <= test.high
    }
    case 'exists':
      return test.expected
    case 'anything-but':
      return value.kind === 'string'
        ? !test.strings.some(other => stringPasses(other, value.value))
        : value.kind === 'literal' ||
            !test.numbers.some(other => compareDecimals(parseDecimal(value.text), other) === 0)
    case 'equals':
    case 'prefix':
    case 'suffix':
    case 'equals-ignore-case':
    case 'wildcard':
      return value.kind === 'string' && stringPasses(test, value.value)
    default:
      throw new Error(`no such test: ${test satisfies never}`)
  }
}

function isInRange({ above, below }: Test & { kind: 'range' }, text: string): boolean {
  const value = parseDecimal(text)
  const low = above === undefined ? 1 : compareDecimals(value, above.value)
  const high = below === undefined ? -1 : compareDecimals(value, below.value)
  return (low > 0 || (low === 0 && above!.inclusive)) && (high < 0 || (high === 0 && below!.inclusive))
}

export function stringPasses(test: StringTest, text: string): boolean {
  switch (test.kind) {
    case 'equals':
      return text === test.text
    case 'prefix':
      return test.ignoreCase ? foldedEnd(spellings(test.text), text, 0) >= 0 : text.startsWith(test.text)
    case 'suffix':
      return test.ignoreCase ? foldedStart(spellings(test.text), text) >= 0 : text.endsWith(test.text)
    case 'equals-ignore-case':
      return foldedEnd(spellings(test.text), text, 0) === text.length
    case 'wildcard':
      return wildcardMatches(test.pieces, text)
    default:
      throw new Error(`no such test: ${test satisfies never}`)
  }
}
