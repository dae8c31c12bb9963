import type { ClusterAddress } from '../../ports/consumer.ts'
import { apis } from './apis.ts'
import { openClientCluster } from './client-cluster.ts'
import type { ClientDeps } from './client-cluster.ts'
import type { Cluster, TopicInfo } from './cluster.ts'
import { listAt, listOffsets } from './offsets.ts'
import { errorCode, errorName, KafkaRefusal } from './problems.ts'

export interface WantedTopic {
  readonly name: string
  /** Absent: as many as the cluster makes unless told. */
  readonly partitions?: number
}

export interface TopicAdminOptions {
  readonly cluster: ClusterAddress
  readonly clientId: string
}

const timeouts = { connectTimeoutMs: 5_000, requestTimeoutMs: 10_000 }
/** "As the broker is configured", for both (KIP-464). */
const brokerDefault = -1

/** Creates topics of a cluster and looks at how far they go. Rejects with what the cluster refuses, or that it cannot be reached. */
export class TopicAdmin implements AsyncDisposable {
  readonly #cluster: Cluster

  constructor({ cluster: address, clientId }: TopicAdminOptions, deps: ClientDeps) {
    this.#cluster = openClientCluster({ address, clientId, ...timeouts }, deps)
  }

  /** Creates those that are not there. Resolves with the names of those that it made. */
  async ensure(topics: readonly WantedTopic[]): Promise<string[]> {
    const found = await this.#cluster.topics(topics.map(({ name }) => name))
    const missing = topics.filter(({ name }) => found.get(name) === errorCode.unknownTopicOrPartition)
    for (const { name } of topics) {
      const code = found.get(name)
      if (typeof code === 'number' && code !== errorCode.unknownTopicOrPartition && !isPassing(code))
        throw new KafkaRefusal(code, `looking for topic ${name}`)
    }
    if (missing.length === 0) return []
    const asked = missing.map(({ name, partitions = brokerDefault }) => ({
      name,
      numPartitions: partitions,
      replicationFactor: brokerDefault,
      assignments: [],
      configs: []
    }))
    const wire = await this.#cluster.anyWire()
    const answer = await this.#cluster.call(wire, apis.createTopics, [asked, timeouts.requestTimeoutMs, false])
    for (const { name, errorCode: code, errorMessage } of answer.topics) {
      // Somebody else was faster.
      if (code === errorCode.none || errorName(code) === 'TOPIC_ALREADY_EXISTS') continue
      const reason = errorMessage === null || errorMessage === '' ? '' : ` (${errorMessage})`
      throw new KafkaRefusal(code, `creating topic ${name}${reason}`)
    }
    return missing.map(({ name }) => name)
  }

  /** One past the last record of each partition, by topic; a topic or partition that cannot be asked for now is left out. */
  async ends(topics: readonly string[]): Promise<Map<string, Map<number, number>>> {
    const found = await this.#cluster.topics(topics)
    const infos = [...found.values()].filter((info): info is TopicInfo => typeof info !== 'number')
    const ends = new Map<string, Map<number, number>>()
    for (const info of infos) {
      const wanted = new Map([...info.partitions.keys()].map(partition => [partition, listAt.latest]))
      const answers = [...(await listOffsets(this.#cluster, info, wanted))]
      const known = answers.flatMap(([partition, end]) => (typeof end === 'number' ? [[partition, end] as const] : []))
      ends.set(info.name, new Map(known))
    }
    return ends
  }

  close(): Promise<void> {
    return this.#cluster.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** It is there, but its leader is not at the moment. */
const isPassing = (code: number): boolean => code === errorCode.leaderNotAvailable
