import type { StringTest, Test } from './operators.ts'
import { automataOf, patternGroups, type Group } from './string-plan.ts'
import type { Pieces } from './wildcard.ts'

/** Beginnings of one wildcard that a string may match at the same time. AWS has such a limit and does not say which. */
const maxBeginnings = 10
/** Sets of beginnings looked at: long patterns have many, all alike. */
const maxSets = 5_000

/** Automata that read every string at a path from beginning to end: each costs as much as the rest of the filter. */
const maxAutomata = 4

const groupsOf = (tests: readonly Test[]): Group[] => {
  const { some, buts } = patternGroups(tests)
  return [some, ...buts].filter(group => group.length > 0)
}

/** Why matching these tests could cost too much, undefined when it cannot. */
export function complexityProblem(tests: readonly Test[]): string | undefined {
  const groups = groupsOf(tests)
  for (const test of groups.flat()) {
    if (test.kind === 'wildcard' && hasTooManyBeginnings(test.pieces))
      return `is too complex (${shown(test)}): use fewer stars, or fewer repetitions after a star`
  }
  if (groups.some(group => automataOf([group], 1) === undefined) || automataOf(groups, maxAutomata) === undefined)
    return 'is too complex: use fewer or shorter strings in one list, above all wildcards'
  return undefined
}

/** Why matching conditions on one path could cost too much together, undefined when it cannot. */
export function sharedComplexityProblem(conditions: readonly (readonly Test[])[]): string | undefined {
  const groups = conditions.flatMap(groupsOf)
  if (conditions.length < 2 || automataOf(groups, maxAutomata) !== undefined) return undefined
  return 'is too complex together with the other conditions on this field: use fewer or shorter wildcards there, over all filters'
}

const shown = ({ text }: StringTest): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)

/**
 * Plays all strings against the pattern and counts how many of its beginnings match at once: what a string with the pattern's
 * own repetitions costs. A beginning is a number of its characters, of which some are stars.
 */
function hasTooManyBeginnings(pieces: Pieces): boolean {
  const tokens = pieces.flatMap((piece, index) => {
    const letters = Array.from(piece)
    return index === 0 ? letters : [undefined, ...letters]
  })
  const withStars = (beginnings: Iterable<number>): number[] => {
    const all = new Set(beginnings)
    for (const at of all) if (at < tokens.length && tokens[at] === undefined) all.add(at + 1)
    return [...all].toSorted((left, right) => left - right)
  }
  const letters = new Set(tokens.filter(token => token !== undefined))
  const pending = [withStars([0])]
  const known = new Set(['0'])
  for (let set = pending.pop(); set !== undefined && known.size < maxSets; set = pending.pop()) {
    if (set.length > maxBeginnings) return true
    for (const letter of new Set(
      set.map(at => tokens[at]).filter(token => token !== undefined && letters.has(token))
    )) {
      const next = withStars([
        // A beginning that ends with a star goes on matching.
        ...set.filter(at => at > 0 && tokens[at - 1] === undefined),
        ...set.filter(at => tokens[at] === letter).map(at => at + 1)
      ])
      const key = next.join()
      if (known.has(key)) continue
      known.add(key)
      pending.push(next)
    }
  }
  return false
}
