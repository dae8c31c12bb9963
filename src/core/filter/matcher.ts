import { collectFields, type FieldValue, type Membership } from './fields.ts'
import { jsonText, type Json } from './json.ts'
import type { Condition, Expression, Pattern } from './language.ts'
import { passes } from './tests.ts'

/** What is known of a condition without looking at the document: it is left out (true) or fails (false). */
export type Decided = (condition: Condition) => boolean | undefined

export interface Refusal {
  /** The field, with dots; for `$or` its place in the pattern; several fields, joined by " and ", when only together they fail. */
  readonly path: string
  /** What the pattern asks for there, as it writes it. */
  readonly wanted: string
  /** What the document has there. */
  readonly found: string
}

export type Explanation = { readonly matched: true } | ({ readonly matched: false } & Refusal)

const nothingDecided: Decided = () => undefined

/** Choices of array elements that are tried before a document counts as too entangled to say. */
const maxSteps = 100_000

/**
 * Does the document match? The plain way, over parsed JSON: the scanner has to agree with it, and falls back to it where
 * names are repeated. Undefined when that would take too many tries: repeated names whose arrays can be combined in
 * thousands of ways.
 */
export function matches(pattern: Pattern, document: Json, decided = nothingDecided): boolean | undefined {
  return new Matcher(pattern, document, decided).matches()
}

/** The first condition that failed, what was wanted and what was there. */
export function explain(pattern: Pattern, document: Json, decided = nothingDecided): Explanation {
  return new Matcher(pattern, document, decided).explain()
}

class Matcher {
  readonly #pattern: Pattern
  readonly #decided: Decided
  readonly #fields: Map<string, FieldValue[]>
  /** By condition: the values that pass. */
  readonly #passing: FieldValue[][]
  #steps = 0

  constructor(pattern: Pattern, document: Json, decided: Decided) {
    this.#pattern = pattern
    this.#decided = decided
    this.#fields = collectFields(document, new Set(pattern.conditions.map(({ name }) => name)))
    this.#passing = pattern.conditions.map(({ name, tests }) =>
      (this.#fields.get(name) ?? []).filter(({ value }) => tests.some(test => passes(test, value)))
    )
  }

  matches(): boolean | undefined {
    let isOpen = false
    for (const branch of this.#pattern.branches) {
      if (branch.some(condition => this.#decided(condition) === false)) continue
      const rest = branch.filter(condition => this.#decided(condition) === undefined)
      const found = this.#holds(rest, 0, undefined)
      if (found === true) return true
      isOpen ||= found === undefined
    }
    return isOpen ? undefined : false
  }

  /**
   * Is there a value for each condition from `at` on, such that all lie in the same elements of the arrays they share? As
   * event-ruler does it, conditions are taken in the order of their names, and a field is missing when it is in none of the
   * elements that were not ruled out by the conditions before it.
   */
  #holds(branch: readonly Condition[], at: number, chosen: Membership | undefined): boolean | undefined {
    const condition = branch[at]
    if (condition === undefined) return true
    if (++this.#steps > maxSteps) return undefined
    let isOpen = false
    if (condition.takesAbsent && this.#isMissing(condition, chosen)) {
      const found = this.#holds(branch, at + 1, chosen)
      if (found === true) return true
      isOpen = found === undefined
    }
    const tried = new Set<Membership | undefined>()
    for (const { membership } of this.#passing[condition.index]!) {
      if (tried.has(membership)) continue
      tried.add(membership)
      const together = union(chosen, membership)
      if (together === conflict) continue
      const found = this.#holds(branch, at + 1, together)
      if (found === true) return true
      isOpen ||= found === undefined
    }
    return isOpen ? undefined : false
  }

  #isMissing({ name }: Condition, chosen: Membership | undefined): boolean {
    return !(this.#fields.get(name) ?? []).some(({ membership }) => union(chosen, membership) !== conflict)
  }

  explain(): Explanation {
    const matched = this.matches()
    if (matched === true) return { matched: true }
    const refusal = this.#refusal(this.#pattern.expression)
    if (refusal !== undefined) return { matched: false, ...refusal }
    const names = this.#pattern.conditions.map(({ name }) => name)
    return {
      matched: false,
      path: names.join(' and '),
      wanted: 'values within the same elements of lists',
      found:
        matched === undefined
          ? 'repeated names with too many combinations to try'
          : 'matching values only in different elements'
    }
  }

  /** The first part that fails when array elements are not asked to be the same. */
  #refusal(expression: Expression): Refusal | undefined {
    switch (expression.kind) {
      case 'condition':
        return this.#conditionRefusal(expression.condition)
      case 'all':
        for (const part of expression.parts) {
          const refusal = this.#refusal(part)
          if (refusal !== undefined) return refusal
        }
        return undefined
      case 'any': {
        const refusals = expression.branches.map(branch => this.#refusal(branch))
        const failed = refusals.filter(refusal => refusal !== undefined)
        if (failed.length < refusals.length) return undefined
        const told = (tell: (refusal: Refusal) => string): string => shortened(failed.map(tell).join(' or '))
        return {
          path: expression.place,
          wanted: told(({ path, wanted }) => `${path} ${wanted}`),
          found: told(({ path, found }) => `${path} ${found}`)
        }
      }
      default:
        throw new Error(`no such expression: ${expression satisfies never}`)
    }
  }

  #conditionRefusal(condition: Condition): Refusal | undefined {
    const decided = this.#decided(condition)
    const values = this.#fields.get(condition.name) ?? []
    const holds =
      decided ?? (this.#passing[condition.index]!.length > 0 || (condition.takesAbsent && values.length === 0))
    if (holds) return undefined
    return {
      path: condition.name,
      wanted: shortened(condition.wanted),
      found: decided === false ? 'a value of another format' : told(values)
    }
  }
}

const conflict = Symbol('different elements of one array')

/** What was chosen together with where a value lies. Array elements are few: lists beat maps. */
function union(
  chosen: Membership | undefined,
  membership: Membership | undefined
): Membership | undefined | typeof conflict {
  let together = chosen
  for (let next = membership; next !== undefined; next = next.outer) {
    let same = chosen
    while (same !== undefined && same.array !== next.array) same = same.outer
    if (same === undefined) together = { array: next.array, element: next.element, outer: together }
    else if (same.element !== next.element) return conflict
  }
  return together
}

function told(values: readonly FieldValue[]): string {
  if (values.length === 0) return 'nothing'
  const shown = values.slice(0, 5).map(({ value }) => shortened(jsonText(value)))
  return values.length > shown.length
    ? `${shown.join(', ')} and ${values.length - shown.length} more`
    : shown.join(', ')
}

const shortened = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text)
