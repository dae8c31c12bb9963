/** What is drained: a topic filled beforehand, in batches of one size. */
export interface Workload {
  readonly name: string
  readonly valueBytes: number
  /** BatchSize of the mapping. */
  readonly batchSize: number
  /** Default of `--records`: enough for seconds of work, so that start-up and compilation weigh little. */
  readonly records: number
}

export const workloads: readonly Workload[] = [
  { name: '100B-1000', valueBytes: 100, batchSize: 1_000, records: 3_000_000 },
  { name: '100B-10000', valueBytes: 100, batchSize: 10_000, records: 3_000_000 },
  { name: '1KB-1000', valueBytes: 1_024, batchSize: 1_000, records: 1_200_000 }
]

export const partitions = 6
/** Calls in flight: Millrace's own default, given to the bare loop too. */
export const inFlight = 5

/** Topics differ by what lies in them, so that workloads of one record size share theirs. */
export const topicOf = ({ valueBytes }: Workload): string => `bench-${valueBytes}`

/** How many records the topic gets: the same in each partition, and whole batches, so that no batch waits for its window at the end. */
export function roundUp(records: number, { batchSize }: Workload): number {
  const step = partitions * batchSize
  return Math.ceil(records / step) * step
}
