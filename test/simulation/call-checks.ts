import { maxEventBytes } from '../../src/core/event/encoder.ts'
import { doubtPauseMs } from '../../src/poller/delivery.ts'
import type { InvokeReply } from '../../src/core/retry/reply.ts'
import type { Call, CallPart, Meaning } from './call.ts'
import { divide, type Unit, unitsAfter } from './debt.ts'
import type { Owner } from './owner.ts'
import type { SimRecord } from './partition-log.ts'
import { countPlaces, type Scene } from './scene.ts'
import { type SentRecord, readEvent } from './sim-block.ts'
import type { Tenure } from './tenure.ts'

/** A batch is delivered this much after its window at the latest. */
const windowSlackMs = 2

/** Calls of the function: I4 to I10, I12, I13, I15. */
export class CallChecks {
  readonly #scene: Scene

  constructor(scene: Scene) {
    this.#scene = scene
  }

  fetched(owner: Owner, records: readonly SimRecord[]): void {
    const tenure = owner.tenures.get(records[0]!.partition)
    for (const record of records) tenure?.fetched.set(record, this.#scene.nowMs())
  }

  began(owner: Owner, event: Uint8Array, requestId: string): Call {
    const parts: CallPart[] = []
    let records: SimRecord[] = []
    let count = 0
    for (const sent of readEvent(event)) {
      const record = this.recordOf(owner, sent)
      if (record === undefined) continue
      count++
      if (records[0]?.partition !== sent.partition) {
        const tenure = owner.tenures.get(sent.partition)
        if (tenure === undefined) {
          this.#scene.fail(`I9: ${owner.name} called with partition ${sent.partition} after it had gone`)
          continue
        }
        records = []
        parts.push({ tenure, records, cuts: tenure.cuts.length })
      }
      records.push(record)
    }
    this.#scene.trace.note(
      owner.name,
      'calls',
      ...parts.flatMap(part => [part.tenure.partition, part.records[0]!.offset, part.records.length])
    )
    this.#checkLimits(owner, event, count, parts)
    const batch = {}
    for (const part of parts) this.#checkPart(part, batch)
    countPlaces(owner, this.#scene.nowMs())
    this.#scene.deliveries += count
    return { owner, requestId, event, sample: sampleOf(event), parts, records: count }
  }

  /** The record that an event or a document is about. */
  recordOf(owner: Owner, { id, partition, offset }: SentRecord): SimRecord | undefined {
    const record = this.#scene.records[id]
    if (record !== undefined && record.partition === partition && record.offset === offset) return record
    this.#scene.fail(
      `I7: ${owner.name} sent partition ${partition} offset ${offset} as record ${id}, which is another one`
    )
    return undefined
  }

  #checkLimits(owner: Owner, event: Uint8Array, records: number, parts: readonly CallPart[]): void {
    const { name, batchSize, maxCalls } = owner
    // A log that was cut may have more records where its last owner was told of a batch.
    const mayBeMore = parts.some(({ tenure }) => tenure.isVague)
    if (records === 0 || (records > batchSize && !mayBeMore))
      this.#scene.fail(`I13: ${name} sent ${records} records of ${batchSize}`)
    if (event.length > maxEventBytes) this.#scene.fail(`I13: ${name} sent an event of ${event.length} bytes`)
    owner.calls++
    if (owner.calls > maxCalls) this.#scene.fail(`I13: ${name} has ${owner.calls} calls in flight of ${maxCalls}`)
  }

  #checkPart(part: CallPart, batch: object): void {
    const { tenure, records } = part
    const { owner, partition } = tenure
    const log = this.#scene.log(tenure)
    const first = records[0]!
    if (tenure.phase === 'leaving')
      this.#scene.fail(`I9: ${owner.name} called with partition ${partition} while giving it up`)
    if (owner.life.wasStill(tenure.fencedMs))
      this.#scene.fail(
        `I9: ${owner.name} stood still, and called with partition ${partition} before it had asked for it`
      )
    const unheardMs = this.#scene.nowMs() - owner.answeredMs
    if (unheardMs > owner.mostSilenceMs)
      this.#scene.fail(
        `I9: ${owner.name} called with partition ${partition} although the group was not heard for ${unheardMs} ms`
      )
    if (tenure.calls > 0) this.#scene.fail(`I4: ${owner.name} has two calls in flight with partition ${partition}`)
    if (tenure.tellings > 0)
      this.#scene.fail(`I4: ${owner.name} called with partition ${partition} while its destination is told of it`)
    this.#checkAge(tenure, records)
    this.sortOut(tenure)
    const unit = tenure.current
    if (unit !== undefined) this.#checkRetry(tenure, unit, records)
    else {
      this.#checkSequence(tenure, records)
      this.#checkWindow(tenure, first)
    }
    if (!tenure.isVague) {
      part.unit = unit ?? { records, failures: 0, bound: false, batch, path: '' }
      if (unit === undefined) tenure.units = [part.unit]
      tenure.next = Math.max(tenure.next, records.at(-1)!.offset + 1)
    }
    // Who was fenced off may not know that the log was cut.
    const behind = log.wasCut && (tenure.fenced || tenure.isVague)
    if (!behind && log.records[first.index] === first && log.frontier < first.offset) {
      this.#scene.fail(
        `I4: ${owner.name} sent partition ${partition} offset ${first.offset} before ${log.frontier} was done`
      )
    }
    for (const record of records) {
      if (record.undecided || record.aborted) {
        this.#scene.fail(
          `I7: ${owner.name} sent partition ${partition} offset ${record.offset} of a transaction that ${record.aborted ? 'was aborted' : 'is open'}`
        )
      }
      this.#checkRepeat(tenure, record)
      record.inFlight++
      tenure.sent.add(record)
    }
    tenure.calls++
    tenure.sentUpTo = Math.max(tenure.sentUpTo, records.at(-1)!.offset + 1)
  }

  #checkAge({ owner, partition }: Tenure, records: readonly SimRecord[]): void {
    const { rules } = this.#scene
    if (rules.maxAgeMs < 0) return
    const old = records.find(record => this.#scene.ageMs(record) > rules.maxAgeMs)
    if (old !== undefined) {
      this.#scene.fail(
        `I10: ${owner.name} sent partition ${partition} offset ${old.offset} at an age of ${this.#scene.ageMs(old)} ms`
      )
    }
  }

  /** What grew too old while another owner had it lies by itself: it is given up in its turn, which nobody outside knows. */
  sortOut(tenure: Tenure): void {
    const { maxAgeMs } = this.#scene.rules
    if (maxAgeMs < 0) return
    for (const unit of tenure.units) {
      if (unit.batch !== tenure.inherited || unit.verdict !== undefined) continue
      const young = unit.records.filter(record => this.#scene.ageMs(record) <= maxAgeMs)
      for (const record of unit.records) if (!young.includes(record)) tenure.overdue.add(record)
      if (young.length < unit.records.length) tenure.overdueFailures = Math.max(tenure.overdueFailures, unit.failures)
      tenure.replace(unit, divide(unit, [young]))
    }
  }

  /** What was called before is called again together, in its turn, as long as it has not been given up. */
  #checkRetry({ owner, partition }: Tenure, unit: Unit, records: readonly SimRecord[]): void {
    const first = records[0]!
    if (unit.records.length !== records.length || unit.records.some((record, at) => record !== records[at])) {
      this.#scene.fail(
        `I5: ${owner.name} tried partition ${partition} offset ${first.offset} again with other records than before`
      )
    }
    if (unit.verdict !== undefined) {
      this.#scene.fail(
        `I10: ${owner.name} sent partition ${partition} offset ${first.offset} again, which is to be given up after ${unit.failures} failures`
      )
    }
    for (const { units, partition } of owner.tenures.values()) {
      const before = units.find(({ batch, path }) => batch === unit.batch && path < unit.path)
      if (before === undefined || owner.tenures.get(partition)?.phase === 'leaving') continue
      this.#scene.fail(
        `I12: ${owner.name} sent the second half with ${first.partition}/${first.offset} before the first with ${partition}/${before.records[0]!.offset} was done`
      )
    }
  }

  /** New records go on where the last ones ended. */
  #checkSequence(tenure: Tenure, records: readonly SimRecord[]): void {
    const { owner, partition } = tenure
    const log = this.#scene.log(tenure)
    let before = tenure.next - 1
    for (const record of records) {
      if (!tenure.fetched.has(record)) {
        this.#scene.fail(
          `I9: ${owner.name} sent partition ${partition} offset ${record.offset}, fetched in another ownership`
        )
      }
      if (tenure.isVague) continue
      if (record.offset <= before) {
        this.#scene.fail(`I5: ${owner.name} sent partition ${partition} offset ${record.offset} after ${before}`)
      }
      for (let index = record.index - 1; log.records[record.index] === record && index >= 0; index--) {
        const between = log.records[index]!
        if (between.offset <= before) break
        // Who was fenced off may not know that the log was cut.
        if (tenure.fenced && log.wasCut) break
        if (
          tenure.settled.has(between) ||
          tenure.overdue.has(between) ||
          between.gone ||
          between.aborted ||
          between.excused ||
          between.missable
        )
          continue
        this.#scene.fail(`I5: ${owner.name} left out partition ${partition} offset ${between.offset}`)
        break
      }
      before = record.offset
    }
  }

  /** A record waits for its window, for its partition's batch, or for a free call; for nothing else. */
  #checkWindow(tenure: Tenure, first: SimRecord): void {
    const { owner, partition, freeSinceMs } = tenure
    const fetchedAtMs = tenure.fetched.get(first)
    if (fetchedAtMs === undefined || tenure.isVague) return
    const dueMs = Math.max(
      fetchedAtMs + owner.windowMs,
      freeSinceMs,
      owner.slotFreeSinceMs,
      owner.life.pausedUntilMs,
      owner.doubtedMs + doubtPauseMs
    )
    const lateMs = this.#scene.nowMs() - dueMs
    if (lateMs > windowSlackMs)
      this.#scene.fail(`I15: ${owner.name} sent partition ${partition} ${lateMs} ms after it was due`)
  }

  #checkRepeat({ owner, fenced }: Tenure, record: SimRecord): void {
    const repeats = record.done || record.inFlight > 0
    if (repeats) this.#scene.repeats++
    if (fenced) {
      if (!repeats) record.mayRepeat = true
      return
    }
    if (repeats && !record.mayRepeat) {
      this.#scene.fail(
        `I8: ${owner.name} repeats partition ${record.partition} offset ${record.offset} without a cause`
      )
    }
    record.mayRepeat = false
  }

  /** The function has done its work, but for what it named: whether anybody hears of it is another matter. */
  succeeded(call: Call, failed?: ReadonlySet<SimRecord>): void {
    for (const { records } of call.parts)
      for (const record of records) if (failed?.has(record) !== true) record.done = true
  }

  answered(call: Call, reply: InvokeReply, meaning: Meaning): void {
    const { owner } = call
    const nowMs = this.#scene.nowMs()
    this.#scene.trace.note(owner.name, reply.kind, ...call.parts.map(({ tenure }) => tenure.partition))
    if (sampleOf(call.event) !== call.sample)
      this.#scene.fail(`I6: ${owner.name} wrote into an event that was in flight`)
    owner.calls--
    if (reply.kind === 'aborted') this.#checkAbort(call)
    const graceOverMs = Math.max(owner.stopAskedMs + owner.graceMs, owner.life.pausedUntilMs)
    if (nowMs > graceOverMs + 1) this.#scene.fail(`calm: a call of ${owner.name} outlasted the grace of its stop`)
    const half = Math.ceil(call.records / 2)
    let before = 0
    for (const part of call.parts) {
      const { tenure, records } = part
      tenure.calls--
      tenure.freeSinceMs = nowMs
      for (const record of records) {
        record.inFlight--
        tenure.sent.delete(record)
      }
      this.#follow(call, part, meaning, Math.max(0, half - before))
      before += records.length
    }
    countPlaces(owner, nowMs)
  }

  /** What has to follow for one partition; the first `firstHalf` of its records are of the batch's first half. */
  #follow(call: Call, part: CallPart, meaning: Meaning, firstHalf: number): void {
    const { tenure, records, cuts } = part
    const cutAt = Math.min(...tenure.cuts.slice(cuts))
    const isFailed = (record: SimRecord) =>
      meaning.kind === 'part-failed' ? meaning.failed.has(record) : meaning.kind !== 'done'
    if (tenure.phase !== 'over')
      tenure.settle(
        records.filter(record => record.offset < cutAt && !isFailed(record)),
        this.#scene.nowMs()
      )
    // What lies above a cut is fetched and sent again.
    for (const record of records) if (isFailed(record) || record.offset >= cutAt) record.mayRepeat = true
    if (part.unit === undefined || tenure.phase === 'over') return
    // A cut meanwhile has made another of it.
    const unit = tenure.units.find(({ batch, path }) => batch === part.unit!.batch && path === part.unit!.path)
    if (unit === undefined) return
    const left = (some: readonly SimRecord[]) => some.filter(record => isFailed(record) && record.offset < cutAt)
    const counts = meaning.kind === 'failed' || meaning.kind === 'part-failed'
    if (counts && !tenure.fenced) for (const record of left(records)) this.#checkCost(record, call.owner.batchSize)
    const halves = [left(records.slice(0, firstHalf)), left(records.slice(firstHalf))] as const
    tenure.replace(unit, unitsAfter(this.#scene.rules, { ...unit, records: left(records) }, call, meaning, halves))
    if (meaning.kind === 'too-large' && !unit.bound && call.records > 1)
      tenure.next = Math.min(tenure.next, records[firstHalf]?.offset ?? Infinity)
  }

  /** A record that always fails costs its tries, and what it takes to isolate it. */
  #checkCost(record: SimRecord, batchSize: number): void {
    const { maxRetries, bisect } = this.#scene.rules
    record.failures++
    const atMost = maxRetries + 1 + (bisect ? Math.ceil(Math.log2(batchSize)) : 0)
    if (maxRetries < 0 || record.failures <= atMost) return
    this.#scene.fail(
      `I12: partition ${record.partition} offset ${record.offset} failed ${record.failures} calls of ${atMost}`
    )
  }

  #checkAbort({ owner, parts }: Call): void {
    const wanted = parts.some(({ tenure }) => tenure.phase !== 'over')
    if (wanted && this.#scene.nowMs() < owner.stopAskedMs + owner.graceMs) {
      this.#scene.fail(`calm: ${owner.name} cut a call before the grace was over`)
    }
  }
}

/** Enough of the event to notice that somebody else writes into its Buffer. */
function sampleOf(event: Uint8Array): number {
  let sum = event.length
  const step = Math.max(1, event.length >> 5)
  for (let at = event.length - 1; at >= 0; at -= step) sum = (Math.imul(sum, 31) + event[at]!) | 0
  return sum
}
