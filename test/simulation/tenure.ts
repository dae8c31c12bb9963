import type { Debt, Unit } from './debt.ts'
import type { Owner } from './owner.ts'
import type { SimRecord } from './partition-log.ts'

/**
 * One poller's ownership of one partition, as the poller was told of it.
 *
 * open     delivering                                                                    → leaving, over
 * leaving  its poller was asked to give it up: calls in flight may end, none may begin   → over
 * over     what still comes back settles nothing
 */
export class Tenure {
  readonly owner: Owner
  readonly partition: number
  phase: 'open' | 'leaving' | 'over' = 'open'
  /** The coordinator has given the partition to another, which this owner may not know yet. */
  fenced: boolean
  fencedMs = Infinity
  /** The offset that the next new call begins at, or above. */
  next: number
  /** Nobody outside can say what it was told to call together: the log was cut since, or it was told too late. */
  readonly isVague: boolean
  /** What was called and is unfinished, in the order in which it is to be done. */
  units: Unit[]
  /** The batch that its last owner left. */
  readonly inherited = {}
  /** Of that: what is too old to be called, and has to be given up. */
  readonly overdue = new Set<SimRecord>()
  /** The most calls that any of it had. */
  overdueFailures = 0
  /** What this owner knows to be finished, from where it began, and since when. */
  readonly settled: Map<SimRecord, number>
  /** Calls in flight. */
  calls = 0
  /** Deliveries to the destination in flight. */
  tellings = 0
  /** Where the log was cut meanwhile. */
  readonly cuts: number[] = []
  /** When it was told of a cut last. */
  cutToldMs = -1
  /** When its records were fetched. */
  readonly fetched = new Map<SimRecord, number>()
  /** Records in flight. */
  readonly sent = new Set<SimRecord>()
  /** One past the highest offset it has sent. */
  sentUpTo: number
  readonly sinceMs: number
  leavingSinceMs = 0
  /** When a call or a delivery with it ended last. */
  freeSinceMs: number

  constructor(owner: Owner, partition: number, startOffset: number, debt: Debt, isVague: boolean, nowMs: number) {
    this.owner = owner
    this.partition = partition
    this.fenced = false
    this.next = this.sentUpTo = startOffset
    this.isVague = isVague
    const batch = this.inherited
    this.units = isVague ? [] : debt.units.map((unit, at) => ({ ...unit, batch, path: String.fromCharCode(65 + at) }))
    this.settled = new Map(Array.from(debt.done, record => [record, nowMs]))
    this.freeSinceMs = this.sinceMs = nowMs
    for (const { records } of this.units) this.next = Math.max(this.next, records.at(-1)!.offset + 1)
  }

  /** What is to be called next, or given up: without what has gone from the log before it was fetched. */
  get current(): Unit | undefined {
    for (;;) {
      const [unit] = this.units
      if (unit === undefined) return undefined
      const records = unit.records.filter(record => !record.gone || this.fetched.has(record))
      if (records.length === unit.records.length) return unit
      this.replace(unit, records.length === 0 ? [] : [{ ...unit, records }])
    }
  }

  /** What its last owner left unfinished, and is so still. */
  inheritedRecords(): readonly SimRecord[] {
    return this.units.flatMap(({ batch, records }) => (batch === this.inherited ? records : []))
  }

  /** What became of a unit. */
  replace(unit: Unit, by: readonly Unit[]): void {
    this.units = this.units.flatMap(other => (other === unit ? by : [other]))
  }

  settle(records: Iterable<SimRecord>, nowMs: number): void {
    for (const record of records) {
      this.settled.set(record, nowMs)
      this.overdue.delete(record)
    }
  }

  /** Reading goes on at `offset`: what was to be called again and lies below, unread, is not called. */
  passOver(offset: number): void {
    this.units = this.units.flatMap(unit => {
      const records = unit.records.filter(record => record.offset >= offset || this.fetched.has(record))
      return records.length === 0 ? [] : [{ ...unit, records }]
    })
  }

  /** The log ends at `offset` now: what was above is owed no more. */
  cut(offset: number, nowMs: number): void {
    this.cuts.push(offset)
    this.cutToldMs = this.freeSinceMs = nowMs
    this.next = Math.min(this.next, offset)
    this.units = this.units.flatMap(unit => {
      const records = unit.records.filter(record => record.offset < offset)
      return records.length === 0 ? [] : [{ ...unit, records }]
    })
    for (const record of this.settled.keys()) if (record.offset >= offset) this.settled.delete(record)
    for (const record of this.overdue) if (record.offset >= offset) this.overdue.delete(record)
    for (const record of this.fetched.keys()) if (record.offset >= offset) this.fetched.delete(record)
  }

  /** What its next owner has to know when `committed` is the committed offset. */
  debt(committed: number): Debt {
    const done = new Set<SimRecord>()
    for (const record of this.settled.keys()) if (record.offset >= committed) done.add(record)
    const units = this.units.filter(({ bound }) => bound)
    const records = [...this.overdue]
    if (records.length > 0) units.push({ records, failures: 0, bound: true, batch: this.inherited, path: '~' })
    return { units, done }
  }
}
