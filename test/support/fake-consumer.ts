import type { CommitOffset, Consumer, ConsumerListener } from '../../src/ports/consumer.ts'
import type { TopicPartition } from '../../src/core/record.ts'

/** A consumer whose group and broker are the test: it says what happens, and remembers what it was asked. */
export class FakeConsumer implements Consumer {
  listener!: ConsumerListener
  readonly commits: CommitOffset[][] = []
  resumes = 0
  stops = 0
  owned: TopicPartition[] = []
  inDoubt = false
  #refuse: Error | undefined
  #held: Promise<void> | undefined

  start(listener: ConsumerListener): void {
    this.listener = listener
  }

  assign(topic: string, partitions: readonly number[], startOffset = 0): void {
    const assigned = partitions.map(partition => ({ topic, partition, startOffset, fresh: false }))
    this.owned.push(...assigned)
    this.listener.assigned(assigned)
  }

  /** The next commit is refused. */
  refuseNext(error: Error): void {
    this.#refuse = error
  }

  /** The next commit is taken, but its answer comes only when the returned function is called. */
  holdNext(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#held = promise
    return resolve
  }

  commit(offsets: readonly CommitOffset[]): Promise<void> {
    const refused = this.#refuse
    this.#refuse = undefined
    if (refused !== undefined) return Promise.reject(refused)
    this.commits.push([...offsets])
    const held = this.#held ?? Promise.resolve()
    this.#held = undefined
    return held
  }

  /** What is committed now, by partition. */
  get committed(): Record<number, number> {
    const all: Record<number, number> = {}
    for (const { partition, offset } of this.commits.flat()) all[partition] = offset
    return all
  }

  resume(): void {
    this.resumes++
  }

  async stop(): Promise<void> {
    this.stops++
    const going = this.owned
    this.owned = []
    if (going.length > 0) await this.listener.revoked(going)
  }
}
