import { maxEventBytes } from '../../src/core/event/encoder.ts'
import type { InvokeReply } from '../../src/core/retry/reply.ts'
import type { AssignedPartition, CommitOffset } from '../../src/ports/consumer.ts'
import type { TopicPartition } from '../../src/core/record.ts'
import type { Owner } from './owner.ts'
import type { PartitionLog, SimRecord } from './partition-log.ts'
import { readEvent } from './sim-block.ts'
import type { Tenure } from './tenure.ts'
import type { Trace } from './trace.ts'

/** One call of the function, as the function saw it. */
export interface Call {
  readonly owner: Owner
  readonly event: Uint8Array
  /** Of the event's bytes when it was sent: they must not change until the answer. */
  readonly sample: number
  readonly parts: readonly CallPart[]
  readonly records: number
}

interface CallPart {
  readonly tenure: Tenure
  /** How often the log had been cut when the call began. */
  readonly cuts: number
  readonly records: readonly SimRecord[]
}

/** A batch is delivered this much after its window at the latest. */
const windowSlackMs = 2

/**
 * Holds what the pollers do against what they promise. Each failure begins with the number of the invariant: I1 no commit
 * ahead, I2 no loss, I3 drain, I4 order, I5 no skip, I6 integrity, I7 no phantom, I8 duplicates only where an event explains
 * them, I9 fencing, I13 limits, I15 no starvation, I16 commits never go back, I20 memory; and `calm`: a revocation or a stop
 * takes no longer than what it waits for.
 */
export class Checker {
  readonly failures: string[] = []
  readonly trace: Trace
  readonly #logs: readonly PartitionLog[]
  readonly #recordById: readonly SimRecord[]
  readonly #nowMs: () => number
  readonly #owners: ReadonlyMap<string, Owner>
  /** Whom the coordinator gave each partition last. */
  readonly #givenTo = new Map<number, string>()
  deliveries = 0
  repeats = 0

  constructor(
    logs: readonly PartitionLog[],
    recordById: readonly SimRecord[],
    owners: ReadonlyMap<string, Owner>,
    nowMs: () => number,
    trace: Trace
  ) {
    this.#logs = logs
    this.#recordById = recordById
    this.#owners = owners
    this.#nowMs = nowMs
    this.trace = trace
  }

  fail(message: string): void {
    this.failures.push(`${this.#nowMs().toFixed(0)} ms: ${message}`)
    this.trace.note('checker', message)
  }

  // ---- ownership

  assigned(owner: Owner, partitions: readonly AssignedPartition[]): void {
    for (const { partition, startOffset } of partitions) {
      if (owner.tenures.has(partition)) this.fail(`model: ${owner.name} was given partition ${partition} twice`)
      owner.tenures.set(partition, this.#tenure(owner, partition, startOffset))
      this.trace.note(owner.name, 'assigned', partition, startOffset)
    }
  }

  #tenure(owner: Owner, partition: number, startOffset: number): Tenure {
    return {
      owner,
      partition,
      phase: 'open',
      fenced: this.#givenTo.get(partition) !== owner.name,
      next: startOffset,
      calls: 0,
      cuts: [],
      cutToldMs: -1,
      fetched: new Map(),
      sent: new Set(),
      retry: undefined,
      sentUpTo: startOffset,
      settledUpTo: startOffset,
      leavingSinceMs: 0,
      freeSinceMs: this.#nowMs()
    }
  }

  /** The coordinator has given these to `name`: who had them before may not know yet, and what it does is repeated. */
  given(name: string, partitions: readonly number[]): void {
    for (const partition of partitions) this.#givenTo.set(partition, name)
    for (const other of this.#owners.values()) {
      if (other.name === name) continue
      for (const partition of partitions) {
        const tenure = other.tenures.get(partition)
        if (tenure === undefined || tenure.fenced) continue
        this.trace.note(other.name, 'fenced', partition)
        tenure.fenced = true
        this.#logs[partition]!.passedOn()
        this.#explain(tenure)
      }
    }
  }

  /** The poller is asked to give these up; answers what `left` wants to know. */
  leaving(owner: Owner, partitions: readonly TopicPartition[]): readonly Tenure[] {
    const going = this.#tenuresOf(owner, partitions)
    for (const tenure of going) {
      tenure.phase = 'leaving'
      tenure.leavingSinceMs = this.#nowMs()
      this.trace.note(owner.name, 'leaving', tenure.partition)
    }
    this.#slots(owner)
    return going
  }

  /** The poller has answered the revocation. */
  left(owner: Owner, asked: readonly Tenure[]): void {
    const going = asked.filter(({ phase }) => phase === 'leaving')
    const busy = going.some(({ calls }) => calls > 0)
    for (const tenure of going) {
      this.trace.note(owner.name, 'left', tenure.partition)
      if (tenure.calls > 0 && this.#nowMs() < this.#drainedBy(owner, tenure)) {
        this.fail(`I8: ${owner.name} gave partition ${tenure.partition} up before its call in flight ended`)
      }
      const log = this.#logs[tenure.partition]!
      // A call that outlasts the drain may still settle while the last commit is under way.
      const late = tenure.calls > 0 || tenure.freeSinceMs > this.#drainedBy(owner, tenure)
      const excused = late || tenure.fenced || log.wasCut || owner.commitFailedMs >= tenure.leavingSinceMs
      if (excused) this.#explain(tenure)
      else if (tenure.settledUpTo > log.committed) {
        this.fail(
          `I8: ${owner.name} gave partition ${tenure.partition} up at ${log.committed}, but had settled it to ${tenure.settledUpTo}`
        )
      }
    }
    if (!busy) this.#prompt(owner, going)
    for (const tenure of going) this.#over(owner, tenure)
  }

  /** The drain is over: only the last commit may still be waited for. */
  drained(owner: Owner, asked: readonly Tenure[]): void {
    const waiting = asked.some(({ phase }) => phase === 'leaving')
    if (waiting && owner.commitsOpen === 0) this.fail(`calm: ${owner.name} did not answer a revocation in time`)
  }

  #drainedBy(owner: Owner, tenure: Tenure): number {
    const drained = tenure.leavingSinceMs + owner.drainMs
    const graceOver = Math.max(tenure.leavingSinceMs, owner.stopAskedMs) + owner.graceMs
    return Math.min(drained, graceOver)
  }

  #prompt(owner: Owner, going: readonly Tenure[]): void {
    const since = Math.max(
      owner.commitEndedMs,
      owner.life.pausedUntilMs,
      ...going.map(({ freeSinceMs, leavingSinceMs }) => Math.max(freeSinceMs, leavingSinceMs))
    )
    if (going.length > 0 && this.#nowMs() > since + 1) {
      this.fail(`calm: ${owner.name} kept a rebalance waiting ${this.#nowMs() - since} ms with nothing in flight`)
    }
  }

  lost(owner: Owner, partitions: readonly TopicPartition[]): void {
    for (const tenure of this.#tenuresOf(owner, partitions)) {
      this.trace.note(owner.name, 'lost', tenure.partition)
      this.#explain(tenure)
      this.#over(owner, tenure)
    }
  }

  crashed(owner: Owner): void {
    this.trace.note(owner.name, 'crashed')
    for (const tenure of owner.tenures.values()) {
      this.#explain(tenure)
      this.#over(owner, tenure)
    }
  }

  jumped(owner: Owner, partition: number, from: number, to: number): void {
    this.trace.note(owner.name, 'jumped', partition, from, to)
    const log = this.#logs[partition]!
    const tenure = owner.tenures.get(partition)!
    if (to > from) log.excuse(from, to)
    else {
      for (const record of log.within(to, Infinity)) record.mayRepeat = true
      tenure.cuts.push(to)
      if (!tenure.fenced) log.known(to)
      tenure.cutToldMs = this.#nowMs()
      tenure.next = Math.min(tenure.next, to)
      tenure.settledUpTo = Math.min(tenure.settledUpTo, to)
    }
  }

  /** What was in flight or done since the last commit will be delivered once more, and may be. */
  #explain(tenure: Tenure): void {
    const log = this.#logs[tenure.partition]!
    // A commit that takes a cut log further back may still be on its way.
    const from = log.wasCut ? 0 : Math.max(0, log.committed)
    for (const record of log.within(from, tenure.sentUpTo)) {
      if (record.done || record.inFlight > 0) record.mayRepeat = true
    }
  }

  #over(owner: Owner, tenure: Tenure): void {
    tenure.phase = 'over'
    this.#logs[tenure.partition]!.passedOn()
    owner.tenures.delete(tenure.partition)
    this.#slots(owner)
  }

  #tenuresOf(owner: Owner, partitions: readonly TopicPartition[]): Tenure[] {
    return partitions.flatMap(({ partition }) => owner.tenures.get(partition) ?? [])
  }

  // ---- records

  fetched(owner: Owner, records: readonly SimRecord[]): void {
    const tenure = owner.tenures.get(records[0]!.partition)
    for (const record of records) tenure?.fetched.set(record, this.#nowMs())
  }

  began(owner: Owner, event: Uint8Array): Call {
    const parts: CallPart[] = []
    let records: SimRecord[] = []
    let count = 0
    for (const { id, partition, offset } of readEvent(event)) {
      const record = this.#recordById[id]
      if (record === undefined || record.partition !== partition || record.offset !== offset) {
        this.fail(
          `I7: ${owner.name} sent partition ${partition} offset ${offset} as record ${id}, which is another one`
        )
        continue
      }
      count++
      if (records[0]?.partition !== partition) {
        const tenure = owner.tenures.get(partition)
        if (tenure === undefined) {
          this.fail(`I9: ${owner.name} called with partition ${partition} after it had gone`)
          continue
        }
        records = []
        parts.push({ tenure, records, cuts: tenure.retry?.cuts ?? tenure.cuts.length })
      }
      records.push(record)
    }
    this.trace.note(
      owner.name,
      'calls',
      ...parts.flatMap(part => [part.tenure.partition, part.records[0]!.offset, part.records.length])
    )
    if (count === 0 || count > owner.batchSize)
      this.fail(`I13: ${owner.name} sent ${count} records of ${owner.batchSize}`)
    if (event.length > maxEventBytes) this.fail(`I13: ${owner.name} sent an event of ${event.length} bytes`)
    owner.calls++
    if (owner.calls > owner.maxCalls)
      this.fail(`I13: ${owner.name} has ${owner.calls} calls in flight of ${owner.maxCalls}`)
    for (const part of parts) this.#checkPart(owner, part)
    this.#slots(owner)
    this.deliveries += count
    return { owner, event, sample: sampleOf(event), parts, records: count }
  }

  #checkPart(owner: Owner, { tenure, records, cuts }: CallPart): void {
    const { partition } = tenure
    const log = this.#logs[partition]!
    const first = records[0]!
    if (tenure.phase === 'leaving') this.fail(`I9: ${owner.name} called with partition ${partition} while giving it up`)
    if (tenure.calls > 0) this.fail(`I4: ${owner.name} has two calls in flight with partition ${partition}`)
    this.#checkSequence(owner, tenure, records)
    // Whoever does not know of a cut, or tries again what it had before, is ahead of the log as it is now.
    const behind = cuts < tenure.cuts.length || (log.wasCut && tenure.fenced)
    if (!behind && log.records[first.index] === first && log.frontier < first.offset) {
      this.fail(`I4: ${owner.name} sent partition ${partition} offset ${first.offset} before ${log.frontier} was done`)
    }
    this.#checkWindow(owner, tenure, first)
    for (const record of records) {
      this.#checkRepeat(owner, tenure, record)
      record.inFlight++
      tenure.sent.add(record)
    }
    tenure.calls++
    tenure.sentUpTo = Math.max(tenure.sentUpTo, records.at(-1)!.offset + 1)
  }

  /** New records go on where the last ones ended; a retry is the same again. */
  #checkSequence(owner: Owner, tenure: Tenure, records: readonly SimRecord[]): void {
    const { partition, retry } = tenure
    const log = this.#logs[partition]!
    if (retry !== undefined) {
      if (retry.ids.length !== records.length || retry.ids.some((id, index) => id !== records[index]!.id)) {
        this.fail(`I5: ${owner.name} tried partition ${partition} again with other records than before`)
      }
      return
    }
    let before = tenure.next - 1
    for (const record of records) {
      if (!tenure.fetched.has(record)) {
        this.fail(`I9: ${owner.name} sent partition ${partition} offset ${record.offset}, fetched in another ownership`)
      }
      if (record.offset <= before) {
        this.fail(`I5: ${owner.name} sent partition ${partition} offset ${record.offset} after ${before}`)
      }
      for (let index = record.index - 1; log.records[record.index] === record && index >= 0; index--) {
        const between = log.records[index]!
        if (between.offset <= before) break
        // Who was fenced off may not know that the log was cut.
        if (tenure.fenced && log.wasCut) break
        if (between.dropped || between.gone || between.excused || between.missable) continue
        this.fail(`I5: ${owner.name} left out partition ${partition} offset ${between.offset}`)
        break
      }
      before = record.offset
    }
  }

  /** A record waits for its window, for its partition's batch, or for a free call; for nothing else. */
  #checkWindow(owner: Owner, tenure: Tenure, first: SimRecord): void {
    const fetchedAtMs = tenure.fetched.get(first)
    if (tenure.retry !== undefined || fetchedAtMs === undefined) return
    const dueMs = Math.max(
      fetchedAtMs + owner.windowMs,
      tenure.freeSinceMs,
      owner.slotFreeSinceMs,
      owner.life.pausedUntilMs
    )
    if (this.#nowMs() > dueMs + windowSlackMs) {
      this.fail(`I15: ${owner.name} sent partition ${tenure.partition} ${this.#nowMs() - dueMs} ms after it was due`)
    }
  }

  #checkRepeat(owner: Owner, tenure: Tenure, record: SimRecord): void {
    const repeats = record.done || record.inFlight > 0
    if (repeats) this.repeats++
    if (tenure.fenced) {
      if (!repeats) record.mayRepeat = true
      return
    }
    if (repeats && !record.mayRepeat) {
      this.fail(`I8: ${owner.name} repeats partition ${record.partition} offset ${record.offset} without a cause`)
    }
    record.mayRepeat = false
  }

  /** The function has done its work: whether anybody hears of it is another matter. */
  succeeded(call: Call): void {
    for (const { records } of call.parts) for (const record of records) record.done = true
  }

  answered(call: Call, reply: InvokeReply): void {
    const { owner } = call
    this.trace.note(owner.name, reply.kind, ...call.parts.map(({ tenure }) => tenure.partition))
    if (sampleOf(call.event) !== call.sample) this.fail(`I6: ${owner.name} wrote into an event that was in flight`)
    owner.calls--
    if (reply.kind === 'aborted') this.#checkAbort(call)
    const graceOverMs = Math.max(owner.stopAskedMs + owner.graceMs, owner.life.pausedUntilMs)
    if (this.#nowMs() > graceOverMs + 1) this.fail(`calm: a call of ${owner.name} outlasted the grace of its stop`)
    for (const { tenure, records, cuts } of call.parts) {
      tenure.calls--
      tenure.freeSinceMs = this.#nowMs()
      for (const record of records) {
        record.inFlight--
        tenure.sent.delete(record)
      }
      if (reply.kind === 'returned') {
        if (tenure.phase === 'over') continue
        tenure.retry = undefined
        // What lies above a cut is fetched and sent again.
        if (tenure.cuts.length > cuts) for (const record of records) record.mayRepeat = true
        tenure.next = tenure.settledUpTo = Math.min(records.at(-1)!.offset + 1, ...tenure.cuts.slice(cuts))
        continue
      }
      for (const record of records) record.mayRepeat = true
      if (reply.kind === 'too-large') {
        // What is halved goes back in part: only where it begins is sure.
        tenure.retry = undefined
        if (call.records === 1) records[0]!.refusedAlone = true
      } else if (tenure.phase === 'open') {
        tenure.retry = { call, cuts, ids: records.map(({ id }) => id) }
      }
    }
    this.#slots(owner)
  }

  #slots(owner: Owner): void {
    const full = owner.calls >= owner.maxCalls
    if (owner.full && !full) owner.slotFreeSinceMs = this.#nowMs()
    owner.full = full
  }

  #checkAbort({ owner, parts }: Call): void {
    const wanted = parts.some(({ tenure }) => tenure.phase !== 'over')
    if (wanted && this.#nowMs() < owner.stopAskedMs + owner.graceMs) {
      this.fail(`calm: ${owner.name} cut a call before the grace was over`)
    }
  }

  dropped(owner: Owner, partition: number, offset: number, fits: (record: SimRecord) => boolean): void {
    this.trace.note(owner.name, 'dropped', partition, offset)
    const tenure = owner.tenures.get(partition)
    const log = this.#logs[partition]!
    for (const record of log.within(offset, offset + 1)) {
      // The one that was dropped is no more in a log that was cut.
      if (fits(record) && log.wasCut) continue
      if (fits(record) && !record.refusedAlone)
        this.fail(`I2: ${owner.name} dropped partition ${partition} offset ${offset}, which fits`)
      record.done = true
      record.dropped = true
    }
    if (tenure !== undefined) tenure.settledUpTo = tenure.next = Math.max(tenure.next, offset + 1)
    if (tenure !== undefined) tenure.retry = undefined
  }

  // ---- commits

  commitAsked(owner: Owner, offsets: readonly CommitOffset[]): void {
    owner.commitsOpen++
    owner.commitAskedMs = this.#nowMs()
    for (const { partition, offset } of offsets) {
      this.trace.note(owner.name, 'commits', partition, offset)
      if (!owner.tenures.has(partition)) {
        this.fail(`I9: ${owner.name} commits partition ${partition}, which is not its own`)
      }
    }
  }

  commitEnded(owner: Owner, taken: boolean): void {
    owner.commitsOpen--
    owner.commitEndedMs = this.#nowMs()
    if (taken) return
    owner.commitFailedMs = this.#nowMs()
    this.trace.note(owner.name, 'commit failed')
  }

  /** What a poller would commit is held to the same as what it commits: it may come to a commit at any moment. */
  owes(owner: Owner, partition: number, committable: number): void {
    const tenure = owner.tenures.get(partition)
    const log = this.#logs[partition]!
    if (tenure === undefined || (tenure.fenced && log.wasCut)) return
    if (committable <= this.#highestCommit(log)) return
    this.fail(
      `I1: ${owner.name} would commit partition ${partition} to ${committable}, but ${log.frontier} is not done`
    )
  }

  /** Kafka takes a commit. */
  committed(name: string, log: PartitionLog, offset: number): void {
    const { partition } = log
    this.trace.note(name, 'committed', partition, offset)
    const owner = this.#owners.get(name)
    const tenure = owner?.tenures.get(partition)
    if (tenure?.fenced === true) {
      this.fail(`I9: ${name} committed partition ${partition}, which somebody else had been given`)
    }
    // It was on its way when its poller was told that the log had been cut: another follows, further back.
    if (owner !== undefined && tenure !== undefined && tenure.cutToldMs >= owner.commitAskedMs) return
    if (offset > this.#highestCommit(log)) {
      this.fail(`I1: ${name} committed partition ${partition} to ${offset}, but ${log.frontier} is not done`)
    }
    if (offset < log.committed && !log.wasCut) {
      this.fail(`I16: ${name} committed partition ${partition} from ${log.committed} back to ${offset}`)
    }
  }

  /** Who has not heard yet that the log was cut may still be where it was. */
  #highestCommit(log: PartitionLog): number {
    const { frontier, end, reusedBelow } = log
    return Math.max(frontier, frontier === end ? reusedBelow : 0)
  }
}

/** Enough of the event to notice that somebody else writes into its Buffer. */
function sampleOf(event: Uint8Array): number {
  let sum = event.length
  const step = Math.max(1, event.length >> 5)
  for (let at = event.length - 1; at >= 0; at -= step) sum = (Math.imul(sum, 31) + event[at]!) | 0
  return sum
}
