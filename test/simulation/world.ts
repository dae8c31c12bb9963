import { type GivenUpMessage, recordsGivenUp } from '../../src/poller/channels.ts'
import { Broker } from './broker.ts'
import { Chance } from './chance.ts'
import { Checker } from './checker.ts'
import { Group } from './group.ts'
import { Network } from './network.ts'
import type { Owner } from './owner.ts'
import { PartitionLog, type SimRecord } from './partition-log.ts'
import type { Fault, Plan } from './plan.ts'
import { SimFunction } from './sim-function.ts'
import { maxBatchRecords, type Mutant, oversizeBytes, SimProcess, type SimWorld } from './sim-process.ts'
import { Trace } from './trace.ts'
import { VirtualTime } from './virtual-time.ts'

export interface Outcome {
  readonly plan: Plan
  /** What was promised and not held, first things first; empty: all is well. */
  readonly failures: readonly string[]
  /** Equal for equal runs. */
  readonly hash: string
  readonly timeline: readonly string[]
  readonly records: number
  readonly deliveries: number
  readonly repeats: number
  readonly events: number
  /** Virtual. */
  readonly ms: number
}

export interface RunOptions {
  readonly mutant?: Mutant
  readonly keepsTimeline?: boolean
}

/** After this much quiet everything has to be done: a session, a rebalance, the longest wait for a retry, a drain. */
const healMs = 240_000
const settledCheckMs = 200

/** Runs one plan to its end: faults, then healing, then a stop of everybody. Same plan, same outcome. */
export async function runPlan(plan: Plan, options: RunOptions = {}): Promise<Outcome> {
  const { mutant } = options
  const world = new World(plan, mutant, options.keepsTimeline ?? false)
  const takeOut = mutant?.plant?.()
  const onDrop = (message: unknown) => world.givenUp(message as GivenUpMessage)
  recordsGivenUp.subscribe(onDrop)
  try {
    await world.run()
  } catch (error) {
    world.checker.fail(`broke: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  } finally {
    recordsGivenUp.unsubscribe(onDrop)
    takeOut?.()
  }
  return world.outcome()
}

class World implements SimWorld {
  readonly plan: Plan
  readonly time = new VirtualTime()
  readonly broker: Broker
  readonly network: Network
  readonly checker: Checker
  readonly function: SimFunction
  readonly chance: Chance
  readonly owners = new Map<string, Owner>()
  readonly mutant: Mutant | undefined
  readonly #logs: PartitionLog[]
  readonly #records: SimRecord[] = []
  readonly #produce: Chance
  readonly #processes: SimProcess[] = []
  #healed = false
  #started = 0

  constructor(plan: Plan, mutant: Mutant | undefined, keepsTimeline: boolean) {
    const { time } = this
    this.plan = plan
    this.mutant = mutant
    this.chance = new Chance(plan.seed, 1)
    this.#produce = new Chance(plan.seed, 2)
    this.#logs = Array.from({ length: plan.partitions }, (_, partition) => new PartitionLog(partition))
    const trace = new Trace(() => time.nowMs, keepsTimeline)
    this.checker = new Checker(this.#logs, this.#records, this.owners, () => time.nowMs, trace)
    const { sessionTimeoutMs, drainMs, sticky } = plan
    const settings = { sessionTimeoutMs, rebalanceTimeoutMs: drainMs + 15_000, sticky }
    const group = new Group(plan.partitions, settings, time, {
      assigned: (owner, partitions) => this.checker.given(owner, partitions)
    })
    this.broker = new Broker(this.#logs, group, time, this.checker)
    this.network = new Network(plan, time, new Chance(plan.seed, 3))
    this.function = new SimFunction(plan.function, time, new Chance(plan.seed, 4), this.checker)
  }

  async run(): Promise<void> {
    const { plan, time, checker } = this
    for (let each = 0; each < plan.processes; each++) time.after(this.chance.int(500), () => this.#start())
    this.#scheduleRecords()
    for (const fault of plan.faults) time.after(fault.atMs, () => this.#strike(fault))
    const broken = () => checker.failures.length > 0
    await time.run(plan.runMs, broken)
    if (broken()) return
    this.#heal()
    await this.#until(() => this.#settled, healMs)
    if (broken()) return
    this.#checkDrained()
    for (const process of this.#processes) process.stop()
    await this.#until(() => this.#processes.every(({ state }) => state === 'stopped' || state === 'dead'), 60_000)
    if (!broken()) await time.run(time.nowMs + 30_000, broken)
  }

  async #until(condition: () => boolean, withinMs: number): Promise<void> {
    const { time, checker } = this
    const deadlineMs = time.nowMs + withinMs
    while (time.nowMs < deadlineMs && !condition() && checker.failures.length === 0) {
      await time.run(time.nowMs + settledCheckMs, () => checker.failures.length > 0)
    }
  }

  givenUp({ mapping, partitions }: GivenUpMessage): void {
    const owner = this.owners.get(mapping)!
    for (const { partition, first } of partitions)
      this.checker.dropped(owner, partition, first, ({ valueBytes }) => valueBytes < oversizeBytes)
  }

  outcome(): Outcome {
    const { checker, time } = this
    return {
      plan: this.plan,
      failures: checker.failures,
      hash: checker.trace.hash,
      timeline: checker.trace.lines,
      records: this.#records.length,
      deliveries: checker.deliveries,
      repeats: checker.repeats,
      events: time.events,
      ms: time.nowMs
    }
  }

  // ---- the world goes on

  #start(): void {
    this.#processes.push(new SimProcess(`poller-${++this.#started}`, this))
  }

  #scheduleRecords(): void {
    const { plan, time } = this
    for (let left = plan.records; left > 0;) {
      const count = Math.min(left, this.#produce.between(1, maxBatchRecords))
      left -= count
      time.after(this.#produce.int(plan.runMs), () => this.#append(count))
    }
  }

  #append(count: number): void {
    const { plan } = this
    const chance = this.#produce
    const log = chance.pick(this.#logs)
    if (chance.happens(plan.burnRate)) log.burn(chance.between(1, 3))
    const first = this.#records.length
    const ids = Array.from({ length: count }, (_, index) => first + index)
    const size = (id: number) =>
      plan.oversizeEvery > 0 && id % plan.oversizeEvery === 0 ? oversizeBytes : plan.valueBytes
    const gap = () => (chance.happens(plan.gapRate) ? chance.between(1, 4) : 0)
    const before = log.records.length
    log.append(ids, size, gap)
    this.#records.push(...log.records.slice(before))
    if (chance.happens(plan.burnRate)) log.burn(1)
    this.broker.changed()
  }

  #strike(fault: Fault): void {
    const { time, checker, broker } = this
    const { kind, forMs, on, share } = fault
    checker.trace.note('world', kind, on, forMs)
    const running = this.#processes.filter(({ state }) => state === 'running')
    const victim = running[on % Math.max(1, running.length)]
    const log = this.#logs[on % this.#logs.length]!
    const restart = () => {
      if (!this.#healed) this.#start()
    }
    switch (kind) {
      case 'crash':
        victim?.crash()
        time.after(forMs, restart)
        return
      case 'leave':
        victim?.stop()
        time.after(forMs, restart)
        return
      case 'roll':
        running.forEach((process, index) => {
          const afterMs = (index * forMs) / running.length
          time.after(afterMs, () => {
            if (!this.#healed) process.stop()
          })
          time.after(afterMs, restart)
        })
        return
      case 'pause':
        victim?.pause(forMs)
        return
      case 'cut':
        if (victim !== undefined) this.network.cut(victim.life, time.nowMs + forMs)
        return
      case 'join':
        if (running.length < 5) this.#start()
        return
      case 'expel':
        if (victim !== undefined) broker.group.expel(victim.owner.name)
        return
      case 'rebalance':
        broker.group.rebalance()
        return
      case 'shuffle':
        broker.group.salt++
        broker.group.rebalance()
        return
      case 'add-partition':
        this.#logs.push(new PartitionLog(this.#logs.length))
        broker.group.partitions = this.#logs.length
        broker.group.rebalance()
        return
      case 'retain':
        log.retain(share)
        break
      case 'compact':
        log.compact(() => this.#produce.happens(share))
        break
      case 'truncate':
        log.truncate(share)
        break
      case 'break-function':
        this.function.brokenUntilMs = time.nowMs + forMs
        return
      case 'refuse-commits':
        broker.refusesCommitsUntilMs = time.nowMs + forMs
        return
      case 'forget-commit-answers':
        broker.forgetsAnswersUntilMs = time.nowMs + forMs
        return
      default:
        throw new Error(`unknown fault ${JSON.stringify(kind satisfies never)}`)
    }
    broker.changed()
  }

  #heal(): void {
    const { network, broker } = this
    this.#healed = true
    this.checker.trace.note('world', 'heals')
    network.healed = this.function.healed = true
    broker.refusesCommitsUntilMs = broker.forgetsAnswersUntilMs = 0
    if (!this.#processes.some(({ state }) => state === 'running')) this.#start()
  }

  get #settled(): boolean {
    return this.#logs.every(log => log.frontier === log.end && log.committed === log.end)
  }

  #checkDrained(): void {
    for (const log of this.#logs) {
      const { partition, frontier, committed, end } = log
      if (frontier < end)
        this.checker.fail(`I2: partition ${partition} offset ${frontier} was never done (${log.open} open)`)
      else if (committed !== end) this.checker.fail(`I3: partition ${partition} is committed to ${committed} of ${end}`)
    }
  }
}
