import { apis, callRaw, newestShared } from './apis.ts'
import type { Slot } from './broker-polls.ts'
import type { Lease } from './buffer-pool.ts'
import { noTopicId } from './cluster.ts'
import type { Cluster, TopicInfo } from './cluster.ts'
import { parseFetchResponse } from './fetch-response.ts'
import type { FetchedPartition } from './fetch-response.ts'
import { FetchSession, sessionless } from './fetch-session.ts'
import type { PartitionQuestion } from './fetch-session.ts'
import { errorCode, KafkaRefusal, MalformedResponse } from './problems.ts'
import type { Wire } from './wire.ts'

/** One Fetch: about partitions of one topic, to one broker. */
export interface FetchCall {
  readonly node: number
  readonly slot: Slot
  readonly topic: TopicInfo
  readonly questions: readonly PartitionQuestion[]
  /** How long the broker may wait for data. */
  readonly waitMs: number
  readonly maxBytes: number
  /** The answer may come this much later than `waitMs`. */
  readonly timeoutMs: number
  /** Empty: none of our business. */
  readonly rack: string
}

/** The lease is the caller's to release. */
export interface FetchAnswer {
  readonly partitions: readonly FetchedPartition[]
  /** Partitions of which nothing is said are as they were. */
  readonly incremental: boolean
  readonly body: Buffer
  readonly lease: Lease
}

const readCommitted = 1

const fetchByName = {
  ...apis.fetch,
  codecs: new Map([...apis.fetch.codecs].filter(([version]) => version < 13))
}

/** Sends fetches, in a session where their connection has one. */
export class FetchExchange {
  readonly #cluster: Cluster
  /** They end with their connections. */
  readonly #sessions = new WeakMap<Wire, FetchSession>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /**
   * Undefined: the broker has lost the session, the same is to be asked again. Rejects with BrokerUnreachable,
   * MalformedResponse, or KafkaRefusal when the whole request is refused.
   */
  async send(call: FetchCall): Promise<FetchAnswer | undefined> {
    const { topic, waitMs, rack } = call
    const wire = await this.#cluster.wireTo(call.node, call.slot)
    const offered = this.#cluster.offered(wire)
    // From version 13 on topics go by their id.
    const codec = newestShared(topic.id === noTopicId ? fetchByName : apis.fetch, offered)
    const topicKey = codec.version >= 13 ? topic.id : topic.name
    // A broker keeps a thousand sessions or so for everybody: none for polls that are short anyway.
    const session = call.slot === 'fetch' ? this.#sessionOn(wire) : undefined
    const turn = session?.next(topicKey, call.questions) ?? { ...sessionless, questions: call.questions }
    const { sessionId, sessionEpoch, incremental } = turn
    const asked = topicsOf(topicKey, turn.questions.map(encode))
    const forgotten = topicsOf(topicKey, turn.forgotten)
    const { body, lease } = await callRaw(
      wire,
      codec,
      [waitMs, 1, call.maxBytes, readCommitted, sessionId, sessionEpoch, asked, forgotten, rack],
      waitMs + call.timeoutMs
    )
    try {
      const response = parseFetchResponse(body, codec.version)
      if (response.errorCode === errorCode.none) {
        session?.answered(response.sessionId)
        const partitions = response.partitions.filter(each => each.topic === topicKey)
        lease.retain()
        return { partitions, incremental, body, lease }
      }
      // Who asks for a new session is not told that it is lost: then something else is wrong.
      if (session?.refused(response.errorCode) === true && incremental) return undefined
      throw new KafkaRefusal(response.errorCode, `fetching from ${wire.address}`)
    } catch (error) {
      if (error instanceof MalformedResponse) wire.close(error.message)
      throw error
    } finally {
      lease.release()
    }
  }

  #sessionOn(wire: Wire): FetchSession {
    let session = this.#sessions.get(wire)
    if (session === undefined) this.#sessions.set(wire, (session = new FetchSession()))
    return session
  }
}

const encode = ({ partition, leaderEpoch, offset, maxBytes }: PartitionQuestion) => ({
  partition,
  currentLeaderEpoch: leaderEpoch,
  fetchOffset: BigInt(offset),
  // What brokers compare for each other; consumers ask by OffsetForLeaderEpoch, once per leader.
  lastFetchedEpoch: -1,
  partitionMaxBytes: maxBytes
})

/** A request is about one topic, or says nothing about any. */
const topicsOf = <T>(topicId: string, partitions: readonly T[]) =>
  partitions.length === 0 ? [] : [{ topicId, partitions: [...partitions] }]
