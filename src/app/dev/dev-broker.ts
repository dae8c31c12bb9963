import type { WantedTopic } from '../../adapters/kafka/topic-admin.ts'
import { MillraceError } from '../../core/errors.ts'
import { EmbeddedBroker } from '../../devbroker/broker.ts'
import { listenReason } from '../broker.ts'
import type { DevFlags } from '../cli/dev.ts'
import { addressText } from '../config/value.ts'

/** One past the last record, by topic and partition. */
export type TopicEnds = ReadonlyMap<string, ReadonlyMap<number, number>>

/** The Kafka of a `millrace dev`: its own, or one that was named. */
export interface DevBroker extends AsyncDisposable {
  readonly bootstrap: readonly string[]
  readonly isEmbedded: boolean
  /** What cannot be asked for now is left out. */
  ends(topics: readonly string[]): Promise<TopicEnds>
}

export interface OpenedBroker {
  readonly broker: DevBroker
  /** Names of topics that were not there. */
  readonly created: readonly string[]
}

type BrokerFlags = Pick<DevFlags, 'bootstrap' | 'brokerListen' | 'partitions'>

/** Loads what `openDevBroker` will need. */
export async function loadDevBroker({ bootstrap }: BrokerFlags): Promise<void> {
  if (bootstrap !== undefined) await import('./named-broker.ts')
}

/** Resolves when the topics are there. Rejects with `MILL_DEV_BROKER` when the named brokers cannot be used. */
export async function openDevBroker(flags: BrokerFlags, topics: readonly WantedTopic[]): Promise<OpenedBroker> {
  const { bootstrap, brokerListen: listen, partitions } = flags
  if (bootstrap !== undefined) {
    // Kafka's client takes long to load, and only these need it here.
    const { NamedBroker } = await import('./named-broker.ts')
    return NamedBroker.open(bootstrap, topics)
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
  return { broker: new OwnBroker(embedded), created: topics.map(({ name }) => name) }
}

class OwnBroker implements DevBroker {
  readonly isEmbedded = true
  readonly bootstrap: readonly string[]
  readonly #embedded: EmbeddedBroker

  constructor(embedded: EmbeddedBroker) {
    this.#embedded = embedded
    this.bootstrap = [embedded.bootstrap]
  }

  ends(topics: readonly string[]): Promise<TopicEnds> {
    const found = topics.flatMap(topic => {
      const ends = this.#embedded.endOffsets(topic)
      return ends === undefined ? [] : [[topic, ends] as const]
    })
    return Promise.resolve(new Map(found))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#embedded.stop()
  }
}
