import { Chance } from './chance.ts'
import { type Backoff, defaultBackoff } from '../../src/core/retry/backoff.ts'
import { type GroupPlan, withKafka } from './kafka-plan.ts'
import type { TransactionSettings } from './producers.ts'
import type { DestinationSettings } from './sim-destination.ts'
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
  | 'break-destination'
  | 'reset-offsets'
  | 'move-coordinator'

export interface Fault {
  readonly kind: FaultKind
  readonly atMs: number
  readonly forMs: number
  /** Which process or partition, by turns. */
  readonly on: number
  /** How much of a log. */
  readonly share: number
}

/** What the mapping wants when its function fails. */
export interface FailureSettings {
  readonly maxRetries: number
  readonly maxAgeSeconds: number
  /** Records may be this much older than they arrive. */
  readonly agedMs: number
  readonly bisect: boolean
  readonly backoff: Backoff
  /** Absent: what is given up is dropped. */
  readonly destination?: DestinationSettings
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
  /** A batch is of one partition only. */
  readonly singleLane: boolean
  readonly startingPosition: 'TRIM_HORIZON' | 'LATEST'
  readonly budgetBytes: number
  readonly valueBytes: number
  /** Every so-many-th record is larger than an event may be; 0: none is. */
  readonly oversizeEvery: number
  /** Of one append. */
  readonly appendsAtMost: number
  readonly gapRate: number
  readonly gapAtMost: number
  readonly burnRate: number
  readonly sticky: boolean
  readonly sessionTimeoutMs: number
  readonly drainMs: number
  readonly graceMs: number
  readonly commitTimeoutMs: number
  readonly maxDelayMs: number
  readonly lossRate: number
  readonly function: FunctionSettings
  readonly failures: FailureSettings
  /** Absent: a classic one. */
  readonly group?: GroupPlan
  /** Absent: there are none. */
  readonly transactions?: TransactionSettings
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

/** Of a mapping that says nothing of failures: all is tried again for ever. */
export const untilItWorks: FailureSettings = {
  maxRetries: -1,
  maxAgeSeconds: -1,
  agedMs: 0,
  bisect: false,
  backoff: defaultBackoff
}

/** Each seed switches some of the faults on: most bugs want few of them, together. */
export function drawPlan(seed: number): Plan {
  const plan = withKafka(withFailures(drawWorld(seed), new Chance(seed, 7)), new Chance(seed, 8))
  return { ...plan, faults: plan.faults.toSorted((a, b) => a.atMs - b.atMs) }
}

function drawWorld(seed: number): Plan {
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
    singleLane: false,
    startingPosition: chance.happens(0.8) ? 'TRIM_HORIZON' : 'LATEST',
    budgetBytes: heavy ? 1 << 20 : 64 << 20,
    valueBytes: heavy ? chance.pick([50_000, 200_000, 400_000]) : chance.between(0, 20),
    oversizeEvery: chance.happens(0.05) ? chance.between(3, 40) : 0,
    appendsAtMost: 6,
    gapRate: chance.happens(0.4) ? chance.next() * 0.3 : 0,
    gapAtMost: 4,
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
      poisonEvery: calm || chance.happens(0.8) ? 0 : chance.between(2, 50),
      incurableEvery: 0,
      reportsItems: false,
      namesSome: 0,
      babbles: 0
    },
    failures: untilItWorks,
    faults
  }
}

/** Most mappings say what is to happen when their function fails, and then it does more often. */
function withFailures(plan: Plan, chance: Chance): Plan {
  if (chance.happens(0.2)) return plan
  if (chance.happens(0.03)) return sparse(plan, chance)
  const hasDestination = chance.happens(0.5)
  const maxRetries = chance.happens(0.3) ? -1 : chance.int(6)
  const maxAgeSeconds = chance.happens(0.3) ? 60 : -1
  const reportsItems = chance.happens(0.4)
  const endless = maxRetries < 0 && !hasDestination && maxAgeSeconds < 0
  const incurable = !endless && chance.happens(0.5)
  const often = () => (chance.happens(0.4) ? chance.next() * 0.5 : 0)
  const faultsOf = (kind: FaultKind, most: number): Fault[] =>
    Array.from({ length: chance.int(most + 1) }, () => ({
      kind,
      atMs: chance.int(plan.runMs),
      forMs: chance.int(chance.pick([300, 3_000, 12_000])),
      on: chance.int(8),
      share: chance.next()
    }))
  // Owners that change again and again while something is being retried.
  const moves = chance.happens(0.3) ? ([...faultsOf('shuffle', 4), ...faultsOf('leave', 3)] satisfies Fault[]) : []
  return {
    ...plan,
    singleLane: chance.happens(0.2),
    function: {
      ...plan.function,
      fails: Math.max(plan.function.fails, often()),
      poisonEvery: chance.happens(0.3) ? chance.between(2, 30) : plan.function.poisonEvery,
      incurableEvery: incurable ? chance.between(20, 60) : 0,
      reportsItems,
      namesSome: often(),
      babbles: chance.happens(0.2) ? 0.1 : 0
    },
    failures: {
      maxRetries,
      maxAgeSeconds,
      // Some are too old at once, some grow too old while they are tried.
      agedMs: maxAgeSeconds < 0 ? 0 : chance.pick([0, 50_000, 66_000, 80_000]),
      bisect: chance.happens(0.5),
      backoff: { baseMs: chance.pick([20, 100, 500]), capMs: chance.pick([500, 2_000]), throttleCapMs: 2_000 },
      ...(hasDestination ? { destination: drawDestination(chance, plan) } : {})
    },
    faults: [
      ...plan.faults,
      ...moves,
      ...(hasDestination ? faultsOf('break-destination', 2) : []),
      ...(chance.happens(0.1) ? faultsOf('reset-offsets', 2) : [])
    ]
  }
}

function drawDestination(chance: Chance, { oversizeEvery }: Plan): DestinationSettings {
  const sometimes = () => (chance.happens(0.3) ? chance.next() * 0.4 : 0)
  return {
    // A file has the payload as a string, which takes long to write where it is large.
    kind: oversizeEvery > 0 && chance.happens(0.9) ? 'kafka' : chance.pick(['kafka', 'file']),
    maxLatencyMs: chance.pick([5, 100, 2_000]),
    refuses: sometimes(),
    losesAnswer: sometimes(),
    hangs: sometimes() / 4
  }
}

/**
 * Records far apart, of which the function names many: what is finished of such a batch takes more bytes than a commit's
 * metadata may have, if all of it were taken at once.
 */
function sparse(plan: Plan, chance: Chance): Plan {
  const moves = Array.from({ length: chance.between(2, 6) }, () => ({
    kind: chance.pick<FaultKind>(['shuffle', 'leave', 'crash']),
    atMs: chance.int(plan.runMs),
    forMs: chance.int(3_000),
    on: chance.int(8),
    share: 0
  }))
  return {
    ...plan,
    processes: 2,
    partitions: 1,
    records: 3_600,
    appendsAtMost: 3_600,
    gapRate: 1,
    gapAtMost: 30_000_000,
    batchSize: 10_000,
    windowMs: 1_000,
    budgetBytes: 64 << 20,
    valueBytes: 0,
    oversizeEvery: 0,
    sticky: false,
    function: {
      ...plan.function,
      maxLatencyMs: 100,
      fails: 0,
      tooManyRecords: 0,
      poisonEvery: 0,
      incurableEvery: 0,
      reportsItems: true,
      namesSome: 0.9
    },
    failures: {
      maxRetries: chance.pick([-1, 3]),
      maxAgeSeconds: -1,
      agedMs: 0,
      bisect: false,
      backoff: { baseMs: 2_000, capMs: 4_000, throttleCapMs: 2_000 }
    },
    faults: moves
  }
}
