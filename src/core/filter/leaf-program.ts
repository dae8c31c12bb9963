import { AddressSet } from './address-set.ts'
import type { Condition } from './language.ts'
import { NumberTests } from './number-tests.ts'
import type { StringTest } from './operators.ts'
import { maxGroups, StringAutomaton } from './string-automaton.ts'
import { stringPlan, type PlainNeedle } from './string-plan.ts'

/** What was found out about the conditions of a set of patterns: what is marked with the current generation holds. */
export class Marks {
  generation = 0
  /** By condition: a value passes. */
  readonly hits: Int32Array
  /** By leaf: there is a value. */
  readonly seen: Int32Array

  constructor(conditions: number, leaves: number) {
    this.hits = new Int32Array(conditions)
    this.seen = new Int32Array(leaves)
  }

  /** Begins a generation in which nothing is marked. A thread sees more records than a generation has numbers. */
  begin(): void {
    if (++this.generation <= 0x7fffffff) return
    this.hits.fill(0)
    this.seen.fill(0)
    this.generation = 1
  }
}

/** A condition with its number among all conditions of all patterns of a filter. */
export interface Numbered {
  readonly condition: Condition
  readonly at: number
}

interface Needle {
  readonly kind: PlainNeedle['kind']
  readonly bytes: Uint8Array
}

/** One condition's way to look at a value. */
interface Entry {
  readonly at: number
  /** Passes by being there. */
  readonly anything: boolean
  /** By true, false, null. */
  readonly literals: readonly boolean[]
  readonly numbers: NumberTests
  /** A string that passes none of the others passes: the condition asks for numbers other than some. */
  readonly anyString: boolean
  readonly needles: readonly Needle[]
  readonly addresses: AddressSet | undefined
  /** Strings that automata look at: bit of this condition, and bits of its anything-but lists, of which one must be clear. */
  automaton: number
  passBit: number
  butBits: number
}

const literals = ['true', 'false', 'null'] as const
/** All conditions on one path, ready to look at a value in bytes. Allocates nothing for a value. */
export class LeafProgram {
  readonly leaf: number
  readonly #entries: Entry[]
  readonly #automata: StringAutomaton[] = []
  readonly #outcomes: Int32Array
  readonly hasStringTests: boolean

  constructor(leaf: number, conditions: readonly Numbered[]) {
    this.leaf = leaf
    const lists: (readonly (readonly StringTest[])[])[] = []
    this.#entries = conditions.map(numbered => {
      const { entry, groups } = entryOf(numbered)
      lists.push(groups)
      return entry
    })
    this.#compileStrings(lists)
    this.#outcomes = new Int32Array(this.#automata.length)
    this.hasStringTests = this.#entries.some(
      ({ anyString, needles, addresses, automaton }) =>
        anyString || needles.length > 0 || addresses !== undefined || automaton >= 0
    )
  }

  /** Conditions share automata while they fit. */
  #compileStrings(conditions: readonly (readonly (readonly StringTest[])[])[]): void {
    let open: (readonly StringTest[])[] = []
    let compiled: StringAutomaton | undefined
    for (const [index, groups] of conditions.entries()) {
      if (groups.length === 0) continue
      let together =
        open.length + groups.length <= maxGroups ? StringAutomaton.compile([...open, ...groups]) : undefined
      if (together === undefined) {
        if (compiled !== undefined) this.#automata.push(compiled)
        open = []
        together = StringAutomaton.compile(groups)
        // The language refuses what does not fit by itself.
        if (together === undefined) throw new Error('a condition too complex to compile was let through')
      }
      const entry = this.#entries[index]!
      entry.automaton = this.#automata.length
      entry.passBit = groups[0]!.length === 0 ? 0 : 1 << open.length
      for (let but = 1; but < groups.length; but++) entry.butBits |= 1 << (open.length + but)
      open.push(...groups)
      compiled = together
    }
    if (compiled !== undefined) this.#automata.push(compiled)
  }

  /** `bytes` from `from` to `to` is the string without quotes and escapes. */
  onString(marks: Marks, bytes: Uint8Array, from: number, to: number): void {
    const { generation, hits } = marks
    marks.seen[this.leaf] = generation
    for (let automaton = 0; automaton < this.#automata.length; automaton++)
      this.#outcomes[automaton] = this.#automata[automaton]!.match(bytes, from, to)
    for (const entry of this.#entries) {
      if (hits[entry.at] !== generation && stringPasses(entry, this.#outcomes, bytes, from, to))
        hits[entry.at] = generation
    }
  }

  /** `bytes` from `from` to `to` is the number. */
  onNumber(marks: Marks, bytes: Uint8Array, from: number, to: number): void {
    const { generation, hits } = marks
    marks.seen[this.leaf] = generation
    for (const entry of this.#entries) {
      if (hits[entry.at] !== generation && (entry.anything || entry.numbers.pass(bytes, from, to)))
        hits[entry.at] = generation
    }
  }

  /** 0, 1, 2: true, false, null. */
  onLiteral(marks: Marks, which: number): void {
    const { generation, hits } = marks
    marks.seen[this.leaf] = generation
    for (const entry of this.#entries) if (entry.literals[which]!) hits[entry.at] = generation
  }
}

function stringPasses(entry: Entry, outcomes: Int32Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (entry.anything || entry.anyString) return true
  for (const needle of entry.needles) if (found(needle, bytes, from, to)) return true
  if (entry.automaton >= 0) {
    const outcome = outcomes[entry.automaton]!
    if ((outcome & entry.passBit) !== 0 || (outcome & entry.butBits) !== entry.butBits) return true
  }
  return entry.addresses !== undefined && entry.addresses.has(bytes, from, to)
}

function found({ kind, bytes: wanted }: Needle, bytes: Uint8Array, from: number, to: number): boolean {
  const length = wanted.length
  if (kind === 'equals' ? to - from !== length : to - from < length) return false
  const start = kind === 'suffix' ? to - length : from
  for (let next = 0; next < length; next++) if (bytes[start + next] !== wanted[next]) return false
  return true
}

function entryOf({ condition, at }: Numbered): { entry: Entry; groups: readonly (readonly StringTest[])[] } {
  const { tests } = condition
  const buts = tests.filter(test => test.kind === 'anything-but')
  const { needles, groups } = stringPlan(tests)
  const addresses = tests.filter(test => test.kind === 'address')
  const anything = tests.some(test => test.kind === 'exists' && test.expected)
  const entry: Entry = {
    at,
    anything,
    literals: literals.map(
      word => anything || buts.length > 0 || tests.some(test => test.kind === 'literal' && test.text === word)
    ),
    numbers: new NumberTests(tests),
    anyString: buts.some(({ strings }) => strings.length === 0),
    needles: needles.map(({ kind, text }) => ({ kind, bytes: Buffer.from(text) })),
    addresses: addresses.length === 0 ? undefined : new AddressSet(addresses),
    automaton: -1,
    passBit: 0,
    butBits: 0
  }
  return { entry, groups }
}
