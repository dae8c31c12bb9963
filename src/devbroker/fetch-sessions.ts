import { KafkaError } from './error-codes.ts'

/** What a client asks of one partition. */
export interface AskedPartition {
  readonly partition: number
  readonly currentLeaderEpoch: number
  readonly fetchOffset: number
  readonly partitionMaxBytes: number
}

/** By name up to version 12, by id from 13 on. */
export interface OfTopic<Partition> {
  readonly topic: string
  readonly topicId: string
  readonly partitions: readonly Partition[]
}

interface SessionRequest {
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly topics: readonly OfTopic<AskedPartition>[]
  readonly forgottenTopics: readonly OfTopic<number>[]
}

/** What is told of a partition without records. */
export interface ToldPartition {
  readonly partitionIndex: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset?: number
  readonly records: readonly Buffer[]
}

/** One partition of a session: what was asked last, and which ends of its log were told. */
interface Cached {
  readonly topic: string
  readonly topicId: string
  readonly asked: AskedPartition
  told: string
}

/** How one request is served. */
export interface SessionTurn {
  /** 0: none. */
  readonly sessionId: number
  readonly topics: readonly OfTopic<AskedPartition>[]
  /** What goes into the answer. */
  news<Told extends ToldPartition>(topics: readonly OfTopic<Told>[]): readonly OfTopic<Told>[]
}

const initialEpoch = 0
const finalEpoch = -1
/** As many as Kafka keeps unless told otherwise; the one that was used longest ago goes first. */
const maxSessions = 1000

class Session {
  readonly id: number
  /** Which request it expects next. */
  epoch = 1
  readonly #byId: boolean
  /** In the order in which they are served: whoever got records goes to the end. */
  readonly #cached = new Map<string, Cached>()

  constructor(id: number, byId: boolean) {
    this.id = id
    this.#byId = byId
  }

  ask(topics: readonly OfTopic<AskedPartition>[]): void {
    for (const { topic, topicId, partitions } of topics)
      for (const asked of partitions) {
        const key = this.#key(topic, topicId, asked.partition)
        // What is asked anew is answered anew.
        this.#cached.set(key, { topic, topicId, asked, told: this.#cached.get(key)?.told ?? '' })
      }
  }

  forget(topics: readonly OfTopic<number>[]): void {
    for (const { topic, topicId, partitions } of topics)
      for (const partition of partitions) this.#cached.delete(this.#key(topic, topicId, partition))
  }

  get topics(): readonly OfTopic<AskedPartition>[] {
    const topics: { topic: string; topicId: string; partitions: AskedPartition[] }[] = []
    for (const { topic, topicId, asked } of this.#cached.values()) {
      const last = topics.at(-1)
      if (last?.topic === topic && last.topicId === topicId) last.partitions.push(asked)
      else topics.push({ topic, topicId, partitions: [asked] })
    }
    return topics
  }

  /** Remembers what is told; answers with what was not told before. */
  news<Told extends ToldPartition>(topics: readonly OfTopic<Told>[]): readonly OfTopic<Told>[] {
    return topics
      .map(each => ({ ...each, partitions: each.partitions.filter(told => this.#isNews(each, told)) }))
      .filter(({ partitions }) => partitions.length > 0)
  }

  #isNews({ topic, topicId }: OfTopic<unknown>, partition: ToldPartition): boolean {
    const key = this.#key(topic, topicId, partition.partitionIndex)
    const cached = this.#cached.get(key)
    if (cached === undefined) return true
    const { errorCode, highWatermark, logStartOffset, records } = partition
    const told = errorCode === 0 ? `${highWatermark} ${logStartOffset}` : ''
    const isNews = errorCode !== 0 || records.length > 0 || told !== cached.told
    cached.told = told
    if (records.length > 0) {
      this.#cached.delete(key)
      this.#cached.set(key, cached)
    }
    return isNews
  }

  #key(topic: string, topicId: string, partition: number): string {
    return `${this.#byId ? topicId : topic} ${partition}`
  }
}

/**
 * Fetch sessions (KIP-227): the broker remembers what a client asked for, so that the next request says only what has
 * changed, and its answer as well.
 */
export class FetchSessions {
  /** The one used longest ago first. */
  readonly #sessions = new Map<number, Session>()
  readonly #newId: () => number

  constructor(newId: () => number = () => 1 + Math.floor(Math.random() * 0x7fff_fffe)) {
    this.#newId = newId
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Throws when the request is about a session that is not there, or is not the one it expects next. */
  turn({ sessionId, sessionEpoch, topics, forgottenTopics }: SessionRequest, byId: boolean): SessionTurn {
    if (sessionEpoch === finalEpoch || sessionEpoch === initialEpoch) {
      this.#sessions.delete(sessionId)
      if (sessionEpoch === finalEpoch) return { sessionId: 0, topics, news: told => told }
      const session = this.#open(byId)
      session.ask(topics)
      return {
        sessionId: session.id,
        topics,
        news: told => {
          session.news(told)
          return told
        }
      }
    }
    const session = this.#sessions.get(sessionId)
    if (session === undefined) throw new KafkaError('FETCH_SESSION_ID_NOT_FOUND')
    if (session.epoch !== sessionEpoch) throw new KafkaError('INVALID_FETCH_SESSION_EPOCH')
    session.epoch = sessionEpoch === 0x7fff_ffff ? 1 : sessionEpoch + 1
    this.#sessions.delete(sessionId)
    this.#sessions.set(sessionId, session)
    session.forget(forgottenTopics)
    session.ask(topics)
    return { sessionId, topics: session.topics, news: told => session.news(told) }
  }

  /** As a broker does that starts again. */
  clear(): void {
    this.#sessions.clear()
  }

  #open(byId: boolean): Session {
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size < maxSessions) break
      this.#sessions.delete(oldest)
    }
    let id = this.#newId()
    while (this.#sessions.has(id)) id = this.#newId()
    const session = new Session(id, byId)
    this.#sessions.set(id, session)
    return session
  }
}
