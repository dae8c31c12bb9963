import { column, type Block } from '../record.ts'
import { CompiledPatterns, fails, holds } from './compiler.ts'
import type { Json } from './json.ts'
import { isUtf8 } from './json-bytes.ts'
import type { Condition, Pattern } from './language.ts'
import { LeafProgram, type Numbered } from './leaf-program.ts'
import { explain, matches, type Decided, type Explanation } from './matcher.ts'
import { MetadataProgram } from './metadata-program.ts'
import { metadataMembers, readValue, type ValueFormat } from './record-document.ts'

export interface RecordFilterOptions {
  /** What becomes of a record whose value has another format than the pattern asks for (reference 4.2, 15.38). */
  readonly mismatch: 'pass' | 'drop'
}

/** Which pattern refused a record, and by which of its conditions: a path with dots, or the place of an `$or`. */
export interface RefusedBy {
  readonly pattern: number
  readonly condition: string
}

/** What a condition looks at: the whole value as a string, the value as JSON, or the rest of the record. */
type Side = 'text' | 'json' | 'metadata'

const sideOf = ({ path }: Condition): Side => (path[0] !== 'value' ? 'metadata' : path.length === 1 ? 'text' : 'json')

/** Says which records of a block pass at least one of the patterns. One per mapping and thread. */
export class RecordFilter {
  readonly #patterns: readonly Pattern[]
  readonly #mismatchPasses: boolean
  /** The same patterns over bytes. */
  readonly #compiled: CompiledPatterns
  readonly #conditions: Readonly<Record<Side, readonly Numbered[]>>
  /** Conditions on the whole value as a string. */
  readonly #text: LeafProgram
  /** Texts are counted. */
  #texts = 0
  readonly #metadata: MetadataProgram
  readonly #metadataFields: ReadonlySet<string>
  /** By pattern: conditions on headers have to hold in the same header, which only the plain matcher knows. */
  readonly #isPlain: readonly boolean[]
  #viewed: Buffer | undefined
  #view: DataView = new DataView(new ArrayBuffer(0))
  #mismatches = 0

  constructor(patterns: readonly Pattern[], options: RecordFilterOptions) {
    this.#patterns = patterns
    this.#mismatchPasses = options.mismatch === 'pass'
    this.#compiled = new CompiledPatterns(patterns, condition =>
      sideOf(condition) === 'json' ? condition.path.slice(1) : undefined
    )
    const all = patterns.flatMap(({ conditions }) => conditions).map((condition, at) => ({ condition, at }))
    const on = (side: Side): Numbered[] => all.filter(({ condition }) => sideOf(condition) === side)
    this.#conditions = { text: on('text'), json: on('json'), metadata: on('metadata') }
    this.#text = new LeafProgram(this.#conditions.text)
    this.#metadata = new MetadataProgram(this.#conditions.metadata)
    this.#metadataFields = new Set(this.#conditions.metadata.map(({ condition }) => condition.path[0]!))
    this.#isPlain = patterns.map(({ branches }) =>
      branches.some(branch => branch.filter(({ path }) => path[0] === 'headers').length > 1)
    )
  }

  /** Records whose value had another format than a pattern asked for, or could not be read the way it asks. */
  get mismatches(): number {
    return this.#mismatches
  }

  accepts(block: Block, row: number): boolean {
    if (this.#patterns.length === 0) return true
    const start = block.positions[row * column.stride + column.valueStart]!
    const end = block.positions[row * column.stride + column.valueEnd]!
    const format = this.#look(block.bytes, start, end)
    if (this.#conditions.metadata.length > 0)
      this.#metadata.look(block, row, this.#viewOf(block.bytes), this.#compiled.outside)
    let isMismatch = format !== 'none' && this.#conditions[format === 'json' ? 'text' : 'json'].length > 0
    if (format === 'binary' && this.#conditions.text.length > 0) isMismatch = true
    let isAccepted = false
    for (let pattern = 0; pattern < this.#patterns.length && !isAccepted; pattern++) {
      let matched = this.#isPlain[pattern]!
        ? undefined
        : format === 'json' || format === 'none'
          ? this.#compiled.matches(pattern)
          : this.#compiled.matchesOutside(pattern)
      matched ??= this.#matchesPlainly(block, row, pattern)
      if (matched === undefined) isMismatch = true
      isAccepted = matched ?? this.#mismatchPasses
    }
    if (isMismatch) this.#mismatches++
    return isAccepted
  }

  /** Looks at the value for all conditions on it, and tells its format. */
  #look(bytes: Buffer, start: number, end: number): ValueFormat {
    const { text, json } = this.#conditions
    const { outside } = this.#compiled
    if (start < 0) {
      this.#compiled.scanNothing()
      for (const { condition, at } of text) outside[at] = condition.takesAbsent ? holds : fails
      return 'none'
    }
    if (text.length === 0 && json.length === 0) return 'none'
    const isJson = this.#compiled.scan(bytes, this.#viewOf(bytes), start, end)
    const mismatched = this.#mismatchPasses ? holds : fails
    if (isJson) {
      for (const { at } of text) outside[at] = mismatched
      return 'json'
    }
    for (const { at } of json) outside[at] = mismatched
    // Without a condition on texts nobody asks whether it is one.
    if (text.length === 0) return 'text'
    if (!isUtf8(bytes, start, end)) {
      for (const { at } of text) outside[at] = mismatched
      return 'binary'
    }
    this.#text.onString(++this.#texts, bytes, start, end)
    for (const [place, { at }] of text.entries()) outside[at] = this.#text.passes(this.#texts, place) ? holds : fails
    return 'text'
  }

  #viewOf(bytes: Buffer): DataView {
    if (this.#viewed !== bytes) {
      this.#viewed = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    return this.#view
  }

  #matchesPlainly(block: Block, row: number, pattern: number): boolean | undefined {
    const { document, format } = this.#read(block, row)
    return matches(this.#patterns[pattern]!, document, this.#decided(format))
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
    const { format, value } = readValue(start < 0 ? undefined : block.bytes.subarray(start, end))
    const members = metadataMembers(block, row, this.#metadataFields)
    if (value !== undefined) members.push({ name: 'value', value })
    return { document: { kind: 'object', members }, format }
  }

  /** A value of the wrong format leaves the conditions on it out, so that the rest decides; or they fail. */
  #decided(format: ValueFormat): Decided {
    return condition => {
      const side = sideOf(condition)
      return side === 'metadata' || format === 'none' || side === format ? undefined : this.#mismatchPasses
    }
  }
}
