import { errorCode } from '../../src/adapters/kafka/problems.ts'
import type { CommitOffset } from '../../src/ports/consumer.ts'
import { type Debt, noDebt } from './debt.ts'
import type { Owner } from './owner.ts'
import type { PartitionLog } from './partition-log.ts'
import type { Scene } from './scene.ts'

/** What is committed, and what would be: I1, I9, I16. */
export class CommitChecks {
  readonly #scene: Scene
  /** What whoever asked for a commit owed beside it when it asked. */
  readonly #debts = new WeakMap<CommitOffset, Debt>()

  constructor(scene: Scene) {
    this.#scene = scene
  }

  asked(owner: Owner, offsets: readonly CommitOffset[]): void {
    owner.commitsOpen++
    owner.commitAskedMs = this.#scene.nowMs()
    for (const commit of offsets) {
      const { partition, offset, metadata = '' } = commit
      this.#scene.trace.note(owner.name, 'commits', partition, offset, metadata.length)
      const tenure = owner.tenures.get(partition)
      if (tenure === undefined) {
        this.#scene.fail(`I9: ${owner.name} commits partition ${partition}, which is not its own`)
      } else {
        const debt = tenure.debt(offset)
        this.#debts.set(commit, tenure.isVague && metadata !== '' ? { ...debt, isVague: true } : debt)
      }
    }
  }

  /** Kafka has answered one. */
  answered(owner: Owner, code: number): void {
    if (!passing.has(code)) owner.commitRefusedMs = this.#scene.nowMs()
  }

  ended(owner: Owner, offsets: readonly CommitOffset[], taken: boolean): void {
    const nowMs = this.#scene.nowMs()
    const { commitAskedMs, commitRefusedMs, commitTimeoutMs, stopAskedMs } = owner
    owner.commitsOpen--
    owner.commitEndedMs = nowMs
    if (taken) return
    owner.commitFailedMs = nowMs
    this.#scene.trace.note(owner.name, 'commit failed')
    const triedMs = nowMs - commitAskedMs
    const isOwn = ({ partition }: CommitOffset) => {
      const tenure = owner.tenures.get(partition)
      return tenure !== undefined && tenure.sinceMs <= commitAskedMs
    }
    const mayEnd = triedMs >= commitTimeoutMs || commitRefusedMs >= commitAskedMs || stopAskedMs < Infinity
    if (!mayEnd && offsets.every(isOwn))
      this.#scene.fail(`I3: a commit of ${owner.name} was given up after ${triedMs} ms, though nobody had refused it`)
  }

  /** What a poller would commit is held to the same as what it commits: it may come to a commit at any moment. */
  owes(owner: Owner, partition: number, committable: number): void {
    const tenure = owner.tenures.get(partition)
    const log = this.#scene.logs[partition]!
    if (tenure === undefined || (tenure.fenced && log.wasCut)) return
    if (committable <= highestCommit(log)) return
    this.#scene.fail(
      `I1: ${owner.name} would commit partition ${partition} to ${committable}, but ${log.frontier} is not done`
    )
  }

  /** Kafka takes a commit; answers what its owner owes beside. */
  committed(name: string, log: PartitionLog, commit: CommitOffset): Debt {
    const { partition, offset } = commit
    const debt = this.#debts.get(commit) ?? noDebt
    this.#scene.trace.note(name, 'committed', partition, offset)
    const owner = this.#scene.owners.get(name)
    const tenure = owner?.tenures.get(partition)
    if (tenure?.fenced === true) {
      this.#scene.fail(`I9: ${name} committed partition ${partition}, which somebody else had been given`)
    }
    // It was on its way when its poller was told that the log had been cut: another follows, further back.
    if (owner !== undefined && tenure !== undefined && tenure.cutToldMs >= owner.commitAskedMs) return debt
    if (offset > highestCommit(log)) {
      this.#scene.fail(`I1: ${name} committed partition ${partition} to ${offset}, but ${log.frontier} is not done`)
    }
    if (offset < log.committed && !log.wasCut) {
      this.#scene.fail(`I16: ${name} committed partition ${partition} from ${log.committed} back to ${offset}`)
    }
    return debt
  }
}

/** What Kafka answers to a commit that it takes, or may take in a moment. */
const passing: ReadonlySet<number> = new Set([
  errorCode.none,
  errorCode.rebalanceInProgress,
  errorCode.staleMemberEpoch,
  errorCode.notCoordinator,
  errorCode.coordinatorLoadInProgress
])

/** Who has not heard yet that the log was cut may still be where it was. */
function highestCommit({ frontier, end, reusedBelow }: PartitionLog): number {
  return Math.max(frontier, frontier === end ? reusedBelow : 0)
}
