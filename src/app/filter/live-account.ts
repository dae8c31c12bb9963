import type { Pattern } from '../../core/filter/language.ts'
import { RecordFilter } from '../../core/filter/record-filter.ts'
import { column, type Block } from '../../core/record.ts'
import type { Mismatch } from './flags.ts'
import { patternVerdicts, type PatternVerdict } from './verdict.ts'

/** What patterns make of records of a topic. */
export interface LiveAccount {
  readonly topic: string
  readonly patterns: readonly string[]
  readonly records: number
  readonly pass: number
  readonly refused: number
  /** Records whose value has another format than a pattern asks for. */
  readonly mismatched: number
  /** Of each pattern, by its number from 1: how many records its first failing condition was this one for. Most first. */
  readonly refusedBy: readonly { readonly pattern: number; readonly condition: string; readonly records: number }[]
  /** Those that pass first; the first few of each. */
  readonly examples: readonly LiveExample[]
}

export interface LiveExample {
  readonly pass: boolean
  readonly partition: number
  readonly offset: number
  /** Its beginning; null is a tombstone. */
  readonly value: string | null
  /** By pattern, where it was refused. */
  readonly why: readonly PatternVerdict[]
}

const examplesOfEach = 5
const longestValue = 120

/** Counts what patterns make of the records of blocks. */
export class LiveTally {
  readonly #topic: string
  readonly #patterns: readonly Pattern[]
  readonly #filter: RecordFilter
  readonly #refusedBy = new Map<string, { pattern: number; condition: string; records: number }>()
  readonly #passing: LiveExample[] = []
  readonly #refused: LiveExample[] = []
  #pass = 0
  #records = 0

  constructor(topic: string, patterns: readonly Pattern[], mismatch: Mismatch) {
    this.#topic = topic
    this.#patterns = patterns
    this.#filter = new RecordFilter(patterns, { mismatch })
  }

  get records(): number {
    return this.#records
  }

  look(block: Block): void {
    for (let row = 0; row < block.count; row++) {
      this.#records++
      if (this.#filter.accepts(block, row)) {
        this.#pass++
        if (this.#passing.length < examplesOfEach) this.#passing.push(exampleOf(block, row, []))
      } else this.#refuse(block, row)
    }
  }

  #refuse(block: Block, row: number): void {
    const why = patternVerdicts(this.#patterns, this.#filter.explain(block, row))
    for (const [at, { path = '' }] of why.entries()) {
      const key = `${at} ${path}`
      const counted = this.#refusedBy.get(key) ?? { pattern: at + 1, condition: path, records: 0 }
      counted.records++
      this.#refusedBy.set(key, counted)
    }
    if (this.#refused.length < examplesOfEach) this.#refused.push(exampleOf(block, row, why))
  }

  account(): LiveAccount {
    return {
      topic: this.#topic,
      patterns: this.#patterns.map(({ text }) => text),
      records: this.#records,
      pass: this.#pass,
      refused: this.#records - this.#pass,
      mismatched: this.#filter.mismatches,
      refusedBy: [...this.#refusedBy.values()].sort((a, b) => b.records - a.records),
      examples: [...this.#passing, ...this.#refused]
    }
  }
}

function exampleOf(block: Block, row: number, why: readonly PatternVerdict[]): LiveExample {
  const start = block.positions[row * column.stride + column.valueStart]!
  const end = block.positions[row * column.stride + column.valueEnd]!
  const value = start < 0 ? null : block.bytes.toString('utf8', start, Math.min(end, start + 4 * longestValue))
  return {
    pass: why.length === 0,
    partition: block.partition,
    offset: block.offsets[row]!,
    value: value === null || value.length <= longestValue ? value : `${value.slice(0, longestValue)}…`,
    why
  }
}
