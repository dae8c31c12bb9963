import type { FetchMemory } from '../../ports/memory.ts'

/** However many partitions share the memory: below this a poll brings too little of each. */
const leastPartitionBytes = 128 << 10

/** For who has no budget to keep to. */
export const enoughMemory: FetchMemory = {
  shareBytes: Infinity,
  hold: () => undefined,
  free: () => undefined,
  reserve: mostBytes => mostBytes,
  release: () => undefined
}

/** What is asked for of one partition, `mostBytes` at most: the more there are, the less of each, so that many fit into our share. */
export function partitionShareBytes({ shareBytes }: FetchMemory, partitions: number, mostBytes: number): number {
  const evenBytes = shareBytes / Math.max(1, partitions)
  if (evenBytes >= mostBytes) return mostBytes
  // In steps: a session is told of every partition for which something else is asked.
  return Math.min(mostBytes, Math.max(leastPartitionBytes, 2 ** Math.floor(Math.log2(evenBytes))))
}
