import { type GivenUpMessage, recordsGivenUp } from '../../src/poller/channels.ts'
import { Broker } from './broker.ts'
import { Chance } from './chance.ts'
import { Checker } from './checker.ts'
import { noDebt } from './debt.ts'
import { ClassicGroup } from './classic-group.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { classicGroup } from './kafka-plan.ts'
import { Network } from './network.ts'
import type { Owner } from './owner.ts'
import { PartitionLog, type SimRecord } from './partition-log.ts'
import type { Fault, Plan } from './plan.ts'
import { Producers } from './producers.ts'
import { type FailureRules, Scene } from './scene.ts'
import { SimDestination } from './sim-destination.ts'
import { SimFunction } from './sim-function.ts'
import { type Mutant, SimProcess, type SimWorld } from './sim-process.ts'
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
  /** Records of aborted transactions, which are none of those. */
  readonly aborted: number
  readonly deliveries: number
  readonly repeats: number
  /** Records that a destination took, or that were dropped with an event. */
  readonly givenUp: number
  readonly events: number
  /** Virtual. */
  readonly ms: number
}

export interface RunOptions {
  readonly mutant?: Mutant
  readonly keepsTimeline?: boolean
}

/** After this much quiet everything has to be done: a session, a rebalance, the longest wait for a retry, a drain. */
const healMs = 900_000
const settledCheckMs = 200
/** The longest session, a join that is not answered, and a rebalance after it. */
const ownedWithinMs = 120_000

/** Runs one plan to its end: faults, then healing, then a stop of everybody. Same plan, same outcome. */
export async function runPlan(plan: Plan, options: RunOptions = {}): Promise<Outcome> {
  const { mutant } = options
  const world = new World(plan, mutant, options.keepsTimeline ?? false)
  const takeOut = mutant?.plant?.()
  const onGivenUp = (message: unknown) => world.givenUp(message as GivenUpMessage)
  recordsGivenUp.subscribe(onGivenUp)
  try {
    await world.run()
  } catch (error) {
    world.checker.fail(`broke: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  } finally {
    recordsGivenUp.unsubscribe(onGivenUp)
    takeOut?.()
  }
  return world.outcome()
}

function rulesOf({ failures, function: { reportsItems } }: Plan): FailureRules {
  const { maxRetries, maxAgeSeconds, bisect, destination } = failures
  const hasDestination = destination !== undefined
  return {
    // Reference 5.3.
    maxRetries: maxRetries < 0 && hasDestination ? 10 : maxRetries,
    maxAgeMs: maxAgeSeconds < 0 ? -1 : maxAgeSeconds * 1_000,
    bisect,
    reportsItems,
    hasDestination
  }
}

class World implements SimWorld {
  readonly plan: Plan
  readonly time = new VirtualTime()
  readonly broker: Broker
  readonly network: Network
  readonly checker: Checker
  readonly function: SimFunction
  readonly destination: SimDestination | undefined
  readonly chance: Chance
  readonly owners = new Map<string, Owner>()
  readonly mutant: Mutant | undefined
  readonly #logs: PartitionLog[]
  readonly #records: SimRecord[] = []
  readonly #produce: Chance
  readonly #ages: Chance
  readonly #producers: Producers
  readonly #processes: SimProcess[] = []
  #healed = false
  #started = 0

  constructor(plan: Plan, mutant: Mutant | undefined, keepsTimeline: boolean) {
    const { time } = this
    this.plan = plan
    this.mutant = mutant
    this.chance = new Chance(plan.seed, 1)
    this.#produce = new Chance(plan.seed, 2)
    this.#ages = new Chance(plan.seed, 6)
    this.#logs = Array.from({ length: plan.partitions }, (_, partition) => new PartitionLog(partition))
    const trace = new Trace(() => time.nowMs, keepsTimeline)
    const rules = rulesOf(plan)
    this.checker = new Checker(new Scene(this.#logs, this.#records, this.owners, rules, () => time.nowMs, trace))
    const { ownership, commits, calls, failures } = this.checker
    const { partitions, group: groupPlan = classicGroup } = plan
    const witness = {
      assigned: (owner: string, partitions: readonly number[]) => ownership.given(owner, partitions),
      expired: (owner: string) => this.#checkExpired(owner),
      released: (owner: string, partitions: readonly number[]) => ownership.released(owner, partitions)
    }
    const group =
      groupPlan.protocol === 'classic'
        ? new ClassicGroup(partitions, plan, time, witness)
        : new ConsumerGroup(partitions, { ...groupPlan, ...plan }, time, witness)
    this.broker = new Broker(this.#logs, group, time, commits)
    this.network = new Network(plan, time, new Chance(plan.seed, 3))
    this.#producers = new Producers(plan, {
      time,
      broker: this.broker,
      logs: this.#logs,
      records: this.#records,
      ages: this.#ages,
      produce: this.#produce
    })
    this.function = new SimFunction(plan.function, time, new Chance(plan.seed, 4), calls)
    const { destination } = plan.failures
    if (destination !== undefined)
      this.destination = new SimDestination(destination, time, new Chance(plan.seed, 5), failures)
  }

  async run(): Promise<void> {
    const { plan, time, checker } = this
    for (let each = 0; each < plan.processes; each++) time.after(this.chance.int(500), () => this.#start())
    this.#producers.start()
    for (const fault of plan.faults) time.after(fault.atMs, () => this.#strike(fault))
    const broken = () => checker.scene.failures.length > 0
    await time.run(plan.runMs, broken)
    if (broken()) return
    this.#heal()
    await this.#until(() => this.#settled, healMs)
    if (broken()) return
    this.#checkDrained()
    await this.#until(() => this.#unowned === undefined, ownedWithinMs)
    if (!broken() && this.#unowned !== undefined)
      checker.fail(`calm: nobody owns partition ${this.#unowned.partition} long after all has healed`)
    for (const process of this.#processes) process.stop()
    await this.#until(() => this.#processes.every(({ state }) => state === 'stopped' || state === 'dead'), 60_000)
    if (!broken()) await time.run(time.nowMs + 30_000, broken)
  }

  async #until(condition: () => boolean, withinMs: number): Promise<void> {
    const { time, checker } = this
    const deadlineMs = time.nowMs + withinMs
    while (time.nowMs < deadlineMs && !condition() && checker.scene.failures.length === 0) {
      await time.run(time.nowMs + settledCheckMs, () => checker.scene.failures.length > 0)
    }
  }

  givenUp(message: GivenUpMessage): void {
    this.checker.failures.givenUp(this.owners.get(message.mapping)!, message)
  }

  outcome(): Outcome {
    const { checker, time } = this
    const aborted = this.#records.filter(record => record.aborted).length
    return {
      plan: this.plan,
      failures: checker.scene.failures,
      hash: checker.scene.trace.hash,
      timeline: checker.scene.trace.lines,
      records: this.#records.length - aborted,
      aborted,
      deliveries: checker.scene.deliveries,
      repeats: checker.scene.repeats,
      givenUp: checker.scene.givenUp,
      events: time.events,
      ms: time.nowMs
    }
  }

  // ---- the world goes on

  #start(): void {
    this.#processes.push(new SimProcess(`poller-${++this.#started}`, this))
  }

  #strike(fault: Fault): void {
    const { time, checker, broker } = this
    const { kind, forMs, on, share } = fault
    checker.scene.trace.note('world', kind, on, forMs)
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
        broker.group.shuffle()
        return
      case 'move-coordinator':
        broker.moveCoordinator(forMs, share < 0.5)
        return
      case 'add-partition':
        this.#logs.push(new PartitionLog(this.#logs.length))
        broker.group.setPartitions(this.#logs.length)
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
      case 'break-destination':
        if (this.destination !== undefined) this.destination.brokenUntilMs = time.nowMs + forMs
        return
      case 'reset-offsets':
        for (const process of running) process.stop()
        this.#resetWhenEmpty(share, time.nowMs + 30_000)
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

  /** A tool moves what is committed, which Kafka allows to a group that nobody is in; then pollers start again. */
  #resetWhenEmpty(share: number, deadlineMs: number): void {
    const { broker, time } = this
    if (!broker.group.isEmpty && time.nowMs < deadlineMs) {
      time.after(250, () => this.#resetWhenEmpty(share, deadlineMs))
      return
    }
    if (broker.group.isEmpty) {
      for (const log of this.#logs) if (this.#ages.happens(0.7)) this.#reset(log, share)
    }
    if (!this.#healed) for (let each = 0; each < this.plan.processes; each++) this.#start()
  }

  #reset(log: PartitionLog, share: number): void {
    if (log.committed < 0) return
    const { offset, metadata } = log.commit
    const to = Math.floor(log.start + (log.end - log.start) * share)
    // Of itself, of another tool, or of ours from somewhere else: none of it says anything about the new offset.
    const left = this.#ages.pick(['', 'moved by hand', 'millrace1:AAAA', to === offset ? '' : metadata])
    this.checker.note('world', 'resets', log.partition, offset, to)
    // Who was sent away may not know yet.
    this.checker.ownership.fence([log.partition])
    log.commit = { offset: to, metadata: left, debt: noDebt }
    log.excuse(offset, to)
    for (const record of log.within(to, Infinity)) {
      record.mayRepeat = record.mayTellAgain = true
      record.failures = 0
    }
  }

  #heal(): void {
    const { network, broker } = this
    this.#healed = true
    this.checker.scene.trace.note('world', 'heals')
    network.heal()
    this.function.healed = true
    if (this.destination !== undefined) this.destination.healed = true
    broker.refusesCommitsUntilMs = broker.forgetsAnswersUntilMs = 0
    this.#producers.endTransactions()
    if (!this.#processes.some(({ state }) => state === 'running')) this.#start()
  }

  get #settled(): boolean {
    return this.#logs.every(log => log.frontier === log.end && log.committed === log.end)
  }

  /** Who lives and can reach the coordinator is heard. */
  #checkExpired(name: string): void {
    const { network, broker, time, checker, plan } = this
    const { life, stopAskedMs } = this.owners.get(name)!
    const sinceMs = time.nowMs - plan.sessionTimeoutMs
    if (!life.alive || life.pausedUntilMs >= sinceMs || stopAskedMs < Infinity) return
    if (network.isWellSince(life, sinceMs) && broker.coordinator.isSettledSince(sinceMs))
      checker.fail(
        `calm: ${name} was not heard for a session of ${plan.sessionTimeoutMs} ms, and nothing kept it from it`
      )
  }

  /** Nobody reads it, or only who does not know yet that it is another's. */
  get #unowned(): PartitionLog | undefined {
    const isOwned = ({ partition }: PartitionLog) =>
      [...this.owners.values()].some(({ tenures }) => {
        const tenure = tenures.get(partition)
        return tenure?.phase === 'open' && !tenure.fenced
      })
    return this.#logs.find(log => !isOwned(log))
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
