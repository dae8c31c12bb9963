import { randomUUID } from 'node:crypto'
import { describeConfigsV4 } from '@platformatic/kafka'
import type { Clock } from '../../ports/clock.ts'
import { apis, call } from './apis.ts'
import { openClientCluster } from './client-cluster.ts'
import type { ClientClusterOptions, ClientDeps } from './client-cluster.ts'
import type { BrokerAddress, Cluster } from './cluster.ts'
import { errorCode, KafkaRefusal } from './problems.ts'
import { encodeSubscription } from './subscription.ts'

/** Operations of ACLs, as the bits of a broker's answer are numbered. */
const operationBits = { Read: 3, Write: 4, Describe: 8 } as const
export type TopicOperation = keyof typeof operationBits

export interface ProbedTopic {
  readonly partitions: number
  /** Partitions without a leader at the moment. */
  readonly leaderless: readonly number[]
  /** What we may do with it; undefined: the broker does not tell. */
  readonly allowed: ReadonlySet<TopicOperation> | undefined
}

/** What brokers older than Kafka 2.3 answer, and those that were not asked. */
const untold = -2_147_483_648
const probeSessionMs = 10_000
const passing: ReadonlySet<number> = new Set([errorCode.coordinatorNotAvailable, errorCode.coordinatorLoadInProgress])
const pauseMs = 250
const mostTries = 16

/**
 * Asks a cluster, as a mapping would, what it lets us do, and changes nothing: it writes no record, commits no offset and
 * takes part in no group but one of its own. Everything rejects with BrokerUnreachable or KafkaRefusal.
 */
export class ClusterProbe implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #clientId: string
  readonly #clock: Clock

  constructor(options: ClientClusterOptions, deps: ClientDeps) {
    this.#clientId = options.clientId
    this.#clock = deps.clock
    this.#cluster = openClientCluster(options, deps)
  }

  /** Gets up to where requests are answered. Resolves with who it was and how many of Kafka's APIs it offers. */
  async open(): Promise<{ readonly broker: string; readonly apiCount: number }> {
    const wire = await this.#cluster.anyWire()
    return { broker: wire.address, apiCount: this.#cluster.offered(wire).size }
  }

  /** Brokers as the cluster names them, by node id. */
  async brokers(): Promise<ReadonlyMap<number, BrokerAddress>> {
    await this.#cluster.topics([])
    return this.#cluster.brokers
  }

  /** Connects to one of them as fetches do. */
  async reach(broker: BrokerAddress): Promise<void> {
    await this.#cluster.wire(broker, 'fetch')
  }

  async topic(name: string): Promise<ProbedTopic> {
    const wire = await this.#cluster.anyWire()
    const { topics } = await this.#cluster.call(wire, apis.metadata, [[name], false, true])
    const [topic] = topics
    const code = topic?.errorCode ?? errorCode.unknownTopicOrPartition
    if (topic === undefined || code !== errorCode.none) throw new KafkaRefusal(code, `topic ${name}`, wire.address)
    const told = (topic.topicAuthorizedOperations as number | undefined) ?? untold
    return {
      partitions: topic.partitions.length,
      leaderless: topic.partitions.filter(({ leaderId }) => leaderId < 0).map(({ partitionIndex }) => partitionIndex),
      allowed: told === untold ? undefined : operationsOf(told)
    }
  }

  /** Needs Describe on the group. Resolves with who coordinates it. */
  async coordinator(groupId: string): Promise<BrokerAddress> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.#cluster.coordinator(groupId)
      } catch (error) {
        // The first group of a cluster has its coordinator only when the topic of offsets is there.
        if (!(error instanceof KafkaRefusal) || !passing.has(error.code) || tries >= mostTries) throw error
      }
      await new Promise<void>(resolve => this.#clock.after(pauseMs, resolve))
    }
  }

  /**
   * Needs Read on the group. A heartbeat of somebody who is not in it is refused by a broker that would let us join, and
   * refused otherwise by one that would not; the group does not notice.
   */
  async mayJoin(groupId: string): Promise<void> {
    const wire = await this.#cluster.wire(await this.coordinator(groupId), 'group')
    const answer = await this.#cluster.call(wire, apis.heartbeat, [groupId, 0, 'millrace-doctor', null])
    if (answer.errorCode === errorCode.groupAuthorizationFailed)
      throw new KafkaRefusal(answer.errorCode, `consumer group ${groupId}`, wire.address)
  }

  /** Joins a group that nobody else is in, and leaves it: brokers forget it then. */
  async joinOwnGroup(topic: string): Promise<string> {
    const groupId = `${this.#clientId}-${randomUUID()}`
    const wire = await this.#cluster.wire(await this.coordinator(groupId), 'group')
    const protocol = { name: 'cooperative-sticky', metadata: encodeSubscription(topic, [], -1) }
    const join = (memberId: string) =>
      this.#cluster.call(wire, apis.joinGroup, [
        groupId,
        probeSessionMs,
        probeSessionMs,
        memberId,
        null,
        'consumer',
        [protocol],
        null
      ])
    const first = await join('')
    const joined = first.errorCode === errorCode.memberIdRequired ? await join(first.memberId ?? '') : first
    if (joined.errorCode !== errorCode.none)
      throw new KafkaRefusal(joined.errorCode, `joining group ${groupId}`, wire.address)
    const member = { memberId: joined.memberId ?? '', groupInstanceId: null, reason: 'it was a trial' }
    await this.#cluster.call(wire, apis.leaveGroup, [groupId, [member]])
    return groupId
  }

  /** Whether DescribeConfigs on the cluster is ours; undefined: the broker is too old to be asked. */
  async mayDescribeConfigs(): Promise<boolean | undefined> {
    const wire = await this.#cluster.anyWire()
    const [node] = (await this.brokers()).keys()
    const codec = describeConfigsV4.api
    const offered = this.#cluster.offered(wire).get(codec.key)
    if (node === undefined || offered === undefined || offered.max < codec.version) return undefined
    const resource = { resourceType: brokerResource, resourceName: String(node), configurationKeys: [] }
    const { results } = await call(wire, codec, [[resource], false, false], 5000)
    const code = results[0]?.errorCode ?? errorCode.none
    if (code === errorCode.clusterAuthorizationFailed) return false
    if (code === errorCode.none) return true
    throw new KafkaRefusal(code, 'asking for the configuration of a broker', wire.address)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.close()
  }
}

/** Kafka's number of a broker among the resources that have a configuration. */
const brokerResource = 4 as const

function operationsOf(bits: number): ReadonlySet<TopicOperation> {
  const names = Object.keys(operationBits) as TopicOperation[]
  return new Set(names.filter(name => ((bits >> operationBits[name]) & 1) === 1))
}
