import { column } from '../../../src/core/record.ts'
import type { Block, TopicPartition } from '../../../src/core/record.ts'
import type { AssignedPartition, ConsumerListener, ConsumerProblem } from '../../../src/ports/consumer.ts'

export interface SeenRecord {
  readonly partition: number
  readonly offset: number
  readonly value: string | null
}

/** Remembers all it is told, and finishes every record at once. */
export class RecordingListener implements ConsumerListener {
  /** In words, in the order they came: `assigned 0,1`, `revoked 1`, `lost 0`, `jumped 0 5->9`. */
  readonly events: string[] = []
  readonly assignments: AssignedPartition[] = []
  readonly records: SeenRecord[] = []
  readonly skips: { readonly partition: number; readonly nextOffset: number }[] = []
  readonly problems: (ConsumerProblem | undefined)[] = []
  readonly owned = new Set<number>()
  /** Records that came for a partition that was not ours at that moment: must stay empty. */
  readonly strays: SeenRecord[] = []
  readonly paused = new Set<number>()
  /** Runs before partitions are given up. */
  onRevoked: (partitions: readonly number[]) => Promise<void> = () => Promise.resolve()

  assigned(partitions: readonly AssignedPartition[]): void {
    this.assignments.push(...partitions)
    for (const { partition } of partitions) this.owned.add(partition)
    this.events.push(`assigned ${numbers(partitions).join()}`)
  }

  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    this.events.push(`revoked ${numbers(partitions).join()}`)
    await this.onRevoked(numbers(partitions))
    for (const { partition } of partitions) this.owned.delete(partition)
  }

  lost(partitions: readonly TopicPartition[]): void {
    this.events.push(`lost ${numbers(partitions).join()}`)
    for (const { partition } of partitions) this.owned.delete(partition)
  }

  fetched(block: Block): void {
    for (const record of recordsOf(block)) {
      this.records.push(record)
      if (!this.owned.has(record.partition)) this.strays.push(record)
    }
    block.finish(block.count)
  }

  skipped(partition: TopicPartition, nextOffset: number): void {
    this.skips.push({ partition: partition.partition, nextOffset })
  }

  jumped(partition: TopicPartition, from: number, to: number): void {
    this.events.push(`jumped ${partition.partition} ${from}->${to}`)
  }

  wants(partition: TopicPartition): boolean {
    return !this.paused.has(partition.partition)
  }

  problem(problem: ConsumerProblem | undefined): void {
    this.problems.push(problem)
  }

  get problemNow(): ConsumerProblem | undefined {
    return this.problems.at(-1)
  }

  values(partition?: number): (string | null)[] {
    return this.records
      .filter(record => partition === undefined || record.partition === partition)
      .map(record => record.value)
  }
}

export function recordsOf(block: Block): SeenRecord[] {
  return Array.from({ length: block.count }, (_, index) => {
    const row = index * column.stride
    const start = block.positions[row + column.valueStart]!
    const value = start < 0 ? null : block.bytes.toString('utf8', start, block.positions[row + column.valueEnd])
    return { partition: block.partition, offset: block.offsets[index]!, value }
  })
}

const numbers = (partitions: readonly TopicPartition[]): number[] =>
  partitions.map(each => each.partition).sort((a, b) => a - b)
