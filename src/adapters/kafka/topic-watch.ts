import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { noTopicId } from './cluster.ts'
import type { Cluster, TopicInfo } from './cluster.ts'
import { errorCode, KafkaRefusal, problemOf } from './problems.ts'
import type { ProblemBoard } from './problems.ts'
import { retryDelayMs } from './retry-delay.ts'
import { Waiter } from './waiter.ts'

export interface TopicWatchDeps {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Log
  readonly problems: ProblemBoard
  /** The metadata was read again, whether or not it differs. */
  readonly changed: (topic: TopicInfo) => void
}

/** Keeps the topic's metadata fresh: now and then, and at once when somebody met a stale leader. */
export class TopicWatch {
  readonly #name: string
  readonly #maxAgeMs: number
  readonly #deps: TopicWatchDeps
  readonly #wait: Waiter
  #topic: TopicInfo | undefined
  #absences = 0
  readonly #pause: Waiter
  #stopped = false
  #done: Promise<void> = Promise.resolve()

  constructor(name: string, maxAgeMs: number, deps: TopicWatchDeps) {
    this.#name = name
    this.#maxAgeMs = maxAgeMs
    this.#deps = deps
    this.#wait = new Waiter(deps.clock)
    this.#pause = new Waiter(deps.clock)
  }

  /** As last read; undefined before the topic was seen for the first time. */
  get topic(): TopicInfo | undefined {
    return this.#topic
  }

  /** It did not exist when it was first looked for (twice: brokers that have just started may not know it yet). */
  get cameLater(): boolean {
    return this.#absences >= 2
  }

  start(): void {
    this.#done = this.#run()
  }

  /** Somebody met a stale leader: read again soon. */
  refresh(): void {
    this.#wait.wake()
  }

  stop(): void {
    this.#stopped = true
    this.#wait.wake()
    this.#pause.wake()
  }

  get ended(): Promise<void> {
    return this.#done
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps
    for (let tries = 0; !this.#stopped;) {
      tries = (await this.#read()) ? 0 : tries + 1
      if (this.#stopped) return
      await this.#wait.wait(tries === 0 ? this.#maxAgeMs : retryDelayMs(tries - 1, clock.chance(), 100, 2000))
      // Leaders change within seconds, and many may ask for the same news.
      if (!this.#stopped) await this.#pause.wait(retryDelayMs(0, clock.chance(), 100))
    }
  }

  async #read(): Promise<boolean> {
    const { cluster, changed, log, problems } = this.#deps
    try {
      const found = (await cluster.topics([this.#name])).get(this.#name) ?? errorCode.unknownTopicOrPartition
      problems.clear('cluster')
      if (this.#topic === undefined && found === errorCode.unknownTopicOrPartition) this.#absences++
      if (typeof found === 'number') throw new KafkaRefusal(found, `topic ${this.#name} on ${cluster.bootstrapServers}`)
      problems.clear('topic')
      this.#topic = newestOf(this.#topic, found)
      changed(this.#topic)
      return [...found.partitions.values()].every(partition => partition.leader >= 0)
    } catch (error) {
      if (this.#stopped) return false
      const place = error instanceof KafkaRefusal ? 'topic' : 'cluster'
      problems.set(place, problemOf(error, 'read the topic', 'metadata'))
      log.warn({ error: (error as Error).message }, 'cannot read the metadata of the topic yet')
      return false
    }
  }
}

/** Brokers that have not heard the latest yet tell of leaders that were replaced already: those are not gone back to. */
function newestOf(before: TopicInfo | undefined, now: TopicInfo): TopicInfo {
  if (before === undefined || now.id === noTopicId || before.id !== now.id) return now
  const partitions = new Map(now.partitions)
  for (const [partition, { leaderEpoch }] of now.partitions) {
    const known = before.partitions.get(partition)
    if (known !== undefined && known.leaderEpoch > leaderEpoch) partitions.set(partition, known)
  }
  return { ...now, partitions }
}
