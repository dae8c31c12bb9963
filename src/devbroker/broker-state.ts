import { randomBytes } from 'node:crypto'
import { FetchSessions } from './fetch-sessions.ts'
import { Groups } from './groups.ts'
import type { GroupsOptions } from './groups.ts'
import { Topics } from './topics.ts'
import type { Topic } from './topics.ts'

/** The broker's id in its cluster of one. */
export const nodeId = 1

export type GroupProtocolName = 'classic' | 'consumer'

export interface BrokerStateOptions {
  readonly maxBytes: number
  readonly autoCreateTopics: boolean
  readonly defaultPartitions: number
  readonly groups: GroupsOptions
  /** The protocols by which clients may form groups. */
  readonly groupProtocols: ReadonlySet<GroupProtocolName>
  readonly now: () => number
}

/** Everything a broker remembers, with no connection in it: it outlives a stop and a start. */
export class BrokerState {
  readonly options: BrokerStateOptions
  readonly clusterId = randomBytes(16).toString('base64url')
  readonly topics: Topics
  readonly groups: Groups
  readonly fetchSessions = new FetchSessions()
  #producerIds = 0

  constructor(options: BrokerStateOptions) {
    this.options = options
    this.topics = new Topics(options.maxBytes)
    this.groups = new Groups(options.groups, this.topics)
  }

  now(): number {
    return this.options.now()
  }

  /** Whether clients may use this request: those of a group protocol that is switched off are as if unknown. */
  offers({ groupProtocol }: { readonly groupProtocol?: GroupProtocolName }): boolean {
    return groupProtocol === undefined || this.options.groupProtocols.has(groupProtocol)
  }

  nextProducerId(): number {
    return this.#producerIds++
  }

  deleteTopic(topic: Topic): void {
    this.topics.delete(topic)
    this.groups.forgetTopic(topic.name)
  }
}
