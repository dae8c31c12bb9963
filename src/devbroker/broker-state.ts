import { randomBytes } from 'node:crypto'
import { Groups } from './groups.ts'
import { Topics } from './topics.ts'
import type { Topic } from './topics.ts'

/** The broker's id in its cluster of one. */
export const nodeId = 1

export interface BrokerStateOptions {
  readonly maxBytes: number
  readonly autoCreateTopics: boolean
  readonly defaultPartitions: number
  readonly groupInitialRebalanceDelayMs: number
  readonly now: () => number
}

/** Everything a broker remembers, with no connection in it: it outlives a stop and a start. */
export class BrokerState {
  readonly options: BrokerStateOptions
  readonly clusterId = randomBytes(16).toString('base64url')
  readonly topics: Topics
  readonly groups: Groups
  #producerIds = 0

  constructor(options: BrokerStateOptions) {
    this.options = options
    this.topics = new Topics(options.maxBytes)
    this.groups = new Groups(options.groupInitialRebalanceDelayMs)
  }

  now(): number {
    return this.options.now()
  }

  nextProducerId(): number {
    return this.#producerIds++
  }

  deleteTopic(topic: Topic): void {
    this.topics.delete(topic)
    this.groups.forgetTopic(topic.name)
  }
}
