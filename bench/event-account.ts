/** Every so manyth event is parsed as a whole; of the others the ends of each partition's list are read. */
const parseEvery = 50
const offsetName = Buffer.from('"offset":')
const recordsName = Buffer.from('"records":{"')

interface EventRecord {
  readonly partition: number
  readonly offset: number
  readonly value: string
}

/**
 * Counts the records of events and checks that each partition's offsets go on without a gap or a repetition. It looks at
 * the ends of lists instead of parsing them, so that the function does not become what is measured.
 */
export class EventAccount {
  readonly #next: number[]
  readonly #valueBytes: number
  readonly #every: number
  readonly #boundary: Buffer
  readonly faults: string[] = []
  requests = 0
  records = 0
  bodyBytes = 0

  /** Offsets begin at 0, and go on by `every`: others are filtered out. */
  constructor(topic: string, partitions: number, valueBytes: number, every = 1) {
    this.#every = every
    this.#next = Array.from({ length: partitions }, () => 0)
    this.#valueBytes = valueBytes
    // Base64 has no such marks, so this is the end of one list and the beginning of the next.
    this.#boundary = Buffer.from(`}],"${topic}-`)
  }

  add(event: Buffer): void {
    this.requests++
    this.bodyBytes += event.length
    if (this.requests % parseEvery === 1) this.#inspect(event)
    let from = event.indexOf(recordsName)
    if (from < 0) {
      this.#fault('an event has no records')
      return
    }
    while (from < event.length) {
      const boundary = event.indexOf(this.#boundary, from)
      const to = boundary < 0 ? event.length : boundary + 2
      this.#list(event, from, to)
      from = to
    }
  }

  #list(event: Buffer, from: number, to: number): void {
    const opening = event.toString('latin1', from, from + 200)
    const partition = Number(/-(\d+)":\[/.exec(opening)?.[1])
    const first = offsetAt(event, event.indexOf(offsetName, from))
    const last = offsetAt(event, event.lastIndexOf(offsetName, to))
    this.records += (last - first) / this.#every + 1
    this.#expect(partition, first)
    this.#next[partition] = last + this.#every
  }

  #inspect(event: Buffer): void {
    const { records } = JSON.parse(event.toString('latin1')) as { records: Record<string, EventRecord[]> }
    for (const list of Object.values(records)) {
      list.forEach(({ partition, offset, value }, index) => {
        if (offset !== list[0]!.offset + index * this.#every)
          this.#fault(`partition ${partition} has a gap before ${offset}`)
        const { length } = Buffer.from(value, 'base64')
        if (length !== this.#valueBytes) this.#fault(`the value of ${partition}:${offset} has ${length} bytes`)
      })
    }
  }

  #expect(partition: number, offset: number): void {
    const expected = this.#next[partition]
    if (offset === expected) return
    this.#fault(`partition ${partition} went on at ${offset} instead of ${expected}`)
  }

  #fault(text: string): void {
    if (this.faults.length < 10) this.faults.push(text)
  }
}

function offsetAt(event: Buffer, at: number): number {
  return Number.parseInt(event.toString('latin1', at + offsetName.length, at + offsetName.length + 16), 10)
}
