import type { GivenUpMessage } from '../../src/poller/channels.ts'
import type { CallChecks } from './call-checks.ts'
import type { Owner } from './owner.ts'
import type { SimRecord } from './partition-log.ts'
import type { Scene } from './scene.ts'
import { oversizeBytes } from './oversize.ts'
import type { SentRecord } from './sim-block.ts'
import type { Tenure } from './tenure.ts'

/** What a destination is told. */
export interface Document {
  readonly condition: 'retries' | 'size' | 'age'
  readonly requestId: string
  readonly invokeCount: number
  readonly records: readonly SentRecord[]
}

/** One delivery to the destination, or the event that says that there is none. */
export interface Telling {
  readonly owner: Owner
  readonly parts: readonly { readonly tenure: Tenure; readonly records: readonly SimRecord[]; readonly cuts: number }[]
  /** The poller has heard that it was not taken, or takes it so. */
  failed: boolean
}

/** What is given up, and who is told: I2, I10 where tries or age are at an end, I11. */
export class FailureChecks {
  readonly #scene: Scene
  readonly #calls: CallChecks

  constructor(scene: Scene, calls: CallChecks) {
    this.#scene = scene
    this.#calls = calls
  }

  /** A delivery begins. */
  telling(owner: Owner, documents: readonly Document[]): Telling {
    const records = documents.flatMap(document =>
      document.records.flatMap(sent => this.#calls.recordOf(owner, sent) ?? [])
    )
    return this.#begin(owner, documents[0]!, records)
  }

  #begin(owner: Owner, what: Omit<Document, 'records'>, records: readonly SimRecord[]): Telling {
    const parts: { tenure: Tenure; records: SimRecord[]; cuts: number }[] = []
    for (const record of records) {
      const { partition, offset } = record
      this.#scene.trace.note(owner.name, `gives up (${what.condition})`, partition, offset)
      const known = parts.find(({ tenure }) => tenure.partition === partition)
      const tenure = known?.tenure ?? owner.tenures.get(partition)
      if (tenure === undefined) this.#scene.fail(`I9: ${owner.name} gives partition ${partition} up after it had gone`)
      else if (known !== undefined) known.records.push(record)
      else parts.push({ tenure, records: [record], cuts: tenure.cuts.length })
      record.tellings++
    }
    for (const { tenure, records } of parts) {
      if (tenure.phase === 'leaving')
        this.#scene.fail(`I9: ${owner.name} gives records of partition ${tenure.partition} up while it goes`)
      this.#checkCause(tenure, what, records)
      tenure.tellings++
    }
    return { owner, parts, failed: false }
  }

  #checkCause(tenure: Tenure, what: Omit<Document, 'records'>, records: readonly SimRecord[]): void {
    const { owner, partition } = tenure
    const { offset } = records[0]!
    if (tenure.isVague) return
    if (tenure.calls > 0)
      this.#scene.fail(`I4: ${owner.name} gives partition ${partition} offset ${offset} up while a call with it is out`)
    // A last owner that was giving it up for its age says nothing of it: then it goes with what else is too old.
    if (what.condition === 'age') this.#calls.sortOut(tenure)
    const why = this.#whyNot(tenure, what, records)
    if (why !== undefined)
      this.#scene.fail(
        `I11: ${owner.name} gives partition ${partition} offset ${offset} up (${what.condition}), but ${why}`
      )
  }

  /** Undefined: they are to be given up. */
  #whyNot(
    tenure: Tenure,
    { condition, requestId, invokeCount }: Omit<Document, 'records'>,
    records: readonly SimRecord[]
  ): string | undefined {
    const unit = tenure.current
    const { rules } = this.#scene
    const pending = unit?.records ?? records.filter(record => isWaiting(tenure, record))
    const isNext = (record: SimRecord) =>
      pending.includes(record) || (condition === 'age' && isInherited(tenure, record))
    const stranger = records.find(record => !isNext(record))
    if (stranger !== undefined) return `${stranger.offset} is not next`
    if (condition === 'age') {
      if (unit?.verdict !== undefined) return 'it had been given up for another reason'
      const young = records.find(record => this.#scene.ageMs(record) <= rules.maxAgeMs)
      if (young !== undefined || rules.maxAgeMs < 0)
        return `${young?.offset} is only ${young === undefined ? '' : this.#scene.ageMs(young)} ms old`
      const calls = Math.max(1, unit?.failures ?? 0, tenure.overdueFailures)
      return invokeCount <= calls ? undefined : `told of ${invokeCount} calls of ${calls}`
    }
    if (condition === 'size' && unit?.verdict === undefined) {
      const [first] = unit?.records ?? records
      return records.length === 1 && records[0] === first && first!.valueBytes >= oversizeBytes
        ? undefined
        : 'it is not too large'
    }
    if (unit?.verdict?.condition !== condition) return `it failed only ${unit?.failures ?? 0} times`
    if (unit.verdict.requestId !== requestId) return `the last call was ${unit.verdict.requestId}, not ${requestId}`
    if (unit.records.length !== records.length) return `${unit.records.length} failed together, not ${records.length}`
    const calls = Math.max(1, unit.failures)
    return invokeCount === calls ? undefined : `told of ${invokeCount} calls of ${calls}`
  }

  /** The destination has it: whether anybody hears of it is another matter. */
  took({ parts, owner, failed }: Telling): void {
    for (const { tenure, records } of parts) {
      for (const record of records) {
        this.#scene.trace.note(owner.name, 'told', record.partition, record.offset)
        if (tenure.fenced || tenure.phase === 'over' || failed) {
          if (record.told === 0) record.mayTellAgain = true
        } else {
          if (record.told > 0 && !record.mayTellAgain)
            this.#scene.fail(
              `I11: ${owner.name} gives partition ${record.partition} offset ${record.offset} up once more without a cause`
            )
          record.mayTellAgain = false
        }
        record.told++
        record.done = true
        this.#scene.givenUp++
      }
    }
  }

  /** The poller hears whether the destination took it. */
  ended(telling: Telling, taken: boolean): void {
    const { owner, parts } = telling
    telling.failed = !taken
    const nowMs = this.#scene.nowMs()
    this.#scene.trace.note(owner.name, taken ? 'delivered' : 'not delivered')
    for (const { tenure, records, cuts } of parts) {
      tenure.tellings--
      tenure.freeSinceMs = nowMs
      for (const record of records) record.tellings--
      if (!taken) {
        for (const record of records) record.mayTellAgain = true
        continue
      }
      if (tenure.phase === 'over') continue
      const cutAt = Math.min(...tenure.cuts.slice(cuts))
      tenure.settle(
        records.filter(record => record.offset < cutAt),
        nowMs
      )
      for (const record of records) if (record.offset >= cutAt) record.mayTellAgain = true
      tenure.sentUpTo = Math.max(tenure.sentUpTo, records.at(-1)!.offset + 1)
      for (const unit of tenure.units) {
        const left = unit.records.filter(record => !records.includes(record))
        if (left.length < unit.records.length)
          tenure.replace(unit, left.length === 0 ? [] : [{ ...unit, records: left }])
      }
    }
  }

  /** An event says what became of records that were given up. */
  givenUp(
    owner: Owner,
    { condition, requestId, calls, records: count, partitions, destination }: GivenUpMessage
  ): void {
    const { hasDestination } = this.#scene.rules
    if ((destination !== undefined) !== hasDestination)
      this.#scene.fail(`I11: ${owner.name} says that it ${hasDestination ? 'dropped' : 'delivered'} what it gave up`)
    if (destination !== undefined) return
    const records = partitions.flatMap(({ partition, first, last }) => {
      const tenure = owner.tenures.get(partition)
      return tenure === undefined ? [] : this.#meant(tenure, condition, first, last)
    })
    if (
      records.length !== count &&
      partitions.every(({ partition }) => owner.tenures.get(partition)?.isVague === false)
    )
      this.#scene.fail(`I11: ${owner.name} says that it dropped ${count} records (${condition}), not ${records.length}`)
    if (records.length === 0) return
    const telling = this.#begin(owner, { condition, requestId, invokeCount: Math.max(1, calls) }, records)
    this.took(telling)
    this.ended(telling, true)
  }

  /** Which records an event means that names only the first and the last. */
  #meant(tenure: Tenure, condition: GivenUpMessage['condition'], first: number, last: number): SimRecord[] {
    const { maxAgeMs } = this.#scene.rules
    const pending = tenure.current?.records ?? [...tenure.fetched.keys()].filter(record => isWaiting(tenure, record))
    const inherited = [...tenure.overdue, ...tenure.inheritedRecords()].filter(
      record => !record.gone || tenure.fetched.has(record)
    )
    return [...new Set([...pending, ...(condition === 'age' ? inherited : [])])].filter(
      record =>
        record.offset >= first && record.offset <= last && (condition !== 'age' || this.#scene.ageMs(record) > maxAgeMs)
    )
  }
}

/** It is to be sent with what is new. */
const isWaiting = (tenure: Tenure, record: SimRecord): boolean =>
  record.offset >= tenure.next && tenure.fetched.has(record) && !tenure.settled.has(record)

/** What grew too old while another owner had it is given up in its turn, which nobody outside knows. */
const isInherited = (tenure: Tenure, record: SimRecord): boolean =>
  tenure.overdue.has(record) || tenure.inheritedRecords().includes(record)
