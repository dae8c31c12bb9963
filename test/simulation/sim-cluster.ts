import { type ApiFamily, apis, type OfferedVersions } from '../../src/adapters/kafka/apis.ts'
import type { BrokerAddress, Cluster, TopicInfo, WireUse } from '../../src/adapters/kafka/cluster.ts'
import { listAt } from '../../src/adapters/kafka/offsets.ts'
import { BrokerUnreachable, errorCode, KafkaRefusal } from '../../src/adapters/kafka/problems.ts'
import { decodeMember, encodeAssignment } from '../../src/adapters/kafka/subscription.ts'
import type { Wire } from '../../src/adapters/kafka/wire.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { CommitOffset } from '../../src/ports/consumer.ts'
import type { Broker } from './broker.ts'
import { ClassicGroup } from './classic-group.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { brokers } from './coordinator.ts'
import type { Network } from './network.ts'
import { topic } from './sim-block.ts'
import type { Life } from './virtual-time.ts'

export interface SimClusterDeps {
  readonly name: string
  readonly broker: Broker
  readonly network: Network
  readonly life: Life
  readonly clock: Clock
  /** The commit that a request means: the checker knows it by identity. */
  readonly commitOf: (partition: number, offset: number, metadata: string) => CommitOffset
  /** The coordinator has answered what the member said at `sentMs`. */
  readonly answered: (code: number, sentMs: number) => void
  readonly commitAnswered: (code: number) => void
}

type RequestOf<F> = F extends ApiFamily<infer Request, unknown> ? Request : never
type Reply = (answer: unknown) => void

interface CommittedTopic {
  readonly partitions: readonly { readonly errorCode: number }[]
}

/** A connection: to whom it is and what for, and who waits for an answer on it. */
class SimWire {
  readonly node: number
  readonly use: WireUse
  readonly waiting = new Set<(error: Error) => void>()
  broken = false

  constructor(node: number, use: WireUse) {
    this.node = node
    this.use = use
  }

  break(reason: string): void {
    this.broken = true
    for (const reject of this.waiting) reject(new BrokerUnreachable(`${this.node}`, reason))
    this.waiting.clear()
  }
}

const topicId = '00000000-0000-4000-8000-000000000001'
const requestTimeoutMs = 600

const asWire = (wire: SimWire): Wire => wire as unknown as Wire

/** The nodes' addresses are their numbers. */
const addressOf = (node: number): BrokerAddress => ({ host: 'broker', port: node })

/**
 * `src/adapters/kafka/cluster.ts` over a simulated network: what members, committer and starter ask of it, they ask a model
 * of Kafka. Requests and answers are the real ones, but are not encoded; a connection that has not answered in time is
 * broken, as `wire.ts` does it. Who asks for the coordinator or for offsets of a log finds a broker that answers.
 */
export class SimCluster {
  readonly #deps: SimClusterDeps
  readonly #wires = new Map<string, Promise<SimWire>>()
  #closed = false

  constructor(deps: SimClusterDeps) {
    this.#deps = deps
  }

  /** As the adapters take it. */
  get asCluster(): Cluster {
    return this as unknown as Cluster
  }

  get topic(): TopicInfo {
    const { logs } = this.#deps.broker
    const partitions = new Map(
      logs.map(({ partition }) => [partition, { leader: partition % brokers, leaderEpoch: 0 }])
    )
    return { name: topic, id: topicId, partitions }
  }

  topics(): Promise<Map<string, TopicInfo>> {
    return this.#send(requestTimeoutMs, reply => reply(new Map([[topic, this.topic]])))
  }

  async coordinator(groupId: string): Promise<BrokerAddress> {
    const { broker } = this.#deps
    const ask = (reply: (found: ReturnType<typeof broker.coordinator.find>) => void) => reply(broker.coordinator.find())
    const { code, node } = await this.#send(requestTimeoutMs, ask)
    if (code !== errorCode.none) throw new KafkaRefusal(code, `finding the coordinator of group ${groupId}`)
    return addressOf(node)
  }

  async wire({ port: node }: BrokerAddress, use: WireUse): Promise<Wire> {
    if (this.#closed) throw new Error('the connections to the cluster are closed')
    const key = `${use}@${node}`
    const open = this.#wires.get(key)
    if (open === undefined) {
      const opening = this.#open(node, use)
      this.#wires.set(key, opening)
      opening.catch(() => {
        if (this.#wires.get(key) === opening) this.#wires.delete(key)
      })
      return asWire(await opening)
    }
    const wire = await open
    if (!wire.broken) return asWire(wire)
    if (this.#wires.get(key) === open) this.#wires.delete(key)
    return this.wire({ host: '', port: node }, use)
  }

  wireTo(node: number, use: WireUse): Promise<Wire> {
    return this.wire(addressOf(node), use)
  }

  /** Brokers that know groups of the protocol `consumer` may have been told to have none. */
  offered(): OfferedVersions {
    const isOffered = this.#deps.broker.group instanceof ConsumerGroup
    return new Map(isOffered ? [[apis.consumerGroupHeartbeat.key, { min: 0, max: 1 }]] : [])
  }

  drop(use: WireUse): void {
    for (const [key, opening] of this.#wires) {
      if (!key.startsWith(`${use}@`)) continue
      this.#wires.delete(key)
      void opening.then(wire => wire.break('the connection was closed')).catch(() => undefined)
    }
  }

  close(): void {
    this.#closed = true
    for (const key of this.#wires.keys()) this.drop(key.split('@')[0] as WireUse)
  }

  async call<Request extends unknown[], Response>(
    over: Wire,
    family: ApiFamily<Request, Response>,
    request: Request,
    timeoutMs = requestTimeoutMs
  ): Promise<Response> {
    const wire = over as unknown as SimWire
    const { node, use } = wire
    const { broker, clock, answered, commitAnswered } = this.#deps
    const sentMs = clock.monotonicMs()
    const answer = await this.#ask<Response>(wire, timeoutMs, reply =>
      this.#serve(node, family.key, request, reply as Reply)
    )
    // What it had taken it may have taken all the same.
    if (use !== 'control' && broker.coordinator.isSilent(node)) {
      wire.break('the connection was broken')
      throw new BrokerUnreachable(`${node}`, 'the connection was broken')
    }
    if (family.key === apis.offsetCommit.key)
      commitAnswered((answer as { topics: CommittedTopic[] }).topics[0]!.partitions[0]!.errorCode)
    if (use === 'group') answered((answer as { errorCode: number }).errorCode, sentMs)
    return answer
  }

  async #open(node: number, use: WireUse): Promise<SimWire> {
    const { coordinator } = this.#deps.broker
    await this.#send<undefined>(requestTimeoutMs, reply => {
      if (use === 'control' || !coordinator.isSilent(node)) reply(undefined)
    })
    const wire = new SimWire(node, use)
    if (this.#closed) wire.break('the connections to the cluster are closed')
    return wire
  }

  #ask<T>(wire: SimWire, timeoutMs: number, serve: (reply: (answer: T) => void) => void): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    if (wire.broken) return Promise.reject(new BrokerUnreachable(`${wire.node}`, 'the connection is closed'))
    wire.waiting.add(reject)
    this.#send(timeoutMs, serve).then(
      answer => {
        wire.waiting.delete(reject)
        resolve(answer)
      },
      () => wire.break('no answer')
    )
    return promise
  }

  #send<T>(timeoutMs: number, serve: (reply: (answer: T) => void) => void): Promise<T> {
    return this.#deps.network.call(this.#deps.life, serve, timeoutMs)
  }

  // ---- at the other end

  #serve(node: number, key: number, request: readonly unknown[], reply: Reply): void {
    if (key === apis.listOffsets.key) return reply(this.#listOffsets(request as RequestOf<typeof apis.listOffsets>))
    const code = this.#deps.broker.coordinator.admits(node)
    if (code === undefined) return
    switch (key) {
      case apis.joinGroup.key:
        return this.#join(request as RequestOf<typeof apis.joinGroup>, code, reply)
      case apis.syncGroup.key:
        return reply(this.#sync(request as RequestOf<typeof apis.syncGroup>, code))
      case apis.heartbeat.key:
        return reply(this.#heartbeat(request as RequestOf<typeof apis.heartbeat>, code))
      case apis.leaveGroup.key:
        return reply(this.#leave(request as RequestOf<typeof apis.leaveGroup>, code))
      case apis.consumerGroupHeartbeat.key:
        return reply(this.#consumerHeartbeat(request as RequestOf<typeof apis.consumerGroupHeartbeat>, code))
      case apis.offsetCommit.key:
        return this.#commit(request as RequestOf<typeof apis.offsetCommit>, code, reply)
      case apis.offsetFetch.key:
        return reply(this.#committed(request as RequestOf<typeof apis.offsetFetch>, code))
      default:
        throw new Error(`no model of Kafka's API ${key}`)
    }
  }

  get #classic(): ClassicGroup {
    const { group } = this.#deps.broker
    if (group instanceof ClassicGroup) return group
    throw new Error('the group speaks the protocol consumer')
  }

  get #consumer(): ConsumerGroup {
    const { group } = this.#deps.broker
    if (group instanceof ConsumerGroup) return group
    throw new Error('the group speaks the classic protocol')
  }

  #join(
    [, , rebalanceTimeoutMs, id, , , protocols]: RequestOf<typeof apis.joinGroup>,
    refused: number,
    reply: Reply
  ): void {
    const told = (code: number, memberId: string, generationId: number) =>
      // Somebody else leads.
      reply({ errorCode: code, memberId, generationId, leader: 'another', members: [] })
    if (refused !== errorCode.none) return told(refused, id ?? '', -1)
    const said = decodeMember(id ?? '', protocols[0]!.metadata as Buffer)
    const claims = said.owned.get(topic) ?? []
    this.#classic.join(this.#deps.name, id ?? '', claims, said.generation, rebalanceTimeoutMs, answer =>
      told(answer.code, answer.memberId, answer.generation)
    )
  }

  #sync([, generation, memberId]: RequestOf<typeof apis.syncGroup>, refused: number) {
    if (refused !== errorCode.none) return { errorCode: refused, assignment: Buffer.alloc(0) }
    const { code, partitions } = this.#classic.sync(memberId, generation)
    return { errorCode: code, assignment: encodeAssignment(new Map([[topic, [...partitions]]])) }
  }

  #heartbeat([, generation, memberId]: RequestOf<typeof apis.heartbeat>, refused: number) {
    return { errorCode: refused === errorCode.none ? this.#classic.heartbeat(memberId, generation) : refused }
  }

  #leave([, members]: RequestOf<typeof apis.leaveGroup>, refused: number) {
    const [member] = members ?? []
    return { errorCode: refused === errorCode.none ? this.#classic.leave(member!.memberId) : refused }
  }

  #consumerHeartbeat(request: RequestOf<typeof apis.consumerGroupHeartbeat>, refused: number) {
    const [, memberId, epoch, , , rebalanceTimeoutMs, , , , topics] = request
    const group = this.#consumer
    const { heartbeatIntervalMs } = group
    const answer = (code: number, memberEpoch: number, partitions: readonly number[]) => {
      const assignment = { topicPartitions: [{ topicId, partitions }] }
      return { errorCode: code, errorMessage: null, memberId, memberEpoch, heartbeatIntervalMs, assignment }
    }
    if (refused !== errorCode.none) return answer(refused, epoch, [])
    const owned = topics?.flatMap(({ partitions }) => partitions) ?? []
    const { name: owner } = this.#deps
    const told = group.heartbeat({ owner, memberId, epoch, rebalanceTimeoutMs, owned })
    return answer(told.code, told.epoch, told.assigned)
  }

  #commit(
    [, generation, memberId, , topics]: RequestOf<typeof apis.offsetCommit>,
    refused: number,
    reply: Reply
  ): void {
    const { broker, name, commitOf } = this.#deps
    const { partitions } = topics[0]!
    const offsets = partitions.map(({ partitionIndex, committedOffset, committedMetadata }) =>
      commitOf(partitionIndex, Number(committedOffset), committedMetadata ?? '')
    )
    const code = refused === errorCode.none ? broker.commit(name, memberId, generation, offsets) : refused
    const answers = partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code }))
    if (!broker.forgetsAnswers) reply({ topics: [{ name: topic, partitions: answers }] })
  }

  #committed([groups]: RequestOf<typeof apis.offsetFetch>, refused: number) {
    const { broker } = this.#deps
    const [{ memberId, memberEpoch, topics }] = groups as [(typeof groups)[number]]
    const code = refused === errorCode.none ? broker.group.mayRead(memberId ?? null, memberEpoch) : refused
    const partitions = (topics?.[0]?.partitionIndexes ?? []).map(partitionIndex => {
      const { offset, metadata } = broker.logs[partitionIndex]!.commit
      return { partitionIndex, committedOffset: BigInt(offset), committedLeaderEpoch: -1, metadata, errorCode: 0 }
    })
    return { groups: [{ errorCode: code, topics: code === errorCode.none ? [{ name: topic, partitions }] : [] }] }
  }

  /** As who reads what is committed sees it. */
  #listOffsets([, , topics]: RequestOf<typeof apis.listOffsets>) {
    const { logs } = this.#deps.broker
    const partitions = topics[0]!.partitions.map(({ partitionIndex, timestamp }) => {
      const { start, stable } = logs[partitionIndex]!
      const offset = BigInt(Number(timestamp) === listAt.latest ? stable : start)
      return { partitionIndex, errorCode: 0, offset, timestamp: -1n, leaderEpoch: -1 }
    })
    return { topics: [{ name: topic, partitions }] }
  }
}
