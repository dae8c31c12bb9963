import { Admin, Connection, ListOffsetTimestamps, metadataV12, Producer } from '@platformatic/kafka'
import type { BaseOptions, CompressionAlgorithmValue } from '@platformatic/kafka'
import { eventually } from '../poll.ts'

type Metadata = Awaited<ReturnType<typeof metadataV12.api.async>>

export interface TopicOptions {
  readonly partitions: number
  /** Default: the brokers' own, which is one copy on every broker of a fixture. */
  readonly replicationFactor?: number
  /** Topic settings, say `{ 'cleanup.policy': 'compact' }`. */
  readonly config?: Readonly<Record<string, string>>
}

/** What is left out is null in Kafka. Without a partition the key chooses, without both they take turns. */
export interface TestMessage {
  readonly key?: string | Buffer | null
  readonly value?: string | Buffer | null
  /** Pairs, as a key may come twice. */
  readonly headers?: readonly (readonly [key: string, value: string | Buffer | null])[]
  readonly partition?: number
  /** Milliseconds since 1970. Default: now. */
  readonly timestamp?: number
}

export interface Committed {
  readonly offset: bigint
  readonly metadata: string
}

// A broker refuses a record batch over 1 MiB, and what is sent at once may all go to one partition.
const maxSendBytes = 512 << 10

/**
 * Prepares a cluster for a test and looks at what became of it. Every call opens its own connections to the brokers that
 * answer now, so that nothing is remembered from before a broker died.
 */
export class KafkaClient {
  readonly #answering: () => readonly string[]

  /** @param answering `host:port` of every broker that answers now, plaintext. */
  constructor(answering: () => readonly string[]) {
    this.#answering = answering
  }

  /** Returns when every broker knows a leader for each partition. */
  async createTopic(name: string, { partitions, replicationFactor = -1, config = {} }: TopicOptions): Promise<void> {
    const configs = Object.entries(config).map(([name, value]) => ({ name, value }))
    await this.#withAdmin(admin =>
      admin.createTopics({ topics: [{ topic: name, partitions, replicas: replicationFactor }], configs })
    )
    await this.#everyBrokerKnows(name, partitions)
  }

  /** @param total How many partitions the topic has afterwards. */
  async addPartitions(name: string, total: number): Promise<void> {
    await this.#withAdmin(admin => admin.createPartitions({ topics: [{ name, count: total, assignments: null }] }))
    await this.#everyBrokerKnows(name, total)
  }

  async deleteTopic(name: string): Promise<void> {
    await this.#withAdmin(admin => admin.deleteTopics({ topics: [name] }))
  }

  /** Returns when all in-sync copies have all messages. Those of one partition keep their order. */
  async produce(
    topic: string,
    messages: readonly TestMessage[],
    compression?: CompressionAlgorithmValue
  ): Promise<void> {
    const producer = new Producer<Buffer | null, Buffer | null, Buffer, Buffer | null>({
      ...this.#clientOptions(),
      acks: -1,
      idempotent: true,
      ...(compression === undefined ? {} : { compression })
    })
    try {
      for (const some of chunks(messages)) {
        await producer.send({ messages: some.map(message => encode(topic, message)) })
      }
    } finally {
      await producer.close()
    }
  }

  /** What the group has committed, by partition. A partition without a commit is left out. */
  async committed(groupId: string, topic: string): Promise<Map<number, Committed>> {
    const groups = await this.#withAdmin(admin => admin.listConsumerGroupOffsets({ groups: [groupId] }))
    const partitions = groups[0]?.topics.find(each => each.name === topic)?.partitions ?? []
    return new Map(
      partitions
        .filter(each => each.committedOffset >= 0n)
        .map(each => [each.partitionIndex, { offset: each.committedOffset, metadata: each.metadata ?? '' }])
    )
  }

  /** The offset that the next record of each partition gets. */
  async endOffsets(topic: string): Promise<Map<number, bigint>> {
    const count = (await this.leaders(topic)).size
    const partitions = Array.from({ length: count }, (_, partitionIndex) => ({
      partitionIndex,
      timestamp: ListOffsetTimestamps.LATEST
    }))
    const topics = await this.#withAdmin(admin => admin.listOffsets({ topics: [{ name: topic, partitions }] }))
    return new Map(topics[0]?.partitions.map(each => [each.partitionIndex, each.offset]))
  }

  /** The node that leads each partition, -1 where none does. */
  async leaders(topic: string): Promise<Map<number, number>> {
    const [address] = this.#answering()
    if (address === undefined) throw new Error(`who leads ${topic}? No broker answers`)
    const [described] = (await brokerMetadata(address, [topic])).topics
    return new Map(described?.partitions.map(each => [each.partitionIndex, each.leaderId]))
  }

  async #everyBrokerKnows(topic: string, partitions: number): Promise<void> {
    const knows = async (address: string) => {
      const [described] = (await brokerMetadata(address, [topic])).topics
      return described?.partitions.length === partitions && described.partitions.every(each => each.leaderId >= 0)
    }
    await Promise.all(
      this.#answering().map(address =>
        eventually(() => knows(address), { describe: `${address} knows the leaders of ${topic}`, intervalMs: 20 })
      )
    )
  }

  async #withAdmin<T>(use: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = new Admin(this.#clientOptions())
    try {
      return await use(admin)
    } finally {
      await admin.close()
    }
  }

  #clientOptions(): BaseOptions {
    return { clientId: 'millrace-test', bootstrapBrokers: [...this.#answering()], retries: 10, retryDelay: 200 }
  }
}

/** What one broker knows of the cluster and of `topics`. Throws when it does not answer within two seconds. */
export async function brokerMetadata(address: string, topics: string[] = []): Promise<Metadata> {
  const { hostname, port } = new URL(`kafka://${address}`)
  const connection = new Connection('millrace-test', { connectTimeout: 2_000, requestTimeout: 2_000 })
  try {
    await connection.connect(hostname, Number(port))
    return await metadataV12.api.async(connection, topics, false, false)
  } finally {
    await connection.close()
  }
}

function* chunks(messages: readonly TestMessage[]): Generator<readonly TestMessage[]> {
  let from = 0
  let bytes = 0
  for (const [index, message] of messages.entries()) {
    const size = sizeOf(message)
    if (bytes + size > maxSendBytes && index > from) {
      yield messages.slice(from, index)
      from = index
      bytes = 0
    }
    bytes += size
  }
  if (from < messages.length) yield messages.slice(from)
}

function sizeOf({ key, value, headers = [] }: TestMessage): number {
  const framing = 32
  const headerBytes = headers.reduce((sum, [name, value]) => sum + name.length * 3 + (value?.length ?? 0) * 3, 0)
  return framing + headerBytes + Buffer.byteLength(key ?? '') + Buffer.byteLength(value ?? '')
}

function encode(topic: string, { key, value, headers = [], partition, timestamp }: TestMessage) {
  return {
    topic,
    key: bytes(key),
    value: bytes(value),
    // Keyed by Buffers, which differ by identity: so a header may come twice.
    headers: new Map(headers.map(([name, value]) => [Buffer.from(name), bytes(value)])),
    ...(partition === undefined ? {} : { partition }),
    ...(timestamp === undefined ? {} : { timestamp: BigInt(timestamp) })
  }
}

function bytes(given: string | Buffer | null | undefined): Buffer | null {
  return typeof given === 'string' ? Buffer.from(given) : (given ?? null)
}
