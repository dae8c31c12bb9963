import assert from 'node:assert/strict'
import { EmbeddedBroker } from '../../src/devbroker/broker.ts'
import type { RealKafka } from './kafka/real-kafka.ts'

/** What an end-to-end test needs of a Kafka, whichever it is. */
export interface KafkaUnderTest {
  readonly bootstrap: readonly string[]
  createTopic(name: string, partitions: number): Promise<void>
  append(topic: string, partition: number, values: readonly string[]): Promise<void>
  /** Offsets by partition; those without a commit are left out. */
  committed(groupId: string, topic: string): Promise<Map<number, number>>
}

export const embeddedKafka = (broker: EmbeddedBroker, partitions = 16): KafkaUnderTest => ({
  get bootstrap() {
    return [broker.bootstrap]
  },
  async createTopic(name, partitions) {
    broker.createTopic(name, { partitions })
  },
  async append(topic, partition, values) {
    broker.append(
      topic,
      partition,
      values.map(value => ({ value }))
    )
  },
  async committed(groupId, topic) {
    const found = Array.from({ length: partitions }, (_, at) => [at, broker.committed(groupId, topic, at)] as const)
    return new Map(found.flatMap(([at, commit]) => (commit === undefined ? [] : [[at, commit.offset]])))
  }
})

export const realKafka = (kafka: RealKafka): KafkaUnderTest => ({
  get bootstrap() {
    return kafka.bootstrap()
  },
  createTopic: (name, partitions) => kafka.createTopic(name, { partitions }),
  append: (topic, partition, values) =>
    kafka.produce(
      topic,
      values.map(value => ({ value, partition }))
    ),
  async committed(groupId, topic) {
    const found = await kafka.committed(groupId, topic)
    return new Map([...found].map(([partition, { offset }]) => [partition, Number(offset)]))
  }
})

/** A topic of one test, and all that was written to it: every value says where it lies. */
export class WrittenTopic {
  readonly name: string
  readonly partitions: number
  readonly #kafka: KafkaUnderTest
  /** One past the last record of each partition. */
  readonly #ends: number[]

  private constructor(kafka: KafkaUnderTest, name: string, partitions: number) {
    this.#kafka = kafka
    this.name = name
    this.partitions = partitions
    this.#ends = Array.from({ length: partitions }, () => 0)
  }

  static async create(kafka: KafkaUnderTest, name: string, partitions: number): Promise<WrittenTopic> {
    await kafka.createTopic(name, partitions)
    return new WrittenTopic(kafka, name, partitions)
  }

  /** Records of all partitions. */
  get total(): number {
    return this.#ends.reduce((sum, end) => sum + end, 0)
  }

  /** Offsets that a group which has finished has committed, by partition. */
  get ends(): Map<number, number> {
    return new Map(this.#ends.entries())
  }

  /** Values by partition, from `from` on. */
  values(from: ReadonlyMap<number, number> = new Map()): Map<number, string[]> {
    return new Map(
      this.#ends.map((end, partition) => {
        const first = from.get(partition) ?? 0
        return [partition, Array.from({ length: end - first }, (_, index) => this.#value(partition, first + index))]
      })
    )
  }

  /** Writes `perPartition` records to each partition. */
  async write(perPartition: number): Promise<void> {
    await Promise.all(this.#ends.map((_, partition) => this.writeTo(partition, perPartition)))
  }

  async writeTo(partition: number, count: number): Promise<void> {
    const first = this.#ends[partition]!
    this.#ends[partition] = first + count
    const values = Array.from({ length: count }, (_, index) => this.#value(partition, first + index))
    await this.#kafka.append(this.name, partition, values)
  }

  #value(partition: number, offset: number): string {
    return `${this.name}-${partition}@${offset}`
  }
}

/** Every record once, in order within its partition. */
export function assertExactlyOnce(
  received: ReadonlyMap<number, readonly string[]>,
  written: ReadonlyMap<number, readonly string[]>
): void {
  const rows = (map: ReadonlyMap<number, readonly string[]>) => [...map].toSorted(([a], [b]) => a - b)
  assert.deepEqual(rows(received), rows(written))
}
