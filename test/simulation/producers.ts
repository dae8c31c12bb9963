import type { Broker } from './broker.ts'
import { Chance } from './chance.ts'
import { oversizeBytes } from './oversize.ts'
import type { PartitionLog, SimRecord } from './partition-log.ts'
import type { Plan } from './plan.ts'
import { timestampOf } from './sim-block.ts'
import { Transaction } from './transaction.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface TransactionSettings {
  /** Of the appends. */
  readonly share: number
  /** Each has one transaction open at a time. */
  readonly producers: number
  /** How long one may be open. */
  readonly openMs: number
  readonly abortRate: number
}

export interface ProducersDeps {
  readonly time: VirtualTime
  readonly broker: Broker
  readonly logs: readonly PartitionLog[]
  /** Whatever is written comes here. */
  readonly records: SimRecord[]
  readonly ages: Chance
  readonly produce: Chance
}

/** Who writes to the logs: single appends, and transactions that interleave and span partitions. */
export class Producers {
  readonly #plan: Plan
  readonly #deps: ProducersDeps
  readonly #chance: Chance
  /** By producer. */
  readonly #transactions = new Map<number, Transaction>()
  readonly #closing = new Set<Transaction>()

  constructor(plan: Plan, deps: ProducersDeps) {
    this.#plan = plan
    this.#deps = deps
    this.#chance = new Chance(plan.seed, 9)
  }

  start(): void {
    const { records, appendsAtMost, runMs } = this.#plan
    const { time, produce } = this.#deps
    for (let left = records; left > 0;) {
      const count = Math.min(left, produce.between(1, appendsAtMost))
      left -= count
      time.after(produce.int(runMs), () => this.#append(count))
    }
  }

  /** Ends what is open, at once. */
  endTransactions(): void {
    for (const transaction of this.#transactions.values()) this.#decide(transaction)
    this.#transactions.clear()
    for (const transaction of this.#closing) for (const log of transaction.logs) this.#close(transaction, log)
  }

  #append(count: number): void {
    const { logs, records, broker, produce } = this.#deps
    const { burnRate } = this.#plan
    const log = produce.pick(logs)
    if (produce.happens(burnRate)) log.burn(produce.between(1, 3))
    const first = records.length
    const ids = Array.from({ length: count }, (_, index) => first + index)
    const transaction = this.#transaction()
    const spans = transaction !== undefined && count > 1 && this.#chance.happens(0.3)
    const other = spans ? this.#chance.int(count) : 0
    this.#write(log, ids.slice(other), transaction)
    if (other > 0) this.#write(this.#chance.pick(logs), ids.slice(0, other), transaction)
    if (produce.happens(burnRate)) log.burn(1)
    broker.changed()
  }

  #write(log: PartitionLog, ids: readonly number[], transaction: Transaction | undefined): void {
    const { records, time, ages, produce } = this.#deps
    const { oversizeEvery, valueBytes, gapRate, gapAtMost, failures } = this.#plan
    const { agedMs } = failures
    const size = (id: number) => (oversizeEvery > 0 && id % oversizeEvery === 0 ? oversizeBytes : valueBytes)
    const gap = () => (produce.happens(gapRate) ? produce.between(1, gapAtMost) : 0)
    const timestamp = (id: number) => timestampOf(id, time.nowMs - (agedMs > 0 ? ages.int(agedMs) : 0))
    for (const record of log.append(ids, size, timestamp, gap, transaction)) records[record.id] = record
    transaction?.logs.add(log)
  }

  /** The one that an append belongs to. */
  #transaction(): Transaction | undefined {
    const { transactions } = this.#plan
    if (transactions === undefined || !this.#chance.happens(transactions.share)) return undefined
    const producer = this.#chance.int(transactions.producers)
    const open = this.#transactions.get(producer)
    if (open !== undefined) return open
    const transaction = new Transaction()
    this.#transactions.set(producer, transaction)
    this.#deps.time.after(this.#chance.int(transactions.openMs), () => {
      if (this.#transactions.get(producer) !== transaction) return
      this.#transactions.delete(producer)
      this.#decide(transaction)
    })
    return transaction
  }

  /** Every log gets its marker in its own time. */
  #decide(transaction: Transaction): void {
    transaction.isAborted = this.#chance.happens(this.#plan.transactions!.abortRate)
    this.#closing.add(transaction)
    for (const log of transaction.logs)
      this.#deps.time.after(this.#chance.int(100), () => this.#close(transaction, log))
  }

  #close(transaction: Transaction, log: PartitionLog): void {
    if (!transaction.logs.delete(log)) return
    if (transaction.logs.size === 0) this.#closing.delete(transaction)
    log.close(transaction)
    this.#deps.broker.changed()
  }
}
