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

/** Tests of which one must match, for one automaton to tell. */
export type Group = readonly StringTest[]

export interface Automata {
  /** Those that read strings from their end come last. */
  readonly automata: readonly StringAutomaton[]
  /** How many read from the beginning. */
  readonly forward: number
  /** By group: where its parts went, of which one must match. */
  readonly places: readonly (readonly Place[])[]
}

/** A group in one of the automata. */
export interface Place {
  readonly automaton: number
  readonly group: number
}

/**
 * Automata that tell of all groups. Undefined when that would take more than `most` of those that read all of every string.
 * Each group by itself takes one, or the language has refused it.
 */
export function automataOf(groups: readonly Group[], most = Number.POSITIVE_INFINITY): Automata | undefined {
  const ahead = shared(
    groups.map(group => group.filter(test => !isBackward(test))),
    'forward',
    most
  )
  const behind = shared(
    groups.map(group => group.filter(isBackward)),
    'backward',
    Number.POSITIVE_INFINITY
  )
  if (ahead === undefined || behind === undefined) return undefined
  const all = [...ahead, ...behind]
  const places = groups.map((): Place[] => [])
  for (const [automaton, { members }] of all.entries())
    for (const [group, { at }] of members.entries()) places[at]!.push({ automaton, group })
  return { automata: all.map(({ automaton }) => automaton), forward: ahead.length, places }
}

const isBackward = ({ kind }: StringTest): boolean => kind === 'suffix'

interface Share {
  readonly members: readonly { readonly at: number; readonly group: Group }[]
  readonly automaton: StringAutomaton
}

/** Two and two share an automaton, then four and four, as long as they fit into one. */
function shared(groups: readonly Group[], direction: 'forward' | 'backward', most: number): Share[] | undefined {
  const share = (members: Share['members']): Share | undefined => {
    const automaton = StringAutomaton.compile(
      members.map(({ group }) => group),
      direction
    )
    return automaton && { members, automaton }
  }
  const full: Share[] = []
  let open: Share[] = []
  for (const [at, group] of groups.entries()) {
    if (group.length === 0) continue
    const single = share([{ at, group }])
    if (single === undefined) return undefined
    open.push(single)
  }
  while (open.length > 1) {
    const wider: Share[] = []
    for (let at = 0; at < open.length; at += 2) {
      const [left, right] = [open[at]!, open[at + 1]]
      const both = right === undefined ? left : share([...left.members, ...right.members])
      if (both !== undefined) wider.push(both)
      // To find that two do not fit takes long: enough is known when there are too many.
      else if (full.push(left, right!) > most) return undefined
    }
    open = wider
  }
  const all = [...full, ...open]
  return all.length > most ? undefined : all
}
