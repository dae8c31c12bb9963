import { Chance } from './chance.ts'
import type { FunctionSettings } from './sim-function.ts'

export type FaultKind =
  | 'crash'
  | 'pause'
  | 'cut'
  | 'join'
  | 'leave'
  | 'roll'
  | 'expel'
  | 'rebalance'
  | 'shuffle'
  | 'add-partition'
  | 'retain'
  | 'compact'
  | 'truncate'
  | 'break-function'
  | 'refuse-commits'
  | 'forget-commit-answers'

export interface Fault {
  readonly kind: FaultKind
  readonly atMs: number
  readonly forMs: number
  /** Which process or partition, by turns. */
  readonly on: number
  /** How much of a log. */
  readonly share: number
}

/** All that a run does not draw while it runs. Plain data: a failing plan is kept as JSON and made smaller. */
export interface Plan {
  readonly seed: number
  readonly processes: number
  readonly partitions: number
  readonly records: number
  /** Records and faults come within this time; then all heals. */
  readonly runMs: number
  readonly batchSize: number
  readonly windowMs: number
  readonly parallelizationFactor: number
  readonly startingPosition: 'TRIM_HORIZON' | 'LATEST'
  readonly budgetBytes: number
  readonly valueBytes: number
  /** Every so-many-th record is larger than an event may be; 0: none is. */
  readonly oversizeEvery: number
  readonly gapRate: number
  readonly burnRate: number
  readonly sticky: boolean
  readonly sessionTimeoutMs: number
  readonly drainMs: number
  readonly graceMs: number
  readonly commitTimeoutMs: number
  readonly maxDelayMs: number
  readonly lossRate: number
  readonly function: FunctionSettings
  readonly faults: readonly Fault[]
}

const faultKinds: readonly FaultKind[] = [
  'crash',
  'pause',
  'cut',
  'join',
  'leave',
  'roll',
  'expel',
  'rebalance',
  'shuffle',
  'add-partition',
  'retain',
  'compact',
  'truncate',
  'break-function',
  'refuse-commits',
  'forget-commit-answers'
]

/** Each seed switches some of the faults on: most bugs want few of them, together. */
export function drawPlan(seed: number): Plan {
  const chance = new Chance(seed)
  const calm = chance.happens(0.3)
  const sometimes = (rate: number, atMost: number) => (!calm && chance.happens(rate) ? chance.next() * atMost : 0)
  const kinds = faultKinds.filter(() => chance.happens(calm ? 0.1 : 0.35))
  const runMs = chance.pick([5_000, 10_000, 20_000, 30_000])
  const heavy = chance.happens(0.06)
  const drainMs = chance.pick([1_000, 3_000, 8_000])
  const tooManyRecords = chance.happens(0.1) ? chance.between(1, 8) : 0
  const faults: Fault[] = Array.from({ length: kinds.length === 0 ? 0 : chance.int(calm ? 4 : 9) }, () => ({
    kind: chance.pick(kinds),
    atMs: chance.int(runMs),
    forMs: chance.int(chance.pick([300, 3_000, 12_000, 20_000])),
    on: chance.int(8),
    share: chance.next()
  }))
  // Now and then a member is forgotten again and again while its calls are slow and fail: partitions come back to whoever
  // still waits for the answers of their last time.
  const forgotten = chance.happens(0.1)
  for (let left = forgotten ? 6 : 0; left > 0; left--) {
    faults.push({ kind: 'expel', atMs: chance.int(runMs), forMs: 0, on: chance.int(8), share: 0 })
  }
  // And now and then a log loses its end while calls with it are slow, so that their answers meet other records.
  const cutShort = chance.happens(0.1)
  for (let left = cutShort ? 6 : 0; left > 0; left--) {
    faults.push({
      kind: 'truncate',
      atMs: chance.int(runMs),
      forMs: 0,
      on: chance.int(8),
      share: 0.5 + chance.next() / 2
    })
  }
  return {
    seed,
    processes: chance.pick([1, 2, 2, 3]),
    partitions: chance.between(1, 6),
    records: heavy ? chance.between(20, 80) : chance.between(10, 250),
    runMs,
    batchSize: chance.pick([1, 2, 5, 10, 100]),
    windowMs: chance.pick([0, 0, 500, 1_000, 3_000]),
    parallelizationFactor: chance.pick([1, 2, 5, 10]),
    startingPosition: chance.happens(0.8) ? 'TRIM_HORIZON' : 'LATEST',
    budgetBytes: heavy ? 1 << 20 : 64 << 20,
    valueBytes: heavy ? chance.pick([50_000, 200_000, 400_000]) : chance.between(0, 20),
    oversizeEvery: chance.happens(0.05) ? chance.between(3, 40) : 0,
    gapRate: chance.happens(0.4) ? chance.next() * 0.3 : 0,
    burnRate: chance.happens(0.4) ? chance.next() * 0.3 : 0,
    sticky: chance.happens(0.5),
    sessionTimeoutMs: chance.pick([6_000, 10_000]),
    drainMs,
    graceMs: chance.pick([500, drainMs]),
    commitTimeoutMs: chance.pick([500, 3_000, 15_000]),
    maxDelayMs: chance.pick([2, 20, 150]),
    lossRate: sometimes(0.3, 0.08),
    function: {
      maxLatencyMs: forgotten || cutShort ? 3_000 : chance.pick([5, 100, 1_000, 3_000]),
      timeoutMs: chance.pick([2_000, 6_000, 15_000]),
      fails: forgotten ? 0.3 : sometimes(0.5, 0.3),
      hangs: sometimes(0.3, 0.1),
      throttles: sometimes(0.3, 0.2),
      unreachable: sometimes(0.3, 0.2),
      losesAnswer: sometimes(0.3, 0.1),
      late: sometimes(0.3, 0.2),
      tooManyRecords,
      poisonEvery: calm || chance.happens(0.8) ? 0 : chance.between(2, 50)
    },
    // Of a batch that is halved while its log is cut nobody outside can say from which of the two logs its records are.
    faults: faults.filter(({ kind }) => kind !== 'truncate' || tooManyRecords === 0).sort((a, b) => a.atMs - b.atMs)
  }
}
