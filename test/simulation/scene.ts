import type { Owner } from './owner.ts'
import type { PartitionLog, SimRecord } from './partition-log.ts'
import { firstTimestamp } from './sim-block.ts'
import type { Tenure } from './tenure.ts'
import type { Trace } from './trace.ts'

/** What a mapping wants when its function fails, as the checker holds pollers to it. */
export interface FailureRules {
  /** Further tries after the first; -1: for ever. */
  readonly maxRetries: number
  /** -1: none is too old. */
  readonly maxAgeMs: number
  readonly bisect: boolean
  readonly reportsItems: boolean
  readonly hasDestination: boolean
}

/** What all checks look at: the world as it is, apart from what any poller makes of it. */
export class Scene {
  readonly failures: string[] = []
  readonly logs: readonly PartitionLog[]
  readonly records: readonly SimRecord[]
  readonly owners: ReadonlyMap<string, Owner>
  readonly rules: FailureRules
  readonly trace: Trace
  readonly nowMs: () => number
  deliveries = 0
  repeats = 0
  givenUp = 0

  constructor(
    logs: readonly PartitionLog[],
    records: readonly SimRecord[],
    owners: ReadonlyMap<string, Owner>,
    rules: FailureRules,
    nowMs: () => number,
    trace: Trace
  ) {
    this.logs = logs
    this.records = records
    this.owners = owners
    this.rules = rules
    this.nowMs = nowMs
    this.trace = trace
  }

  fail(message: string): void {
    this.failures.push(`${this.nowMs().toFixed(0)} ms: ${message}`)
    this.trace.note('checker', message)
  }

  log({ partition }: Pick<Tenure, 'partition'>): PartitionLog {
    return this.logs[partition]!
  }

  ageMs({ timestamp }: SimRecord): number {
    return firstTimestamp + this.nowMs() - timestamp
  }

  /** What was in flight or done since the last commit will be delivered once more, and may be. */
  explain(tenure: Tenure): void {
    const log = this.log(tenure)
    const { done } = log.commit.debt
    // A commit that takes a cut log further back may still be on its way.
    const from = log.wasCut ? 0 : Math.max(0, log.committed)
    for (const record of log.within(from, Infinity)) {
      record.failures = 0
      if (done.has(record) && !log.wasCut) continue
      if (record.offset < tenure.sentUpTo && (record.done || record.inFlight > 0)) record.mayRepeat = true
      if (record.told > 0 || record.tellings > 0) record.mayTellAgain = true
    }
  }
}

/** As many calls in flight as there may be, or not any more. */
export function countPlaces(owner: Owner, nowMs: number): void {
  const full = owner.calls >= owner.maxCalls
  if (owner.full && !full) owner.slotFreeSinceMs = nowMs
  owner.full = full
}
