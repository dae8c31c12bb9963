import { AddressIndex } from './address-index.ts'
import { ByteTable, isAt } from './byte-table.ts'
import type { StringTest, Test } from './operators.ts'
import { StringAutomaton } from './string-automaton.ts'
import { automataOf, isExact, isNeedle, patternGroups, type Place } from './string-plan.ts'

/** Prefixes and suffixes compared one by one up to here; more go through an automaton. */
const maxNeedles = 4
/** Combinations of findings are numbered in a table up to here, in a map beyond. */
const maxTable = 65_536

/** What one condition asks of strings. */
interface Wanted {
  /** Numbers of strings, counted from 1. */
  readonly strings: ReadonlySet<number>
  /** Each list of strings: any but these. */
  readonly buts: readonly ReadonlySet<number>[]
  /** Bits of needles. */
  readonly needles: number
  /** One of these must match. */
  readonly groups: readonly Place[]
  /** Or of one of these lists, none. */
  readonly butGroups: readonly (readonly Place[])[]
}

/**
 * Sorts strings by what the conditions on one path ask: all strings of one class pass the same conditions. How many conditions
 * there are matters little for a string: all that name whole strings take one look, all others few automata.
 */
export class StringIndex {
  readonly #strings: ByteTable | undefined
  readonly #needles: readonly { readonly isSuffix: boolean; readonly bytes: Uint8Array }[]
  readonly #automata: readonly StringAutomaton[]
  /** How many of them read strings from the beginning. */
  readonly #forward: number
  readonly #addresses: AddressIndex | undefined
  readonly #wanted: readonly Wanted[]
  /** What the last string was found to be: number of a string, bits of needles, slot of an address, outcomes of automata. */
  readonly #found: Int32Array
  /** How many values each of those has. */
  readonly #ranges: readonly number[]
  /** By combination of findings: 1 + its class. */
  readonly #table: Int32Array | undefined
  readonly #map = new Map<number | string, number>()
  readonly #classes: Int32Array[] = []

  constructor(conditions: readonly (readonly Test[])[]) {
    const strings = new Map<string, number>()
    const numberOf = (text: string): number => {
      const number = strings.get(text) ?? strings.size + 1
      strings.set(text, number)
      return number
    }
    const numbersOf = (tests: readonly Test[]): ReadonlySet<number> =>
      new Set(tests.flatMap(test => (test.kind === 'equals' ? [numberOf(test.text)] : [])))
    const needles = conditions.flat().filter(isNeedle)
    const areFew = needles.length <= maxNeedles
    this.#needles = areFew
      ? needles.map(({ kind, text }) => ({ isSuffix: kind === 'suffix', bytes: Buffer.from(text) }))
      : []
    const groups: (readonly StringTest[])[] = []
    const grouped = (tests: readonly StringTest[]): number[] => (tests.length === 0 ? [] : [groups.push(tests) - 1])
    const plans = conditions.map(tests => {
      const { some, buts } = patternGroups(tests)
      return {
        strings: numbersOf(tests),
        buts: tests.flatMap(test =>
          test.kind === 'anything-but' && test.strings.every(isExact) ? [numbersOf(test.strings)] : []
        ),
        needles: areFew
          ? needles.reduce((bits, needle, at) => (tests.includes(needle) ? bits | (1 << at) : bits), 0)
          : 0,
        groups: grouped(areFew ? some.filter(test => !isNeedle(test)) : some),
        butGroups: buts.flatMap(grouped)
      }
    })
    const compiled = automataOf(groups)
    if (compiled === undefined) throw new Error('a condition too complex to compile was let through')
    const { automata, forward, places } = compiled
    this.#forward = forward
    this.#wanted = plans.map(({ strings, buts, needles, groups, butGroups }) => ({
      strings,
      buts,
      needles,
      groups: groups.flatMap(group => places[group]!),
      butGroups: butGroups.map(group => places[group]!)
    }))
    this.#automata = automata
    this.#strings = strings.size === 0 ? undefined : new ByteTable([...strings.keys()].map(text => Buffer.from(text)))
    const addresses = conditions.map(tests => tests.filter(test => test.kind === 'address'))
    this.#addresses = addresses.every(({ length }) => length === 0) ? undefined : new AddressIndex(addresses)
    this.#ranges = [
      strings.size + 1,
      1 << this.#needles.length,
      this.#addresses?.slots ?? 1,
      ...automata.map(({ outcomes }) => outcomes.length)
    ]
    this.#found = new Int32Array(this.#ranges.length)
    const combinations = this.#ranges.reduce((product, range) => product * range, 1)
    this.#table = combinations <= maxTable ? new Int32Array(combinations) : undefined
  }

  /** The class of the string that is `bytes` from `from` to `to`, without quotes and escapes. */
  classOf(bytes: Uint8Array, from: number, to: number): number {
    const found = this.#found
    const ranges = this.#ranges
    let key = 0
    if (this.#strings !== undefined) {
      key = this.#strings.find(bytes, from, to) + 1
      found[0] = key
    }
    if (this.#needles.length > 0) {
      found[1] = this.#needlesIn(bytes, from, to)
      key = key * ranges[1]! + found[1]
    }
    if (this.#addresses !== undefined) {
      found[2] = this.#addresses.slotOf(bytes, from, to)
      key = key * ranges[2]! + found[2]
    }
    if (this.#automata.length > 0) {
      this.#run(bytes, from, to)
      for (let at = 3; at < found.length; at++) key = key * ranges[at]! + found[at]!
    }
    if (this.#table !== undefined) {
      const known = this.#table[key]!
      if (known !== 0) return known - 1
      this.#table[key] = this.#classes.push(found.slice())
      return this.#classes.length - 1
    }
    return this.#classByMap(key)
  }

  #run(bytes: Uint8Array, from: number, to: number): void {
    const automata = this.#automata
    let at = 0
    for (; at + 1 < this.#forward; at += 2) {
      this.#found[3 + at] = automata[at]!.matchWith(automata[at + 1]!, bytes, from, to)
      this.#found[4 + at] = automata[at + 1]!.outcome
    }
    for (; at < automata.length; at++) this.#found[3 + at] = automata[at]!.match(bytes, from, to)
  }

  #classByMap(combination: number): number {
    const key = Number.isSafeInteger(combination) ? combination : this.#found.join()
    let known = this.#map.get(key)
    if (known === undefined) {
      known = this.#classes.push(this.#found.slice()) - 1
      this.#map.set(key, known)
    }
    return known
  }

  #needlesIn(bytes: Uint8Array, from: number, to: number): number {
    let bits = 0
    for (let at = 0; at < this.#needles.length; at++) {
      const { isSuffix, bytes: needle } = this.#needles[at]!
      if (needle.length <= to - from && isAt(needle, bytes, isSuffix ? to - needle.length : from)) bits |= 1 << at
    }
    return bits
  }

  /** Do strings of this class pass a condition, counted from 0? */
  passes(condition: number, classNumber: number): boolean {
    const { strings, buts, needles, groups, butGroups } = this.#wanted[condition]!
    const found = this.#classes[classNumber]!
    const matches = ({ automaton, group }: Place): boolean =>
      this.#automata[automaton]!.outcomes[found[3 + automaton]!]!.has(group)
    return (
      strings.has(found[0]!) ||
      (needles & found[1]!) !== 0 ||
      this.#addresses?.passes(condition, found[2]!) === true ||
      groups.some(matches) ||
      buts.some(but => !but.has(found[0]!)) ||
      butGroups.some(places => !places.some(matches))
    )
  }
}
