import type { NewRecord } from './produce-batch.ts'
import { ProduceFailure } from './produce-failure.ts'
import { BrokerUnreachable } from './problems.ts'

/** Where a record is in the log. */
export interface ProducedRecord {
  readonly partition: number
  /** -1 where the broker only says that it has it: sent again after its answer was lost, and others since. */
  readonly offset: number
}

/** One call of `send`: over when every record has its place, or the first failure. */
export class ProduceDelivery {
  readonly topic: string
  readonly records: readonly NewRecord[]
  /** Where a record must go, if the caller said so. */
  readonly partitions: readonly (number | undefined)[]
  readonly ended: Promise<ProducedRecord[]>
  #problem: Error | undefined
  readonly #places: ProducedRecord[] = []
  #missing: number
  #over = false
  readonly #resolve: (places: ProducedRecord[]) => void
  readonly #reject: (error: Error) => void

  constructor(topic: string, records: readonly NewRecord[], partitions: readonly (number | undefined)[]) {
    this.topic = topic
    this.records = records
    this.partitions = partitions
    this.#missing = records.length
    const { promise, resolve, reject } = Promise.withResolvers<ProducedRecord[]>()
    this.ended = promise
    this.#resolve = resolve
    this.#reject = reject
    if (this.#missing === 0) this.#end(() => this.#resolve([]))
  }

  get over(): boolean {
    return this.#over
  }

  placed(index: number, place: ProducedRecord): void {
    if (this.#over) return
    this.#places[index] = place
    if (--this.#missing === 0) this.#end(() => this.#resolve(this.#places))
  }

  /** What last kept it from being acknowledged. */
  get problem(): Error | undefined {
    return this.#problem
  }

  /** It waits for what may heal; who we are does not. */
  hindered(problem: Error): void {
    this.#problem = problem
    if (!(problem instanceof BrokerUnreachable) || problem.kind !== 'authentication') return
    const text = `Cannot write to topic ${this.topic}: ${problem.message}`
    this.fail(new ProduceFailure('authorization', text, { cause: problem }))
  }

  /** Nothing of it that waits is sent any more. */
  fail(error: Error): void {
    if (!this.#over) this.#end(() => this.#reject(error))
  }

  #end(settle: () => void): void {
    this.#over = true
    settle()
  }
}
