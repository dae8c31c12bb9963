import { randomBytes } from 'node:crypto'
import { KafkaError } from './error-codes.ts'
import { LogBudget } from './log-budget.ts'
import { PartitionLog } from './partition-log.ts'
import { TopicConfig } from './topic-config.ts'

/** Most partitions of one topic: each costs memory in every metadata answer. */
const maxPartitions = 10_000

export class Topic {
  readonly name: string
  /** 32 hexadecimal digits. A topic created again under its old name has another. */
  readonly id = randomBytes(16).toString('hex')
  readonly partitions: PartitionLog[] = []
  config: TopicConfig
  readonly #budget: LogBudget

  constructor(name: string, partitions: number, config: TopicConfig, budget: LogBudget) {
    this.name = name
    this.config = config
    this.#budget = budget
    this.grow(partitions)
  }

  grow(partitions: number): void {
    while (this.partitions.length < partitions) {
      this.partitions.push(new PartitionLog(this.#budget, () => this.config.limits))
    }
  }
}

function checkName(name: string): void {
  if (/^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..') return
  const shown = JSON.stringify(name.slice(0, 300))
  throw new KafkaError(
    'INVALID_TOPIC_EXCEPTION',
    `a topic name is 1 to 249 letters, digits, ".", "_" and "-", and neither "." nor ".."; got ${shown}`
  )
}

function checkPartitions(partitions: number): void {
  if (Number.isInteger(partitions) && partitions >= 1 && partitions <= maxPartitions) return
  throw new KafkaError('INVALID_PARTITIONS', `partitions must be 1 to ${maxPartitions}, got ${partitions}`)
}

/** All topics of the broker, by name and by id. */
export class Topics {
  readonly #budget: LogBudget
  readonly #byName = new Map<string, Topic>()
  readonly #byId = new Map<string, Topic>()

  constructor(maxBytes: number) {
    this.#budget = new LogBudget(maxBytes)
  }

  get bytes(): number {
    return this.#budget.bytes
  }

  all(): Topic[] {
    return [...this.#byName.values()]
  }

  get(name: string): Topic | undefined {
    return this.#byName.get(name)
  }

  byId(id: string): Topic | undefined {
    return this.#byId.get(id)
  }

  /** Throws INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS or INVALID_CONFIG. */
  create(name: string, partitions: number, config: ReadonlyMap<string, string>, validateOnly = false): Topic {
    checkName(name)
    if (this.#byName.has(name)) throw new KafkaError('TOPIC_ALREADY_EXISTS', `topic ${name} exists`)
    checkPartitions(partitions)
    const topic = new Topic(name, partitions, new TopicConfig(config), this.#budget)
    if (validateOnly) return topic
    this.#byName.set(name, topic)
    this.#byId.set(topic.id, topic)
    return topic
  }

  /** Throws INVALID_PARTITIONS unless the topic gets more than it has. */
  grow(topic: Topic, partitions: number, validateOnly: boolean): void {
    checkPartitions(partitions)
    if (partitions <= topic.partitions.length) {
      throw new KafkaError(
        'INVALID_PARTITIONS',
        `topic ${topic.name} has ${topic.partitions.length} partitions; the new count must be higher, got ${partitions}`
      )
    }
    if (!validateOnly) topic.grow(partitions)
  }

  delete(topic: Topic): void {
    this.#byName.delete(topic.name)
    this.#byId.delete(topic.id)
    for (const log of topic.partitions) log.clear()
  }

  /** The log of a partition. Throws UNKNOWN_TOPIC_OR_PARTITION. */
  log(name: string, partition: number): PartitionLog {
    const log = this.#byName.get(name)?.partitions[partition]
    if (log !== undefined) return log
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no partition ${partition} of topic ${name}`)
  }
}
