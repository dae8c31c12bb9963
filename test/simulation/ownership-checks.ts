import { errorCode } from '../../src/adapters/kafka/problems.ts'
import type { TopicPartition } from '../../src/core/record.ts'
import { commitIntervalMs } from '../../src/poller/committer.ts'
import type { AssignedPartition } from '../../src/ports/consumer.ts'
import { tellsOf } from './debt.ts'
import type { Owner } from './owner.ts'
import type { SimRecord } from './partition-log.ts'
import { countPlaces, type Scene } from './scene.ts'
import { Tenure } from './tenure.ts'

/** Who owns what, and what is handed over: I8 and I10 where owners change, and `calm`. */
export class OwnershipChecks {
  readonly #scene: Scene
  /** Whom the coordinator gave each partition last. */
  readonly #givenTo = new Map<number, string>()
  /** Whom each partition was given that has not given it back: `partition owner`. */
  readonly #grants = new Set<string>()

  constructor(scene: Scene) {
    this.#scene = scene
  }

  assigned(owner: Owner, partitions: readonly AssignedPartition[]): void {
    const { logs, trace } = this.#scene
    for (const { partition, startOffset } of partitions) {
      if (owner.tenures.has(partition)) this.#scene.fail(`model: ${owner.name} was given partition ${partition} twice`)
      if (!this.#grants.has(`${partition} ${owner.name}`))
        this.#scene.fail(`I9: ${owner.name} begins with partition ${partition}, which it was not given`)
      const log = logs[partition]!
      const { offset, debt } = log.commit
      // A commit of the last owner may have come after it had gone.
      log.passedOn()
      const isLate = this.#givenTo.get(partition) !== owner.name
      if (!isLate && offset !== startOffset)
        this.#scene.fail(`model: ${owner.name} begins partition ${partition} at ${startOffset}, not at ${offset}`)
      // Nobody reads on from where others were, and what they had finished above tells by its age what it is of.
      if (!isLate) log.readOn(startOffset)
      const owes = debt.isVague === true || debt.units.length > 0 || debt.done.size > 0
      const isVague = isLate || debt.isVague === true || (log.wasCut && owes)
      const tenure = new Tenure(owner, partition, startOffset, debt, isVague, this.#scene.nowMs())
      tenure.fenced = isLate
      owner.tenures.set(partition, tenure)
      trace.note(owner.name, 'assigned', partition, startOffset, ...debt.units.map(({ failures }) => failures))
    }
  }

  /** The coordinator has given these to `name`: who had them before may not know yet, and what it does is repeated. */
  given(name: string, partitions: readonly number[]): void {
    if (partitions.length > 0) this.#scene.trace.note(name, 'is given', ...partitions)
    for (const partition of partitions) {
      this.#givenTo.set(partition, name)
      this.#grants.add(`${partition} ${name}`)
    }
    this.fence(partitions, name)
  }

  /** Whoever believes to own one of these does so no longer, apart from `name`. */
  fence(partitions: readonly number[], name?: string): void {
    for (const other of this.#scene.owners.values()) {
      if (other.name === name) continue
      for (const partition of partitions) {
        const tenure = other.tenures.get(partition)
        if (tenure === undefined || tenure.fenced) continue
        this.#scene.trace.note(other.name, 'fenced', partition)
        tenure.fenced = true
        tenure.fencedMs = this.#scene.nowMs()
        this.#scene.log(tenure).passedOn()
        this.#scene.explain(tenure)
      }
    }
  }

  /** The coordinator was told by `name` that these are its own no longer, and may give them to others. */
  released(name: string, partitions: readonly number[]): void {
    const owner = this.#scene.owners.get(name)
    if (partitions.length > 0) this.#scene.trace.note(name, 'has released', ...partitions)
    for (const partition of partitions) this.#grants.delete(`${partition} ${name}`)
    const partition = partitions.find(each => owner?.tenures.has(each) === true)
    if (partition === undefined) return
    this.#scene.fail(`I9: ${name} told the group that it had given partition ${partition} up, and had not`)
  }

  /** The poller is asked to give these up; answers what `left` wants to know. */
  leaving(owner: Owner, partitions: readonly TopicPartition[]): readonly Tenure[] {
    const going = tenuresOf(owner, partitions)
    for (const tenure of going) {
      tenure.phase = 'leaving'
      tenure.leavingSinceMs = this.#scene.nowMs()
      this.#scene.trace.note(owner.name, 'leaving', tenure.partition)
    }
    countPlaces(owner, this.#scene.nowMs())
    return going
  }

  /** The poller has answered the revocation. */
  left(owner: Owner, asked: readonly Tenure[]): void {
    const { trace, nowMs } = this.#scene
    const going = asked.filter(({ phase }) => phase === 'leaving')
    const busy = going.some(isBusy)
    for (const tenure of going) {
      trace.note(owner.name, 'left', tenure.partition)
      if (isBusy(tenure) && nowMs() < drainedBy(tenure)) {
        this.#scene.fail(`I8: ${owner.name} gave partition ${tenure.partition} up before what was in flight ended`)
      }
      // A call that outlasts the drain may still settle while the last commit is under way.
      const late = isBusy(tenure) || tenure.freeSinceMs > drainedBy(tenure)
      const { wasCut } = this.#scene.log(tenure)
      if (late || tenure.fenced || wasCut || owner.commitFailedMs >= tenure.leavingSinceMs) this.#scene.explain(tenure)
      else this.#checkHandover(tenure)
    }
    if (!busy) this.#prompt(owner, going)
    for (const tenure of going) this.#over(tenure)
  }

  /** What a poller knows when it gives a partition up in peace the next owner knows too. */
  #checkHandover(tenure: Tenure): void {
    const { owner, partition, settled, units } = tenure
    const { rules } = this.#scene
    const { offset, debt } = this.#scene.log(tenure).commit
    for (const record of settled.keys()) {
      if (record.offset < offset || debt.done.has(record)) continue
      this.#scene.fail(
        `I8: ${owner.name} gave partition ${partition} up at ${offset}, but had settled ${record.offset} and told nobody`
      )
      return
    }
    if (debt.isVague === true) return
    // What has grown too old shows by itself.
    const isOld = (record: SimRecord) => rules.maxAgeMs >= 0 && this.#scene.ageMs(record) > rules.maxAgeMs
    const untold = units.find(unit => unit.bound && !unit.records.every(isOld) && !tellsOf(debt, unit))
    if (untold === undefined) return
    this.#scene.fail(
      `I10: ${owner.name} gave partition ${partition} up and told nobody that ${untold.records[0]!.offset} had failed ${untold.failures} times`
    )
  }

  /** The drain is over: only the last commit may still be waited for. */
  drained(owner: Owner, asked: readonly Tenure[]): void {
    const waiting = asked.some(({ phase }) => phase === 'leaving')
    if (waiting && owner.commitsOpen === 0) this.#scene.fail(`calm: ${owner.name} did not answer a revocation in time`)
  }

  #prompt(owner: Owner, going: readonly Tenure[]): void {
    const nowMs = this.#scene.nowMs()
    const since = Math.max(
      owner.commitEndedMs,
      owner.life.pausedUntilMs,
      ...going.map(({ freeSinceMs, leavingSinceMs }) => Math.max(freeSinceMs, leavingSinceMs))
    )
    if (going.length > 0 && nowMs > since + 1) {
      this.#scene.fail(`calm: ${owner.name} kept a rebalance waiting ${nowMs - since} ms with nothing in flight`)
    }
  }

  /** The coordinator has answered what a member had said at `sentMs`. */
  answered(owner: Owner, code: number, sentMs: number): void {
    const nowMs = this.#scene.nowMs()
    if (code === errorCode.none || code === errorCode.rebalanceInProgress) {
      owner.heardMs = sentMs
      owner.answeredMs = nowMs
    } else if (meansLoss.has(code)) owner.sentAwayMs = nowMs
  }

  lost(owner: Owner, partitions: readonly TopicPartition[]): void {
    const { heardMs, sentAwayMs, revokeTimeoutMs } = owner
    const nowMs = this.#scene.nowMs()
    const hasCause = sentAwayMs === nowMs
    for (const tenure of tenuresOf(owner, partitions)) {
      const isLate = tenure.phase === 'leaving' && nowMs - tenure.leavingSinceMs >= revokeTimeoutMs
      if (!hasCause && !isLate) {
        this.#scene.fail(
          `I8: ${owner.name} takes partition ${tenure.partition} for lost, but was heard ${nowMs - heardMs} ms ago and not sent away`
        )
      }
      this.#scene.trace.note(owner.name, 'lost', tenure.partition)
      this.#scene.explain(tenure)
      this.#over(tenure)
    }
  }

  crashed(owner: Owner): void {
    this.#scene.trace.note(owner.name, 'crashed')
    for (const tenure of owner.tenures.values()) {
      this.#checkLoss(tenure)
      this.#scene.explain(tenure)
      this.#over(tenure)
    }
  }

  /** Who is killed forgets what it finished since its last commit, and no more. */
  #checkLoss({ owner, partition, settled, fenced }: Tenure): void {
    const { commit, wasCut } = this.#scene.logs[partition]!
    if (fenced || wasCut || owner.commitsOpen > 0) return
    const nowMs = this.#scene.nowMs()
    for (const [record, atMs] of settled) {
      const dueMs = Math.max(atMs, owner.commitEndedMs, owner.life.pausedUntilMs) + commitIntervalMs + 1
      if (nowMs <= dueMs || record.offset < commit.offset || commit.debt.done.has(record)) continue
      this.#scene.fail(
        `I8: ${owner.name} was killed ${nowMs - atMs} ms after it had settled partition ${partition} offset ${record.offset}, and had not committed it`
      )
      return
    }
  }

  jumped(owner: Owner, partition: number, from: number, to: number): void {
    const { trace, logs, nowMs } = this.#scene
    trace.note(owner.name, 'jumped', partition, from, to)
    const log = logs[partition]!
    const tenure = owner.tenures.get(partition)!
    if (to > from) {
      log.excuse(from, to)
      tenure.passOver(to)
      return
    }
    for (const record of log.within(to, Infinity)) {
      record.mayRepeat = record.mayTellAgain = true
      record.failures = 0
    }
    if (!tenure.fenced) log.known(to)
    tenure.cut(to, nowMs())
  }

  #over(tenure: Tenure): void {
    const { owner } = tenure
    tenure.phase = 'over'
    this.#scene.log(tenure).passedOn()
    owner.tenures.delete(tenure.partition)
    countPlaces(owner, this.#scene.nowMs())
  }
}

/** The coordinator knows no such member, or another in its place. */
const meansLoss: ReadonlySet<number> = new Set([
  errorCode.illegalGeneration,
  errorCode.unknownMemberId,
  errorCode.fencedMemberEpoch
])

const isBusy = ({ calls, tellings }: Tenure): boolean => calls + tellings > 0

function drainedBy({ owner, leavingSinceMs }: Tenure): number {
  return Math.min(leavingSinceMs + owner.drainMs, Math.max(leavingSinceMs, owner.stopAskedMs) + owner.graceMs)
}

const tenuresOf = (owner: Owner, partitions: readonly TopicPartition[]): Tenure[] =>
  partitions.flatMap(({ partition }) => owner.tenures.get(partition) ?? [])
