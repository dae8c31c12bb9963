import type { Condition } from './language.ts'
import { NumberIndex } from './number-index.ts'
import { StringIndex } from './string-index.ts'

/** A condition with its number among all conditions of all patterns of a filter. */
export interface Numbered {
  readonly condition: Condition
  readonly at: number
}

/** Bytes of strings that are known by their bytes. */
const shortest = 6

const literals = ['true', 'false', 'null'] as const

/**
 * All conditions on one path, ready to look at values in bytes. Values that pass the same conditions have one outcome; an
 * outcome is noted once for a document, however many values have it. Allocates nothing for a value but the first of its kind.
 */
export class LeafProgram {
  readonly #conditions: readonly Numbered[]
  readonly #strings: StringIndex
  readonly #numbers: NumberIndex
  readonly #hasStringTests: boolean
  /** What passes, as pairs of a word's number and its bits, of all outcomes, which are numbered as they occur. */
  #pairs = new Int32Array(64)
  /** By outcome: where its pairs end; they begin where those before end. */
  #ends = new Int32Array(16)
  readonly #outcomes = new Map<string, number>()
  /** 1 + outcome, by class of a string, slot of a number, literal. */
  #byClass = new Int32Array(16)
  readonly #bySlot: Int32Array
  /** The outcomes of small whole numbers, -1 where not known yet. */
  readonly #quick: Int32Array
  /** Short strings that were looked at last: up to seven bytes in two words with the length, which begin as none does. */
  readonly #shortLow = new Int32Array(256)
  readonly #shortHigh = new Int32Array(256).fill(-1)
  readonly #shortOutcome = new Int32Array(256)
  readonly #byLiteral = new Int32Array(3)
  /** By outcome: the document it was noted for last. As doubles they never run out. */
  #noted = new Float64Array(16)
  /** The document that a value was seen in last, and what passed there. */
  #document = 0
  readonly #passed: Int32Array

  constructor(conditions: readonly Numbered[]) {
    this.#conditions = conditions
    const tests = conditions.map(({ condition }) => condition.tests)
    this.#strings = new StringIndex(tests)
    this.#numbers = new NumberIndex(tests)
    this.#hasStringTests = tests.flat().some(test => !['literal', 'number', 'range', 'exists'].includes(test.kind))
    this.#bySlot = new Int32Array(this.#numbers.slots)
    this.#quick = new Int32Array(this.#numbers.slots > 16 ? 4_096 : 16).fill(-1)
    this.#passed = new Int32Array((conditions.length + 31) >> 5)
  }

  /** There is a value in the document. */
  isSeen(document: number): boolean {
    return this.#document === document
  }

  /** A value in the document passes a condition, counted from 0. */
  passes(document: number, condition: number): boolean {
    return this.#document === document && (this.#passed[condition >> 5]! & (1 << (condition & 31))) !== 0
  }

  /** Conditions that values of this outcome pass, counted from 0. */
  passing(outcome: number): number[] {
    const conditions: number[] = []
    for (let at = outcome === 0 ? 0 : this.#ends[outcome - 1]!; at < this.#ends[outcome]!; at += 2)
      for (let bit = 0; bit < 32; bit++)
        if ((this.#pairs[at + 1]! & (1 << bit)) !== 0) conditions.push(this.#pairs[at]! * 32 + bit)
    return conditions
  }

  /** `bytes` from `from` to `to` is the string without quotes and escapes. Returns its outcome. */
  onString(document: number, bytes: Uint8Array, from: number, to: number): number {
    const length = to - from
    if (length > shortest) return this.#onAnyString(document, bytes, from, to)
    // Where strings are short there are many of them: whoever was here before is known by its bytes.
    let low = 0
    let high = length
    for (let at = from; at < to; at++) {
      high = (high << 8) | (low >>> 24)
      low = (low << 8) | bytes[at]!
    }
    const place = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> 24
    if (this.#shortLow[place] === low && this.#shortHigh[place] === high) {
      const outcome = this.#shortOutcome[place]!
      return this.#noted[outcome] === document ? outcome : this.#note(document, outcome)
    }
    const outcome = this.#onAnyString(document, bytes, from, to)
    this.#shortLow[place] = low
    this.#shortHigh[place] = high
    this.#shortOutcome[place] = outcome
    return outcome
  }

  #onAnyString(document: number, bytes: Uint8Array, from: number, to: number): number {
    const which = this.#hasStringTests ? this.#strings.classOf(bytes, from, to) : 0
    if (which >= this.#byClass.length) this.#byClass = wider(this.#byClass, which)
    let outcome = this.#byClass[which]! - 1
    if (outcome < 0) {
      const strings = this.#hasStringTests ? this.#strings : undefined
      outcome = this.#outcomeOf(at => strings !== undefined && strings.passes(at, which))
      this.#byClass[which] = outcome + 1
    }
    return this.#note(document, outcome)
  }

  /** `bytes` from `from` to `to` is the number. */
  onNumber(document: number, bytes: Uint8Array, from: number, to: number): number {
    return this.#onSlot(document, this.#numbers.slotOf(bytes, from, to))
  }

  /** Of a whole number that is not negative, and has at most 15 digits. */
  onInteger(document: number, value: number): number {
    if (value < this.#quick.length) {
      const outcome = this.#quick[value]!
      if (outcome >= 0 && this.#noted[outcome] === document) return outcome
    }
    const outcome = this.#onSlot(document, this.#numbers.slotOfInteger(value))
    if (value < this.#quick.length) this.#quick[value] = outcome
    return outcome
  }

  #onSlot(document: number, slot: number): number {
    let outcome = this.#bySlot[slot]! - 1
    if (outcome < 0) {
      outcome = this.#outcomeOf(at => this.#numbers.passes(at, slot))
      this.#bySlot[slot] = outcome + 1
    }
    return this.#note(document, outcome)
  }

  /** 0, 1, 2: true, false, null. */
  onLiteral(document: number, which: number): number {
    let outcome = this.#byLiteral[which]! - 1
    if (outcome < 0) {
      outcome = this.#outcomeOf(at =>
        this.#conditions[at]!.condition.tests.some(
          test => test.kind === 'anything-but' || (test.kind === 'literal' && test.text === literals[which])
        )
      )
      this.#byLiteral[which] = outcome + 1
    }
    return this.#note(document, outcome)
  }

  #note(document: number, outcome: number): number {
    if (this.#noted[outcome] === document) return outcome
    this.#noted[outcome] = document
    const passed = this.#passed
    if (this.#document !== document) {
      this.#document = document
      for (let word = 0; word < passed.length; word++) passed[word] = 0
    }
    const end = this.#ends[outcome]!
    for (let at = outcome === 0 ? 0 : this.#ends[outcome - 1]!; at < end; at += 2)
      passed[this.#pairs[at]!]! |= this.#pairs[at + 1]!
    return outcome
  }

  #outcomeOf(passes: (condition: number) => boolean): number {
    const row = new Int32Array(this.#passed.length)
    for (const [at, { condition }] of this.#conditions.entries()) {
      if (condition.tests.some(test => test.kind === 'exists' && test.expected) || passes(at))
        row[at >> 5]! |= 1 << (at & 31)
    }
    const key = row.join()
    let outcome = this.#outcomes.get(key)
    if (outcome === undefined) {
      outcome = this.#outcomes.size
      this.#outcomes.set(key, outcome)
      if (outcome >= this.#noted.length) {
        const noted = new Float64Array(outcome * 2)
        noted.set(this.#noted)
        this.#noted = noted
        this.#ends = wider(this.#ends, outcome)
      }
      let end = outcome === 0 ? 0 : this.#ends[outcome - 1]!
      if (end + row.length * 2 > this.#pairs.length) this.#pairs = wider(this.#pairs, end + row.length * 2)
      for (const [word, bits] of row.entries()) {
        if (bits === 0) continue
        this.#pairs[end++] = word
        this.#pairs[end++] = bits
      }
      this.#ends[outcome] = end
    }
    return outcome
  }
}

function wider(array: Int32Array<ArrayBuffer>, least: number): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(Math.max(array.length, least) * 2)
  wider.set(array)
  return wider
}
