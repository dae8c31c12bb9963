import { errorCode } from './problems.ts'

/** What a Fetch asks of one partition. */
export interface PartitionQuestion {
  readonly partition: number
  /** As the metadata has it; -1: not known, the broker does not compare. */
  readonly leaderEpoch: number
  readonly offset: number
  readonly maxBytes: number
}

/** How one request takes part in the session. */
export interface SessionTurn {
  readonly sessionId: number
  readonly sessionEpoch: number
  /** All partitions, or those of which the broker knows something else. */
  readonly questions: readonly PartitionQuestion[]
  /** Partitions that the broker shall not answer about any more. */
  readonly forgotten: readonly number[]
  /** The broker answers only where there is something to say. */
  readonly incremental: boolean
}

/** Of a request that takes part in no session. */
export const sessionless = { sessionId: 0, sessionEpoch: -1, forgotten: [], incremental: false } as const

const lastEpoch = 0x7fff_ffff

/**
 * A fetch session (KIP-227) on one connection: the broker remembers what was asked, so that a request says, and an answer
 * brings, only what has changed. It lives as long as the connection: who makes a new one begins a new session.
 *
 * full         the next request names every partition, and asks for a session → incremental
 * incremental  the next request names what changed                            → full
 */
export class FetchSession {
  #id = 0
  /** Of the next request; 0 asks for a new session, and ends the one whose id goes with it. */
  #epoch = 0
  #topic = ''
  #known: ReadonlyMap<number, PartitionQuestion> = new Map()

  /** The next request of the connection. `topic`: name or id, as the request will say it. */
  next(topic: string, questions: readonly PartitionQuestion[]): SessionTurn {
    if (topic !== this.#topic) this.#epoch = 0
    const before = this.#known
    this.#topic = topic
    this.#known = new Map(questions.map(each => [each.partition, each]))
    const turn = { sessionId: this.#id, sessionEpoch: this.#epoch }
    if (this.#epoch === 0) return { ...turn, questions, forgotten: [], incremental: false }
    return {
      ...turn,
      questions: questions.filter(each => !isSame(each, before.get(each.partition))),
      forgotten: [...before.keys()].filter(partition => !this.#known.has(partition)),
      incremental: true
    }
  }

  /** Answered without an error of the whole. Session 0: the broker keeps none for us, so everything is said every time. */
  answered(sessionId: number): void {
    this.#id = sessionId
    if (sessionId === 0) this.#epoch = 0
    else this.#epoch = this.#epoch === lastEpoch ? 1 : this.#epoch + 1
  }

  /** True when the error is about the session: it begins anew with the next request. */
  refused(code: number): boolean {
    switch (code) {
      case errorCode.fetchSessionIdNotFound:
        this.#id = 0
        break
      case errorCode.invalidFetchSessionEpoch:
      case errorCode.fetchSessionTopicIdError:
        break
      default:
        return false
    }
    this.#epoch = 0
    return true
  }
}

const isSame = (a: PartitionQuestion, b: PartitionQuestion | undefined): boolean =>
  b !== undefined && a.offset === b.offset && a.leaderEpoch === b.leaderEpoch && a.maxBytes === b.maxBytes
