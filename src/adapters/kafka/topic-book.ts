import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Cluster, TopicInfo } from './cluster.ts'
import { errorCode, KafkaRefusal } from './problems.ts'
import { retryDelayMs } from './retry-delay.ts'

export interface TopicBookDeps {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Log
  /** The metadata was read. */
  readonly read: (topic: string) => void
  /** It could not be read, and will be tried again when it is asked for again. */
  readonly failed: (topic: string, error: Error) => void
  /** The cluster does not have it, or does not show it to us, and waiting longer is of no use. */
  readonly refused: (topic: string, code: number) => void
}

interface Page {
  info: TopicInfo | undefined
  stale: boolean
  readAtMs: number
  reading: boolean
  retryAtMs: number
  /** Failures in a row. */
  tries: number
  /** Since when the cluster says that there is no such topic. */
  absentSinceMs: number | undefined
}

const maxAgeMs = 60_000
/** Brokers learn of a new topic one after the other. */
const absenceGraceMs = 2000

/** Metadata of topics, read when somebody asks for it: a producer that has nothing to send asks nothing. */
export class TopicBook {
  readonly #deps: TopicBookDeps
  readonly #pages = new Map<string, Page>()

  constructor(deps: TopicBookDeps) {
    this.#deps = deps
  }

  /** As last read, however old; what is older than a minute, or stale, is read anew meanwhile. */
  look(topic: string): TopicInfo | undefined {
    const page = this.#page(topic)
    const nowMs = this.#deps.clock.monotonicMs()
    const wanted = page.info === undefined || page.stale || nowMs - page.readAtMs > maxAgeMs
    if (wanted && !page.reading && page.retryAtMs <= nowMs) void this.#read(topic, page)
    return page.info
  }

  /** When to look again, monotonic; undefined: what is being read will tell by itself, or nothing is to be read. */
  retryAtMs(topic: string): number | undefined {
    const page = this.#page(topic)
    return !page.reading && (page.info === undefined || page.stale) ? page.retryAtMs : undefined
  }

  /** Somebody met a stale leader, or knows none. */
  outdated(topic: string): void {
    this.#page(topic).stale = true
  }

  #page(topic: string): Page {
    let page = this.#pages.get(topic)
    if (page === undefined) {
      const never = { info: undefined, readAtMs: 0, absentSinceMs: undefined }
      this.#pages.set(topic, (page = { ...never, stale: false, reading: false, retryAtMs: 0, tries: 0 }))
    }
    return page
  }

  async #read(topic: string, page: Page): Promise<void> {
    const { cluster, clock, log } = this.#deps
    page.reading = true
    let failure: Error | undefined
    try {
      const found = (await cluster.topics([topic])).get(topic) ?? errorCode.unknownTopicOrPartition
      if (typeof found === 'number') failure = new KafkaRefusal(found, `topic ${topic}`)
      else this.#write(page, found)
    } catch (error) {
      failure = error as Error
    }
    page.reading = false
    if (failure === undefined) return this.#deps.read(topic)
    page.retryAtMs = clock.monotonicMs() + retryDelayMs(page.tries, clock.chance(), 100, 2000)
    page.tries++
    log.debug({ topic, error: failure.message }, 'cannot read the metadata of the topic yet')
    if (failure instanceof KafkaRefusal && this.#final(failure.code, page)) {
      this.#pages.delete(topic)
      this.#deps.refused(topic, failure.code)
    } else this.#deps.failed(topic, failure)
  }

  #write(page: Page, info: TopicInfo): void {
    const { clock } = this.#deps
    const nowMs = clock.monotonicMs()
    page.info = info
    page.readAtMs = nowMs
    page.absentSinceMs = undefined
    page.stale = [...info.partitions.values()].some(({ leader }) => leader < 0)
    page.tries = page.stale ? page.tries + 1 : 0
    // Leaders change within seconds, and many may ask for the same news.
    page.retryAtMs = nowMs + retryDelayMs(page.tries, clock.chance(), 100, 2000)
  }

  #final(code: number, page: Page): boolean {
    if (code === errorCode.topicAuthorizationFailed || code === errorCode.invalidTopic) return true
    if (code !== errorCode.unknownTopicOrPartition && code !== errorCode.unknownTopicId) return false
    const nowMs = this.#deps.clock.monotonicMs()
    page.absentSinceMs ??= nowMs
    return nowMs - page.absentSinceMs >= absenceGraceMs
  }
}
