import { complexityProblem, sharedComplexityProblem } from './complexity.ts'
import { JsonSyntaxError, jsonText, readJson, type Json, type Member } from './json.ts'
import { described, parseTest, type Test } from './operators.ts'
import { PatternError } from './pattern-error.ts'

export { PatternError } from './pattern-error.ts'
export type { Bound, StringTest, Test } from './operators.ts'

/** A leaf of the pattern: the values at `path` must pass one of `tests`. */
export interface Condition {
  /** Its place in `Pattern.conditions`. */
  readonly index: number
  /** Names from the root, split at dots: `{"a":{"b":…}}` and `{"a.b":…}` are one path. */
  readonly path: readonly string[]
  /** The path with dots. */
  readonly name: string
  /** Where it stands in the pattern: `value.$or[1].price`. */
  readonly place: string
  readonly tests: readonly Test[]
  /** The tests as the pattern writes them. */
  readonly wanted: string
  /** True when the field may be missing. */
  readonly takesAbsent: boolean
}

export type Expression =
  | { readonly kind: 'condition'; readonly condition: Condition }
  | { readonly kind: 'all'; readonly parts: readonly Expression[] }
  | { readonly kind: 'any'; readonly place: string; readonly branches: readonly Expression[] }

/** A pattern that passed every check. Only `parsePattern` makes one. */
export interface Pattern {
  readonly text: string
  readonly expression: Expression
  readonly conditions: readonly Condition[]
  /**
   * The same with every `$or` multiplied out: one of these lists must match as a whole, within the same elements of arrays.
   * Each is in the order of names, which decides what "missing" means there (`matcher.ts`).
   */
  readonly branches: readonly (readonly Condition[])[]
}

/** What may stand where a leaf array stands: reserved inside `$or`, as event-ruler has it, some for the future. */
const reserved = new Set(
  `exactly equals-ignore-case prefix suffix anything-but exists wildcard numeric cidr = < <= > >= regex not-wildcard
   not-equals-ignore-case date-after date-on-or-after date-before date-on-or-before in-date-range ip-address-in-range
   ip-address-not-in-range`.split(/\s+/)
)

/** As many lists as the `$or`s of one pattern may multiply to; the limit of EventBridge. */
export const maxBranches = 1_000
/** Fields that must hold together; the limit of event-ruler. */
export const maxConditions = 256

/** Reads a pattern. Throws PatternError, which names the place and says what would do. */
export function parsePattern(text: string): Pattern {
  const root = readRoot(text)
  let expression: Expression
  let conditions: Condition[] = []
  try {
    expression = new Reader(conditions, true).object(root, [], '', false)
  } catch (error) {
    if (!(error instanceof PatternError) || !text.includes('$or')) throw error
    // `$or` may be the name of a field, as it was before it had a meaning; what is neither is reported as an $or.
    try {
      conditions = []
      expression = new Reader(conditions, false).object(root, [], '', false)
    } catch {
      throw error
    }
  }
  const branches = multiplyOut(expression)
  for (const condition of conditions) {
    const problem = complexityProblem(condition.tests)
    if (problem !== undefined) throw new PatternError(condition.place, problem)
  }
  checkTogether(conditions)
  return { text, expression, conditions, branches }
}

/** Conditions on one field are compiled together. Throws PatternError where that is too much. */
export function checkTogether(conditions: readonly Condition[]): void {
  for (const together of Map.groupBy(conditions, ({ name }) => name).values()) {
    const problem = sharedComplexityProblem(together.map(({ tests }) => tests))
    if (problem !== undefined) throw new PatternError(together.at(-1)!.place, problem)
  }
}

function readRoot(text: string): Json & { kind: 'object' } {
  let root: Json
  try {
    root = readJson(text)
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw new PatternError('', `is not JSON: ${error.message} (position ${error.at})`)
  }
  if (root.kind !== 'object') throw new PatternError('', `must be a JSON object, got ${described(root)}`)
  return root
}

class Reader {
  readonly #conditions: Condition[]
  readonly #knowsOr: boolean

  constructor(conditions: Condition[], knowsOr: boolean) {
    this.#conditions = conditions
    this.#knowsOr = knowsOr
  }

  object({ members }: Json & { kind: 'object' }, path: readonly string[], place: string, inOr: boolean): Expression {
    if (members.length === 0) throw new PatternError(place, 'must hold at least one field, got an empty object')
    const parts = members.map(member => {
      const at = place === '' ? member.name : `${place}.${member.name}`
      if (member.name === '$or' && this.#knowsOr) return this.#or(member.value, path, at)
      if (inOr && reserved.has(member.name))
        throw new PatternError(at, `is a reserved word, which cannot name a field inside $or`)
      return this.#field(member, path, at, inOr)
    })
    return parts.length === 1 ? parts[0]! : { kind: 'all', parts }
  }

  #field({ name, value }: Member, path: readonly string[], place: string, inOr: boolean): Expression {
    const here = [...path, ...name.split('.')]
    if (value.kind === 'object') return this.object(value, here, place, inOr)
    if (value.kind !== 'array')
      throw new PatternError(place, `must be an object or a list of the values that match, got ${described(value)}`)
    if (value.items.length === 0) throw new PatternError(place, 'must list at least one value, got an empty list')
    const tests = value.items.map((entry, index) => parseTest(entry, `${place}[${index}]`))
    const condition: Condition = {
      index: this.#conditions.length,
      path: here,
      name: here.join('.'),
      place,
      tests,
      wanted: jsonText(value),
      takesAbsent: tests.some(test => test.kind === 'exists' && !test.expected)
    }
    this.#conditions.push(condition)
    return { kind: 'condition', condition }
  }

  #or(value: Json, path: readonly string[], place: string): Expression {
    if (value.kind !== 'array')
      throw new PatternError(place, `must be a list of at least two objects, got ${described(value)}`)
    const branches = value.items.map((branch, index) => {
      const at = `${place}[${index}]`
      if (branch.kind !== 'object') throw new PatternError(at, `must be an object, got ${described(branch)}`)
      return this.object(branch, path, at, true)
    })
    if (branches.length < 2)
      throw new PatternError(place, `must be a list of at least two objects, got ${branches.length}`)
    return { kind: 'any', place, branches }
  }
}

function countBranches(expression: Expression): number {
  switch (expression.kind) {
    case 'condition':
      return 1
    case 'all':
      return expression.parts.reduce((product, part) => product * countBranches(part), 1)
    case 'any':
      return expression.branches.reduce((sum, branch) => sum + countBranches(branch), 0)
    default:
      throw new Error(`no such expression: ${expression satisfies never}`)
  }
}

function multiplyOut(expression: Expression): (readonly Condition[])[] {
  const count = countBranches(expression)
  if (count > maxBranches)
    throw new PatternError(
      '',
      `is too complex: the alternatives of its $or multiply to ${count}, at most ${maxBranches} are possible`
    )
  return expand(expression).map(branch => checkedBranch(branch))
}

function expand(expression: Expression): (readonly Condition[])[] {
  switch (expression.kind) {
    case 'condition':
      return [[expression.condition]]
    case 'all':
      return expression.parts
        .map(expand)
        .reduce((done, next) => done.flatMap(left => next.map(right => [...left, ...right])))
    case 'any':
      return expression.branches.flatMap(expand)
    default:
      throw new Error(`no such expression: ${expression satisfies never}`)
  }
}

function checkedBranch(branch: readonly Condition[]): readonly Condition[] {
  if (branch.length > maxConditions)
    throw new PatternError('', `is too complex: ${branch.length} fields, at most ${maxConditions} are possible`)
  const sorted = branch.toSorted(
    (left, right) => Number(left.name > right.name) - Number(left.name < right.name) || left.index - right.index
  )
  const repeated = sorted.find((condition, at) => condition.name === sorted[at - 1]?.name)
  if (repeated !== undefined)
    throw new PatternError(
      repeated.place,
      'is there twice in what must hold together: put all values into one list, or use $or'
    )
  return sorted
}
