import type { StringTest, Test } from './operators.ts'
import { StringAutomaton } from './string-automaton.ts'

/** The beginning or the end of a string, compared as it is. */
export type Needle = StringTest & { readonly kind: 'prefix' | 'suffix' }

export const isExact = (test: Test): test is StringTest & { kind: 'equals' } => test.kind === 'equals'

export const isNeedle = (test: Test): test is Needle =>
  (test.kind === 'prefix' || test.kind === 'suffix') && !test.ignoreCase

/** Tests of strings that are no whole strings. */
const isPatterned = (test: Test): test is StringTest =>
  test.kind === 'prefix' || test.kind === 'suffix' || test.kind === 'equals-ignore-case' || test.kind === 'wildcard'

/** What an automaton looks at for one condition: tests of which one must match, and each anything-but, of which none may. */
export interface PatternGroups {
  readonly some: readonly StringTest[]
  readonly buts: readonly (readonly StringTest[])[]
}

/** Whole strings are looked up, and take no automaton. */
export function patternGroups(tests: readonly Test[]): PatternGroups {
  return {
    some: tests.filter(isPatterned),
    buts: tests.flatMap(test => (test.kind === 'anything-but' && !test.strings.every(isExact) ? [test.strings] : []))
  }
}

export interface Automata {
  readonly automata: readonly StringAutomaton[]
  /** By group: where it went. */
  readonly places: readonly { readonly automaton: number; readonly group: number }[]
}

/** As few automata as the groups fit into by halves. Each group fits by itself, or the language has refused it. */
export function automataOf(groups: readonly (readonly StringTest[])[]): Automata {
  if (groups.length === 0) return { automata: [], places: [] }
  const whole = StringAutomaton.compile(groups)
  if (whole !== undefined) return { automata: [whole], places: groups.map((_, group) => ({ automaton: 0, group })) }
  if (groups.length === 1) throw new Error('a condition too complex to compile was let through')
  const middle = groups.length >> 1
  const [left, right] = [automataOf(groups.slice(0, middle)), automataOf(groups.slice(middle))]
  const before = left.automata.length
  return {
    automata: [...left.automata, ...right.automata],
    places: [...left.places, ...right.places.map(({ automaton, group }) => ({ automaton: automaton + before, group }))]
  }
}
