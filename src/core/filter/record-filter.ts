import { column, type Block } from '../record.ts'
import type { Json } from './json.ts'
import type { Condition, Pattern } from './language.ts'
import { explain, matches, type Decided, type Explanation } from './matcher.ts'
import { metadataMembers, readValue, type ReadValue, type ValueFormat } from './record-document.ts'

export interface RecordFilterOptions {
  /** What becomes of a record whose value has another format than the pattern asks for (reference 4.2, 15.38). */
  readonly mismatch: 'pass' | 'drop'
}

/** Which pattern refused a record, and by which of its conditions: a path with dots, or the place of an `$or`. */
export interface RefusedBy {
  readonly pattern: number
  readonly condition: string
}

/** Says which records of a block pass at least one of the patterns. One per mapping and thread. */
export class RecordFilter {
  readonly #patterns: readonly Pattern[]
  readonly #mismatchPasses: boolean
  readonly #metadata: ReadonlySet<string>
  #mismatches = 0

  constructor(patterns: readonly Pattern[], options: RecordFilterOptions) {
    this.#patterns = patterns
    this.#mismatchPasses = options.mismatch === 'pass'
    this.#metadata = new Set(patterns.flatMap(({ conditions }) => conditions.map(({ path }) => path[0]!)))
  }

  /** Records whose value had another format than a pattern asked for, or could not be read the way it asks. */
  get mismatches(): number {
    return this.#mismatches
  }

  accepts(block: Block, row: number): boolean {
    if (this.#patterns.length === 0) return true
    const { document, format } = this.#read(block, row)
    const decided = this.#decided(format)
    let mismatched = this.#patterns.some(({ conditions }) =>
      conditions.some(condition => decided(condition) !== undefined)
    )
    let accepted = false
    for (const pattern of this.#patterns) {
      const matched = matches(pattern, document, decided)
      mismatched ||= matched === undefined
      accepted ||= matched ?? this.#mismatchPasses
    }
    if (mismatched) this.#mismatches++
    return accepted
  }

  /** For a record that was refused: the first condition of each pattern that failed. Slow. */
  refusedBy(block: Block, row: number): RefusedBy[] {
    return this.explain(block, row).flatMap((explanation, pattern) =>
      explanation.matched ? [] : [{ pattern, condition: explanation.path }]
    )
  }

  /** By pattern: does it take the record, and if not, why. Slow. */
  explain(block: Block, row: number): Explanation[] {
    const { document, format } = this.#read(block, row)
    return this.#patterns.map(pattern => explain(pattern, document, this.#decided(format)))
  }

  #read(block: Block, row: number): { document: Json; format: ValueFormat } {
    const start = block.positions[row * column.stride + column.valueStart]!
    const end = block.positions[row * column.stride + column.valueEnd]!
    const { format, value } = readValue(start < 0 ? undefined : block.bytes.subarray(start, end)) satisfies ReadValue
    const members = metadataMembers(block, row, this.#metadata)
    if (value !== undefined) members.push({ name: 'value', value })
    return { document: { kind: 'object', members }, format }
  }

  #decided(format: ValueFormat): Decided {
    return condition => (isMismatch(condition, format) ? this.#mismatchPasses : undefined)
  }
}

/** A value of the wrong format leaves the conditions on it out, so that the rest decides; or they fail. */
function isMismatch({ path }: Condition, format: ValueFormat): boolean {
  if (path[0] !== 'value' || format === 'none') return false
  return format !== (path.length === 1 ? 'text' : 'json')
}
