import { base64Bytes, writeBase64 } from '../event/base64.ts'
import { column, type Block, type TimestampType } from '../record.ts'
import { fails, holds } from './compiler.ts'
import type { MetadataField } from './criteria.ts'
import { collectFields } from './fields.ts'
import { LeafProgram, type Numbered } from './leaf-program.ts'
import { metadataMembers } from './record-document.ts'
import { passes } from './tests.ts'

/**
 * Conditions on what a record has besides its value, over columns and bytes. Allocates nothing for a record, but for
 * headers, which are read the plain way.
 */
export class MetadataProgram {
  readonly #fields: ReadonlyMap<string, Field>
  readonly #headers: readonly Numbered[]
  readonly #headerNames: ReadonlySet<string>
  /** Fields within fields that have none: always missing. */
  readonly #missing: readonly Numbered[]
  /** What was looked at last of what all records of a partition share. */
  #topic: string | undefined
  #partition = -1
  #timestampType: TimestampType | undefined
  #key = Buffer.alloc(64)
  #keyView = new DataView(this.#key.buffer, this.#key.byteOffset, this.#key.length)

  constructor(conditions: readonly Numbered[]) {
    const byName = Map.groupBy(conditions.filter(isWhole), ({ condition }) => condition.name)
    this.#fields = new Map([...byName].map(([name, each]) => [name, new Field(each)]))
    this.#headers = conditions.filter(isHeader)
    this.#headerNames = new Set(this.#headers.map(({ condition }) => condition.name))
    this.#missing = conditions.filter(each => !isWhole(each) && !isHeader(each))
  }

  /** Tells `outside` of every condition. `view` is over the block's bytes. */
  look(block: Block, row: number, view: DataView, outside: Uint8Array): void {
    this.#lookAtShared(block, outside)
    this.#field('offset')?.number(block.offsets[row]!, outside)
    this.#field('timestamp')?.number(block.timestamps[row]!, outside)
    const key = this.#field('key')
    if (key !== undefined) this.#lookAtKey(key, block, row, view, outside)
    if (this.#headers.length > 0) this.#lookAtHeaders(block, row, outside)
  }

  #field(name: MetadataField): Field | undefined {
    return this.#fields.get(name)
  }

  #lookAtShared({ topic, partition, timestampType }: Block, outside: Uint8Array): void {
    if (topic === this.#topic && partition === this.#partition && timestampType === this.#timestampType) return
    this.#topic = topic
    this.#partition = partition
    this.#timestampType = timestampType
    this.#field('topic')?.text(Buffer.from(topic), outside)
    this.#field('partition')?.number(partition, outside)
    this.#field('timestampType')?.text(Buffer.from(timestampType), outside)
    for (const { condition, at } of this.#missing) outside[at] = condition.takesAbsent ? holds : fails
  }

  #lookAtKey(field: Field, { bytes, positions }: Block, row: number, view: DataView, outside: Uint8Array): void {
    const start = positions[row * column.stride + column.keyStart]!
    const end = positions[row * column.stride + column.keyEnd]!
    if (start < 0) {
      field.absent(outside)
      return
    }
    const length = base64Bytes(end - start)
    if (length > this.#key.length) {
      this.#key = Buffer.alloc(length * 2)
      this.#keyView = new DataView(this.#key.buffer, this.#key.byteOffset, this.#key.length)
    }
    field.text(this.#key, outside, writeBase64(bytes, view, start, end, this.#key, this.#keyView, 0))
  }

  #lookAtHeaders(block: Block, row: number, outside: Uint8Array): void {
    const fields = collectFields(
      { kind: 'object', members: metadataMembers(block, row, headersOnly) },
      this.#headerNames
    )
    for (const { condition, at } of this.#headers) {
      const values = fields.get(condition.name)
      const isMet =
        values === undefined
          ? condition.takesAbsent
          : values.some(({ value }) => condition.tests.some(test => passes(test, value)))
      outside[at] = isMet ? holds : fails
    }
  }
}

const isHeader = ({ condition }: Numbered): boolean => condition.path[0] === 'headers'
const isWhole = ({ condition }: Numbered): boolean => condition.path.length === 1 && condition.path[0] !== 'headers'
const headersOnly: ReadonlySet<string> = new Set<MetadataField>(['headers'])

/** Doubles tell whole numbers of so many digits apart, as a filter has to (`number-index.ts`). */
const exactBelow = 1e15

/** All conditions on one field. */
class Field {
  readonly #conditions: readonly Numbered[]
  readonly #program: LeafProgram
  /** Values are counted. */
  #values = 0

  constructor(conditions: readonly Numbered[]) {
    this.#conditions = conditions
    this.#program = new LeafProgram(conditions)
  }

  text(bytes: Uint8Array, outside: Uint8Array, length = bytes.length): void {
    this.#program.onString(++this.#values, bytes, 0, length)
    this.#tell(outside)
  }

  number(value: number, outside: Uint8Array): void {
    this.#values++
    if (value >= 0 && value < exactBelow) this.#program.onInteger(this.#values, value)
    else {
      const text = Buffer.from(String(value))
      this.#program.onNumber(this.#values, text, 0, text.length)
    }
    this.#tell(outside)
  }

  absent(outside: Uint8Array): void {
    for (const { condition, at } of this.#conditions) outside[at] = condition.takesAbsent ? holds : fails
  }

  #tell(outside: Uint8Array): void {
    for (let place = 0; place < this.#conditions.length; place++)
      outside[this.#conditions[place]!.at] = this.#program.passes(this.#values, place) ? holds : fails
  }
}
