import type { PartitionLog } from './partition-log.ts'

/** What one producer writes to several logs, to be seen as a whole or never. */
export class Transaction {
  isAborted = false
  /** Logs that wait for the marker that ends it there. */
  readonly logs = new Set<PartitionLog>()
}
