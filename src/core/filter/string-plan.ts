import type { StringTest, Test } from './operators.ts'

/** A string that is compared as it is. */
export interface PlainNeedle {
  readonly kind: 'equals' | 'prefix' | 'suffix'
  readonly text: string
}

/** How one condition looks at strings: a few comparisons, or groups for an automaton. */
export interface StringPlan {
  readonly needles: readonly PlainNeedle[]
  /** First the tests of which one must match, then each anything-but, of which none may; empty when none is needed. */
  readonly groups: readonly (readonly StringTest[])[]
}

/** Compared one by one up to here; more go through an automaton. */
const maxNeedles = 4

export function stringPlan(tests: readonly Test[]): StringPlan {
  const strings = tests.filter(isStringTest)
  const buts = tests.flatMap(test => (test.kind === 'anything-but' && test.strings.length > 0 ? [test.strings] : []))
  const needles = strings.filter(isPlain)
  const areFew = needles.length === strings.length && needles.length <= maxNeedles
  if (areFew) return { needles, groups: buts.length === 0 ? [] : [[], ...buts] }
  return { needles: [], groups: [strings, ...buts] }
}

const isStringTest = (test: Test): test is StringTest =>
  test.kind === 'equals' ||
  test.kind === 'prefix' ||
  test.kind === 'suffix' ||
  test.kind === 'equals-ignore-case' ||
  test.kind === 'wildcard'

const isPlain = (test: StringTest): test is StringTest & PlainNeedle =>
  test.kind === 'equals' || ((test.kind === 'prefix' || test.kind === 'suffix') && !test.ignoreCase)
