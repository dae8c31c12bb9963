import { errorCode } from '../../src/adapters/kafka/problems.ts'
import type { CommitOffset } from '../../src/ports/consumer.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { Coordinator } from './coordinator.ts'
import type { Debt } from './debt.ts'
import type { LogBatch, PartitionLog } from './partition-log.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface FetchQuestion {
  readonly partition: number
  readonly offset: number
}

export interface FetchAnswer extends FetchQuestion {
  /** Undefined: the log does not have the offset. */
  readonly batches: readonly LogBatch[] | undefined
}

interface LongPoll {
  readonly questions: readonly FetchQuestion[]
  readonly reply: (answers: readonly FetchAnswer[]) => void
  readonly cancel: () => void
}

/** What the checker hears when Kafka takes a commit. */
export interface CommitWitness {
  committed(owner: string, log: PartitionLog, commit: CommitOffset): Debt
}

const batchesPerFetch = 3
/** `offset.metadata.max.bytes`. */
const maxMetadataBytes = 4_096

/** Kafka's side of the world: logs, one group, and its committed offsets. */
export class Broker {
  readonly logs: PartitionLog[]
  readonly group: ClassicGroup | ConsumerGroup
  readonly coordinator: Coordinator
  readonly #time: VirtualTime
  readonly #witness: CommitWitness
  #polls: LongPoll[] = []
  /** Commits are refused until then, as without the right to commit. */
  refusesCommitsUntilMs = 0
  /** Commits are taken, but nobody is told, until then. */
  forgetsAnswersUntilMs = 0

  constructor(logs: PartitionLog[], group: ClassicGroup | ConsumerGroup, time: VirtualTime, witness: CommitWitness) {
    this.logs = logs
    this.group = group
    this.coordinator = new Coordinator(time)
    this.#time = time
    this.#witness = witness
  }

  /** Answers when there is something to say, or after `maxWaitMs`. */
  fetch(questions: readonly FetchQuestion[], maxWaitMs: number, reply: LongPoll['reply']): void {
    const answers = this.#answers(questions)
    if (hasNews(answers)) return reply(answers)
    const poll = {
      questions,
      reply,
      cancel: this.#time.after(maxWaitMs, () => {
        this.#polls = this.#polls.filter(other => other !== poll)
        reply(this.#answers(questions))
      })
    }
    this.#polls.push(poll)
  }

  /** A log has changed: long polls may have their answer. */
  changed(): void {
    for (const poll of this.#polls) {
      const answers = this.#answers(poll.questions)
      if (!hasNews(answers)) continue
      this.#polls = this.#polls.filter(other => other !== poll)
      poll.cancel()
      poll.reply(answers)
    }
  }

  /** Another broker coordinates the group from now on, and can `forMs` later. */
  moveCoordinator(forMs: number, isSilent: boolean): void {
    this.group.move(this.coordinator.move(forMs, isSilent), isSilent)
  }

  /** Takes all of them or none: answers an error code. */
  commit(owner: string, memberId: string, generation: number, offsets: readonly CommitOffset[]): number {
    if (this.refusesCommitsUntilMs > this.#time.nowMs) return errorCode.topicAuthorizationFailed
    if (offsets.some(({ metadata = '' }) => Buffer.byteLength(metadata) > maxMetadataBytes))
      return errorCode.offsetMetadataTooLarge
    const code = this.group.mayCommit(memberId, generation)
    if (code !== errorCode.none) return code
    for (const commit of offsets) {
      const { partition, offset, metadata = '' } = commit
      const log = this.logs[partition]!
      // Where the group begins is its user's choice: what lies before is nobody's loss.
      if (log.committed < 0) log.excuse(0, offset)
      log.commit = { offset, metadata, debt: this.#witness.committed(owner, log, commit) }
    }
    return code
  }

  /** Who committed is not told. */
  get forgetsAnswers(): boolean {
    return this.forgetsAnswersUntilMs > this.#time.nowMs
  }

  #answers(questions: readonly FetchQuestion[]): FetchAnswer[] {
    return questions.map(question => ({
      ...question,
      batches: this.logs[question.partition]!.read(question.offset, batchesPerFetch)
    }))
  }
}

const hasNews = (answers: readonly FetchAnswer[]): boolean =>
  answers.some(({ batches }) => batches === undefined || batches.length > 0)
