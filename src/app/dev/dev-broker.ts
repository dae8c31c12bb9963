import { TopicAdmin, type WantedTopic } from '../../adapters/kafka/topic-admin.ts'
import { systemClock } from '../../adapters/host/system-clock.ts'
import { silentLog } from '../../adapters/log/silent.ts'
import { MillraceError } from '../../core/errors.ts'
import type { DevFlags } from '../cli/dev.ts'
import { addressText } from '../config/value.ts'
import { listenReason } from '../broker.ts'
import { EmbeddedBroker } from '../../devbroker/broker.ts'

/** One past the last record, by topic and partition. */
export type TopicEnds = ReadonlyMap<string, ReadonlyMap<number, number>>

/** The Kafka of a `millrace dev`: its own, or one that was named. */
export class DevBroker implements AsyncDisposable {
  readonly bootstrap: readonly string[]
  readonly isEmbedded: boolean
  readonly #embedded: EmbeddedBroker | undefined
  readonly #admin: TopicAdmin

  private constructor(bootstrap: readonly string[], embedded: EmbeddedBroker | undefined) {
    this.bootstrap = bootstrap
    this.isEmbedded = embedded !== undefined
    this.#embedded = embedded
    this.#admin = new TopicAdmin(
      { cluster: { bootstrapServers: bootstrap }, clientId: 'millrace-dev' },
      { clock: systemClock, log: silentLog }
    )
  }

  /** Resolves when the topics are there. Rejects with `MILL_DEV_BROKER` when the named brokers cannot be used. */
  static async open(
    { bootstrap: named, brokerListen: listen, partitions }: Pick<DevFlags, 'bootstrap' | 'brokerListen' | 'partitions'>,
    topics: readonly WantedTopic[]
  ): Promise<{ readonly broker: DevBroker; readonly created: readonly string[] }> {
    if (named !== undefined) {
      const broker = new DevBroker(named, undefined)
      try {
        return { broker, created: await broker.ensure(topics) }
      } catch (error) {
        await broker.stop()
        throw error
      }
    }
    const embedded = new EmbeddedBroker({ ...listen, defaultPartitions: partitions })
    for (const { name, partitions: own = partitions } of topics) embedded.createTopic(name, { partitions: own })
    try {
      await embedded.start()
    } catch (error) {
      const where = listen === undefined ? embedded.bootstrap : addressText(listen)
      throw new MillraceError('MILL_LISTEN', [where, '--broker-listen', listenReason((error as Error).cause)], {
        cause: error
      })
    }
    return { broker: new DevBroker([embedded.bootstrap], embedded), created: topics.map(({ name }) => name) }
  }

  /** Creates those that are missing, and says which. Rejects with `MILL_DEV_BROKER`. */
  async ensure(topics: readonly WantedTopic[]): Promise<readonly string[]> {
    if (topics.length === 0) return []
    try {
      return await this.#admin.ensure(topics)
    } catch (error) {
      throw new MillraceError('MILL_DEV_BROKER', [this.bootstrap.join(','), (error as Error).message], { cause: error })
    }
  }

  /** What cannot be asked for now is left out. */
  async ends(topics: readonly string[]): Promise<TopicEnds> {
    try {
      return topics.length === 0 ? new Map() : await this.#admin.ends(topics)
    } catch {
      return new Map() // it is asked again
    }
  }

  async stop(): Promise<void> {
    await this.#admin.close()
    await this.#embedded?.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
