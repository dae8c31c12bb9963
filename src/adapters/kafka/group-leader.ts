import type { Clock } from '../../ports/clock.ts'
import { assignCooperatively } from './assignor.ts'
import type { GroupMember } from './assignor.ts'
import type { Cluster, TopicInfo } from './cluster.ts'
import { decodeMember, encodeAssignment } from './subscription.ts'

/** What one leader of the group does for one generation: shares out the partitions, then watches for new ones. */
export class GroupLeader {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #metadataMaxAgeMs: number
  #counts: ReadonlyMap<string, number> = new Map()
  #lookedAtMs = 0

  constructor(cluster: Cluster, clock: Clock, metadataMaxAgeMs: number) {
    this.#cluster = cluster
    this.#clock = clock
    this.#metadataMaxAgeMs = metadataMaxAgeMs
  }

  /** One assignment for every member, ours or another client's. Rejects when no broker could be asked. */
  async assign(
    joined: readonly { readonly memberId: string; readonly metadata: Buffer }[]
  ): Promise<{ memberId: string; assignment: Buffer }[]> {
    const members = joined.map(({ memberId, metadata }) => readMember(memberId, metadata))
    this.#counts = await this.#partitionCounts([...new Set(members.flatMap(member => member.topics))])
    this.#lookedAtMs = this.#clock.monotonicMs()
    const assignments = assignCooperatively(members, this.#counts)
    return [...assignments].map(([memberId, assignment]) => ({ memberId, assignment: encodeAssignment(assignment) }))
  }

  /** Looks, when it is time to, whether a topic has more partitions than were shared out. Never rejects. */
  async partitionsAdded(): Promise<boolean> {
    const known = this.#counts
    if (this.#clock.monotonicMs() - this.#lookedAtMs < this.#metadataMaxAgeMs) return false
    this.#lookedAtMs = this.#clock.monotonicMs()
    const counts = await this.#partitionCounts([...known.keys()]).catch(() => known)
    // Fewer: a topic was deleted, or cannot be described just now. Its readers hear of that from their fetches.
    return [...counts].some(([topic, count]) => count > (known.get(topic) ?? 0))
  }

  /** A topic that cannot be described has no partitions to give. */
  async #partitionCounts(topics: readonly string[]): Promise<Map<string, number>> {
    const found = await this.#cluster.topics(topics)
    return new Map(topics.map(topic => [topic, countOf(found.get(topic))]))
  }
}

/** A member whose subscription cannot be read gets nothing, and keeps nobody else from getting something. */
function readMember(memberId: string, metadata: Buffer): GroupMember {
  try {
    return decodeMember(memberId, metadata)
  } catch {
    return { memberId, topics: [], owned: new Map(), generation: -1 }
  }
}

const countOf = (topic: TopicInfo | number | undefined): number =>
  topic === undefined || typeof topic === 'number' ? 0 : topic.partitions.size
