import type { ClusterAddress } from '../../ports/consumer.ts'
import type { Destination } from '../../ports/destination.ts'
import type { ClientDeps } from './client-cluster.ts'
import { openProducer } from './producer.ts'
import type { ProducerTuning } from './producer.ts'

export interface TopicDestinationOptions {
  readonly topic: string
  /** That of the mapping's source (reference 8.4). */
  readonly cluster: ClusterAddress
  readonly clientId: string
}

/** Less than a destination has for its answer: then what a broker said is told, and not that nobody answered. */
const deliveryTimeoutMs = 15_000

/**
 * A topic takes what a mapping gives up (AWS: Kafka topic as on-failure destination, `kafka://topic`): one message per record,
 * under the record's own key, without headers. Opens no connection before the first delivery. Rejects with ProduceFailure.
 */
export function topicDestination(
  options: TopicDestinationOptions,
  deps: ClientDeps,
  tuning: Partial<ProducerTuning> = {}
): Destination {
  const { topic, cluster, clientId } = options
  const log = deps.log.child({ destination: `kafka://${topic}` })
  const producer = openProducer({ cluster, clientId }, { ...deps, log }, { deliveryTimeoutMs, ...tuning })
  return {
    async deliver(messages, signal) {
      await producer.send(
        topic,
        messages.map(({ key = null, body }) => ({ key, value: body })),
        signal
      )
    },
    close: () => producer.close()
  }
}
