import { systemClock } from '../../adapters/host/system-clock.ts'
import { TopicAdmin, type WantedTopic } from '../../adapters/kafka/topic-admin.ts'
import { silentLog } from '../../adapters/log/silent.ts'
import { MillraceError } from '../../core/errors.ts'
import type { DevBroker, OpenedBroker, TopicEnds } from './dev-broker.ts'

/** The brokers of `--bootstrap`. */
export class NamedBroker implements DevBroker {
  readonly isEmbedded = false
  readonly bootstrap: readonly string[]
  readonly #admin: TopicAdmin

  private constructor(bootstrap: readonly string[]) {
    this.bootstrap = bootstrap
    this.#admin = new TopicAdmin(
      { cluster: { bootstrapServers: bootstrap }, clientId: 'millrace-dev' },
      { clock: systemClock, log: silentLog }
    )
  }

  /** Creates topics that are missing. Rejects with `MILL_DEV_BROKER`. */
  static async open(bootstrap: readonly string[], topics: readonly WantedTopic[]): Promise<OpenedBroker> {
    const broker = new NamedBroker(bootstrap)
    try {
      return { broker, created: topics.length === 0 ? [] : await broker.#admin.ensure(topics) }
    } catch (error) {
      await broker[Symbol.asyncDispose]()
      throw new MillraceError('MILL_DEV_BROKER', [bootstrap.join(','), (error as Error).message], { cause: error })
    }
  }

  async ends(topics: readonly string[]): Promise<TopicEnds> {
    try {
      return topics.length === 0 ? new Map() : await this.#admin.ends(topics)
    } catch {
      return new Map() // it is asked again
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#admin.close()
  }
}
