/** A committed position. */
export interface CommittedOffset {
  readonly offset: number
  readonly metadata: string
  readonly leaderEpoch: number
}

/** Longest metadata of a commit: Kafka's default of offset.metadata.max.bytes, which it compares with the characters. */
export const maxMetadataLength = 4096

/** What one group committed, by topic and partition. */
export class OffsetStore {
  readonly #topics = new Map<string, Map<number, CommittedOffset>>()

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  set(topic: string, partition: number, committed: CommittedOffset): void {
    let partitions = this.#topics.get(topic)
    if (partitions === undefined) {
      partitions = new Map()
      this.#topics.set(topic, partitions)
    }
    partitions.set(partition, committed)
  }

  delete(topic: string, partition: number): void {
    const partitions = this.#topics.get(topic)
    partitions?.delete(partition)
    if (partitions?.size === 0) this.#topics.delete(topic)
  }

  forgetTopic(topic: string): void {
    this.#topics.delete(topic)
  }

  /** Topics with the partitions that have a commit. */
  all(): { topic: string; partitions: number[] }[] {
    return [...this.#topics].map(([topic, partitions]) => ({ topic, partitions: [...partitions.keys()] }))
  }
}
