import type { FunctionCall, HttpFunction, SeenRecord } from './http-function.ts'

export interface AuditedCommit {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** What the audit knows of one partition. Offsets are dense: tests write every one of them. */
class Partition {
  /** Everything below has succeeded. */
  next = 0
  committed = 0
  /** Who called last: `x-millrace-mapping`. */
  caller: string | undefined
  readonly succeeded = new Set<number>()
  /** Succeeded and uncommitted when their reader was killed: each may come once more. */
  readonly excused = new Set<number>()
  readonly running = new Set<FunctionCall>()
}

/**
 * Watches a function and the commits of its mapping, and writes down whatever breaks a promise:
 *
 * - order: no record is delivered before all before it in its partition have succeeded
 * - overlap: no two calls of a partition run at the same time
 * - ahead: no commit passes a record that has not succeeded; back: none falls behind an earlier one
 * - repeat: no record comes again after it has succeeded, unless its reader was killed before it could commit it
 */
export class DeliveryAudit {
  /** Empty when all is well. */
  readonly violations: string[] = []
  /** Records that came again after they had succeeded, excused or not. */
  repeats = 0
  readonly #partitions = new Map<string, Partition>()
  /** Calls in flight whose caller was killed: what they still achieve, nobody hears of. */
  readonly #orphans = new WeakSet<FunctionCall>()

  /** Notes the calls of `double` from now on. */
  watch(double: HttpFunction): this {
    double.on('began', call => this.began(call))
    double.on('ended', call => this.ended(call))
    return this
  }

  began(call: FunctionCall): void {
    for (const [name, records] of byPartition(call.records)) {
      const partition = this.#partition(name)
      for (const other of partition.running)
        this.#violate('overlap', name, `call ${call.number} began in ${other.number}`)
      partition.running.add(call)
      partition.caller = call.headers['x-millrace-mapping'] as string | undefined
      this.#inOrder(name, partition, call, records)
      for (const { offset } of records) {
        if (!partition.succeeded.has(offset)) continue
        this.repeats++
        if (!partition.excused.has(offset)) this.#violate('repeat', name, `${offset} came again in call ${call.number}`)
      }
    }
  }

  ended(call: FunctionCall): void {
    for (const [name, records] of byPartition(call.records)) {
      const partition = this.#partition(name)
      partition.running.delete(call)
      if (call.state !== 'returned') continue
      for (const { offset } of records) {
        partition.succeeded.add(offset)
        if (this.#orphans.has(call)) partition.excused.add(offset)
        else partition.excused.delete(offset)
      }
      while (partition.succeeded.has(partition.next)) partition.next++
    }
  }

  committed({ topic, partition: number, offset }: AuditedCommit): void {
    const name = nameOf(topic, number)
    const partition = this.#partition(name)
    if (offset > partition.next)
      this.#violate('ahead', name, `${offset} committed, but ${partition.next} has not succeeded`)
    if (offset < partition.committed) this.#violate('back', name, `${offset} committed after ${partition.committed}`)
    partition.committed = offset
  }

  /** A reader was killed: what it had finished and not committed may come once more. All readers unless one is named. */
  killed(mapping?: string): void {
    for (const partition of this.#partitions.values()) {
      if (mapping !== undefined && partition.caller !== mapping) continue
      for (let offset = partition.committed; offset < partition.next; offset++) partition.excused.add(offset)
      for (const call of partition.running) this.#orphans.add(call)
      partition.running.clear()
    }
  }

  /** Records of all partitions that have succeeded, each counted once. */
  get succeeded(): number {
    return [...this.#partitions.values()].reduce((sum, { succeeded }) => sum + succeeded.size, 0)
  }

  /** Offsets below `end` that never succeeded. */
  missing(topic: string, partition: number, end: number): number[] {
    const { succeeded } = this.#partition(nameOf(topic, partition))
    return Array.from({ length: end }, (_, offset) => offset).filter(offset => !succeeded.has(offset))
  }

  #inOrder(name: string, partition: Partition, call: FunctionCall, records: readonly SeenRecord[]): void {
    let due = partition.next
    records.forEach(({ offset }, index) => {
      const early = index === 0 ? offset > due : offset !== due
      if (early) this.#violate('order', name, `${offset} came in call ${call.number} when ${due} was due`)
      due = offset + 1
    })
  }

  #violate(promise: string, name: string, what: string): void {
    this.violations.push(`${promise}: ${name}: ${what}`)
  }

  #partition(name: string): Partition {
    let partition = this.#partitions.get(name)
    if (partition === undefined) {
      partition = new Partition()
      this.#partitions.set(name, partition)
    }
    return partition
  }
}

const nameOf = (topic: string, partition: number): string => `${topic}-${partition}`

const byPartition = (records: readonly SeenRecord[]): Map<string, SeenRecord[]> =>
  Map.groupBy(records, ({ topic, partition }) => nameOf(topic, partition))
