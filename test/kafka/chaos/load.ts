import { setTimeout as pause } from 'node:timers/promises'
import { Kafka, logLevel, type Producer, type RecordMetadata, type Transaction } from 'kafkajs'
import { chanceOf } from '../../e2e/crash/crash-plan.ts'
import { place } from './history.ts'

const pauseMs = 120
const recordsAtOnce = 5
const transactionPauseMs = 60
const abortedPart = 0.3

export interface LoadOptions {
  readonly bootstrap: readonly string[]
  readonly topic: string
  readonly partitions: number
  readonly transactions: boolean
  readonly seed: number
}

/**
 * Writes to every partition by a client that is not ours until it is stopped: some forty records a second and partition,
 * whoever else is down. With transactions, half of them are written in one, of which some are aborted.
 */
export class Load {
  /** `partition@offset` of what Kafka said that it has for good. */
  readonly acknowledged = new Set<string>()
  /** The same of transactions that Kafka said are aborted. */
  readonly aborted = new Set<string>()
  /** When something of each partition was last acknowledged. */
  readonly lastMs = new Map<number, number>()
  /** Why something could not be written at once: nothing is known of it then. */
  readonly troubles: string[] = []
  readonly #options: LoadOptions
  readonly #kafka: Kafka
  readonly #loops: Promise<void>[] = []
  readonly #chance: () => number
  #producer: Producer | undefined
  #partitions = 0
  #stopping = false

  constructor(options: LoadOptions) {
    this.#options = options
    this.#chance = chanceOf(options.seed)
    this.#kafka = new Kafka({
      clientId: 'load',
      brokers: [...options.bootstrap],
      logLevel: logLevel.NOTHING,
      connectionTimeout: 2_000,
      requestTimeout: 5_000,
      retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 5 }
    })
  }

  async start(): Promise<void> {
    this.#producer = this.#kafka.producer({ allowAutoTopicCreation: false, metadataMaxAge: 2_000 })
    await this.#producer.connect()
    if (this.#options.transactions) this.#loops.push(this.#transact())
    this.widen(this.#options.partitions)
  }

  /** The topic has so many partitions now. */
  widen(partitions: number): void {
    for (; this.#partitions < partitions; this.#partitions++) this.#loops.push(this.#write(this.#partitions))
  }

  /** What is under way ends first. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#loops)
    await this.#producer?.disconnect().catch(() => undefined)
  }

  async #write(partition: number): Promise<void> {
    for (let written = 0; !this.#stopping; written += recordsAtOnce) {
      const messages = this.#messages(`plain-${partition}-${written}`, partition)
      await this.#try(async () => {
        const told = await this.#producer!.send({ topic: this.#options.topic, acks: -1, messages })
        for (const at of placesOf(told, messages.length)) this.acknowledged.add(at)
        this.lastMs.set(partition, Date.now())
      })
      await pause(pauseMs * (0.5 + this.#chance()))
    }
  }

  async #transact(): Promise<void> {
    let producer: Producer | undefined
    for (let count = 0; !this.#stopping; count++) {
      await this.#try(async () => {
        producer ??= await this.#transactional()
        await this.#transaction(await producer.transaction(), count)
      }).then(async fine => {
        if (fine) return
        // Its successor of the same name ends what it may have left open.
        await producer?.disconnect().catch(() => undefined)
        producer = undefined
      })
      await pause(transactionPauseMs)
    }
    await producer?.disconnect().catch(() => undefined)
  }

  async #transaction(transaction: Transaction, count: number): Promise<void> {
    const places: string[] = []
    for (let partition = 0; partition < this.#partitions; partition++) {
      if (this.#chance() < 0.5) continue
      const messages = this.#messages(`transaction-${count}-${partition}`, partition)
      const told = await transaction.send({ topic: this.#options.topic, acks: -1, messages })
      places.push(...placesOf(told, messages.length))
    }
    const aborts = this.#chance() < abortedPart
    await (aborts ? transaction.abort() : transaction.commit())
    for (const at of places) (aborts ? this.aborted : this.acknowledged).add(at)
  }

  async #transactional(): Promise<Producer> {
    const { topic } = this.#options
    const producer = this.#kafka.producer({
      transactionalId: topic,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: 10_000,
      metadataMaxAge: 2_000,
      allowAutoTopicCreation: false
    })
    await producer.connect()
    return producer
  }

  async #try(work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      this.troubles.push((error as Error).message)
      return false
    }
  }

  #messages(name: string, partition: number) {
    return Array.from({ length: recordsAtOnce }, (_, index) => ({ value: `${name}-${index}`, partition }))
  }
}

const placesOf = (told: readonly RecordMetadata[], count: number): string[] =>
  told.flatMap(({ partition, baseOffset }) =>
    Array.from({ length: count }, (_, index) => place(partition, Number(baseOffset) + index))
  )
