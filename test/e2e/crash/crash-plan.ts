/** What befalls a run once so many records have succeeded. */
export interface Blow {
  readonly afterRecords: number
  /**
   * kill: a reader ends where it stands and another takes its place; stop: the same, but in good order; cut: all connections
   * to the broker; lose: the broker takes the next commits and its answers are lost; refuse: it refuses them.
   */
  readonly kind: 'kill' | 'stop' | 'cut' | 'lose' | 'refuse'
  readonly reader: number
  /** When the coordinator notices that a killed reader is dead. */
  readonly noticedAfterMs: number
}

/** One run. The same seed draws the same plan; what the machine makes of it in real time may differ. */
export interface CrashPlan {
  readonly seed: number
  /** Which protocol the broker offers to groups: KIP-848's too, or the classic one alone. */
  readonly protocol: 'consumer' | 'classic'
  readonly readers: number
  readonly partitions: number
  readonly recordsPerPartition: number
  readonly batchSize: number
  readonly windowSeconds: number
  readonly parallelizationFactor: number
  /** Part of the calls that fail. */
  readonly failing: number
  /** A call takes up to this. */
  readonly callMs: number
  readonly blows: readonly Blow[]
}

const kinds = ['kill', 'kill', 'kill', 'stop', 'stop', 'cut', 'lose', 'refuse'] as const

export function drawPlan(seed: number): CrashPlan {
  const chance = chanceOf(seed)
  const between = (low: number, high: number) => low + Math.floor(chance() * (high - low + 1))
  const partitions = between(1, 4)
  const recordsPerPartition = between(60, 160)
  const readers = between(1, 2)
  const blows = Array.from({ length: between(3, 5) }, () => ({
    afterRecords: between(5, Math.floor(partitions * recordsPerPartition * 0.9)),
    kind: kinds[between(0, kinds.length - 1)]!,
    reader: between(0, readers - 1),
    noticedAfterMs: between(0, 200)
  }))
  return {
    seed,
    protocol: between(0, 1) === 0 ? 'classic' : 'consumer',
    readers,
    partitions,
    recordsPerPartition,
    batchSize: between(1, 12),
    windowSeconds: between(0, 1),
    parallelizationFactor: between(1, 5),
    failing: chance() * 0.2,
    callMs: between(1, 25),
    blows: blows.toSorted((a, b) => a.afterRecords - b.afterRecords)
  }
}

/** 0 (included) to 1 (excluded), by seed: mulberry32. */
export function chanceOf(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
