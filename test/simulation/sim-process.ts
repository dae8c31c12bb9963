import { silentLog } from '../../src/adapters/log/silent.ts'
import { targetText } from '../../src/core/destination/target.ts'
import type { Block } from '../../src/core/record.ts'
import { EventBuffers } from '../../src/poller/event-buffers.ts'
import { type OwnedPartition, OwnedPartitions } from '../../src/poller/owned-partitions.ts'
import { Poller } from '../../src/poller/poller.ts'
import type { Consumer, ConsumerListener } from '../../src/ports/consumer.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Destination } from '../../src/ports/destination.ts'
import type { Invoker } from '../../src/ports/invoker.ts'
import type { Broker } from './broker.ts'
import type { Chance } from './chance.ts'
import type { Checker } from './checker.ts'
import type { Network } from './network.ts'
import type { Owner } from './owner.ts'
import type { SimRecord } from './partition-log.ts'
import { classicGroup } from './kafka-plan.ts'
import { oversizeBytes } from './oversize.ts'
import type { Plan } from './plan.ts'
import { simBlock, topic } from './sim-block.ts'
import { SimConsumer } from './sim-consumer.ts'
import { type SimDestination, targetOf } from './sim-destination.ts'
import type { SimFunction } from './sim-function.ts'
import { Life, ProcessClock, type VirtualTime } from './virtual-time.ts'

/** What a poller is made of; a planted bug may exchange a part before the poller is built. */
export interface SimParts {
  consumer: Consumer
  invoker: Invoker
  clock: Clock
  parallelizationFactor: number
  drainMs: number
  maximumRetryAttempts: number
  destination: Destination | undefined
}

/** A bug that is planted on purpose, to see that the checker finds it. */
export interface Mutant {
  readonly name: string
  /** The first of the seeds that are tried; default 1. For bugs that need what is rarely drawn. */
  readonly firstSeed?: number
  /** Once a run; the returned function takes it out again. */
  plant?(): () => void
  /** Once a poller. */
  parts?(parts: SimParts): void
  poller?(poller: Poller): void
}

export interface SimWorld {
  readonly plan: Plan
  readonly time: VirtualTime
  readonly broker: Broker
  readonly network: Network
  readonly checker: Checker
  readonly function: SimFunction
  readonly destination: SimDestination | undefined
  readonly chance: Chance
  readonly owners: Map<string, Owner>
  readonly mutant: Mutant | undefined
}

/** How long a stop may take beyond its grace: a commit that is under way, the last one, and leaving the group. */
const stopSlackMs = 17_000
/** What `src/adapters/kafka/kafka-consumer.ts` allows beyond the drain. */
const drainSlackMs = 5_000

// All worlds share the pool: a Buffer that is given back twice would show as one written by two.
const buffers = new EventBuffers()

/** One process: a poller with its consumer and its own time, that can be stopped, paused and killed. */
export class SimProcess {
  readonly owner: Owner
  readonly poller: Poller
  readonly life = new Life()
  readonly clock: ProcessClock
  readonly #world: SimWorld
  readonly #owned: OwnedPartition[] = []
  #openBlocks = 0
  #requests = 0
  state: 'running' | 'stopping' | 'stopped' | 'dead' = 'running'

  constructor(name: string, world: SimWorld) {
    this.#world = world
    const { plan, time, broker, network, chance, mutant, checker } = world
    const { failures } = plan
    const { batchSize, windowMs, parallelizationFactor, drainMs, graceMs, sessionTimeoutMs } = plan
    const { life } = this
    const { protocol, negotiates, believedSessionMs, heartbeatIntervalMs } = plan.group ?? classicGroup
    const revokeTimeoutMs = drainMs + drainSlackMs
    const rebalanceTimeoutMs = drainMs + 3 * drainSlackMs
    this.owner = {
      name,
      life,
      batchSize,
      windowMs,
      maxCalls: parallelizationFactor,
      drainMs,
      graceMs,
      mostSilenceMs:
        protocol === 'classic'
          ? sessionTimeoutMs + rebalanceTimeoutMs
          : Math.max(believedSessionMs, 3 * heartbeatIntervalMs),
      revokeTimeoutMs,
      tenures: new Map(),
      calls: 0,
      full: false,
      slotFreeSinceMs: 0,
      commitsOpen: 0,
      commitAskedMs: 0,
      commitEndedMs: 0,
      commitFailedMs: -1,
      commitRefusedMs: -1,
      commitTimeoutMs: plan.commitTimeoutMs,
      heardMs: -Infinity,
      answeredMs: -Infinity,
      sentAwayMs: -Infinity,
      doubtedMs: -Infinity,
      stopAskedMs: Infinity
    }
    world.owners.set(name, this.owner)
    this.clock = new ProcessClock(time, life, chance)
    const consumer = new SimConsumer(
      {
        protocol,
        negotiates,
        sessionTimeoutMs: protocol === 'classic' ? sessionTimeoutMs : believedSessionMs,
        rebalanceTimeoutMs,
        revokeTimeoutMs,
        startingPosition: plan.startingPosition,
        commitTimeoutMs: plan.commitTimeoutMs,
        fetchMaxWaitMs: 1_000
      },
      {
        name,
        broker,
        network,
        life,
        // Timers of the consumer are not the poller's: they are not counted with them.
        clock: new ProcessClock(time, life, chance),
        answered: (code, sentMs) => checker.ownership.answered(this.owner, code, sentMs),
        commitAnswered: code => checker.commits.answered(this.owner, code),
        receive: (batch, records) => this.#receive(simBlock(batch, records, this.#releaseOf(records)), records)
      }
    )
    const parts: SimParts = {
      consumer: this.#watched(consumer),
      invoker: this.#checked(world.function.invoker(this.owner)),
      clock: this.clock,
      parallelizationFactor,
      drainMs,
      maximumRetryAttempts: failures.maxRetries,
      destination: world.destination?.adapter(this.owner)
    }
    mutant?.parts?.(parts)
    const target = failures.destination === undefined ? undefined : targetOf(failures.destination)
    this.poller = new Poller(
      {
        mapping: name,
        specVersion: 1,
        spec: {
          functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:orders',
          functionName: 'orders',
          source: { kind: 'self-managed', bootstrapServers: ['127.0.0.1:9092'] },
          topic,
          consumerGroupId: 'group-1',
          startingPosition: { kind: plan.startingPosition },
          batchSize,
          windowSeconds: windowMs / 1_000,
          enabled: true,
          parallelizationFactor: parts.parallelizationFactor,
          maximumRetryAttempts: parts.maximumRetryAttempts,
          maximumRecordAgeSeconds: failures.maxAgeSeconds,
          bisectBatchOnFunctionError: failures.bisect,
          functionResponseTypes: plan.function.reportsItems ? ['ReportBatchItemFailures'] : [],
          ...(target === undefined ? {} : { destination: targetText(target) }),
          tags: plan.singleLane ? { 'millrace:partition-batches': 'single' } : {}
        },
        cluster: { bootstrapServers: ['127.0.0.1:9092'] },
        bootstrapServers: '127.0.0.1:9092',
        target: { kind: 'http', url: 'http://127.0.0.1:1/', headers: {}, timeoutMs: 3_000 },
        ...(target === undefined ? {} : { destination: target }),
        budgetBytes: plan.budgetBytes
      },
      parts.drainMs,
      {
        consumer: parts.consumer,
        invoker: parts.invoker,
        ...(parts.destination === undefined ? {} : { destination: parts.destination }),
        backoff: failures.backoff,
        clock: parts.clock,
        log: silentLog,
        buffers,
        report: report => {
          if (report.kind === 'failed') checker.fail(`${name} broke: ${report.message}`)
        },
        newRequestId: () => `${name}-${++this.#requests}`
      }
    )
    mutant?.poller?.(this.poller)
    checker.note(name, 'starts')
    this.poller.start()
  }

  crash(): void {
    this.state = 'dead'
    this.life.alive = false
    this.#world.checker.ownership.crashed(this.owner)
  }

  pause(forMs: number): void {
    this.life.pause(this.#world.time.nowMs, forMs)
    this.#world.checker.note(this.owner.name, 'paused', forMs)
  }

  /** Holds what the poller would commit now to what is done. */
  checkDebts(): void {
    for (const { lane, ledger, partition } of this.#owned) {
      if (!lane.closed) this.#world.checker.commits.owes(this.owner, partition, ledger.committable)
    }
  }

  /** Asks the poller to stop, and holds it to what a stop promises. */
  stop(): void {
    if (this.state !== 'running') return
    const { checker, time, plan } = this.#world
    this.state = 'stopping'
    // A paused process hears of it when it goes on.
    time.after(
      0,
      () => {
        this.owner.stopAskedMs = time.nowMs
        checker.note(this.owner.name, 'stops')
        const limitMs = plan.graceMs + stopSlackMs
        const cancel = time.after(limitMs, () => this.#checkStopped(limitMs), this.life)
        void this.poller.stop(plan.graceMs).then(
          () => {
            cancel()
            this.#stopped()
          },
          (error: unknown) => checker.fail(`the stop of ${this.owner.name} failed: ${String(error)}`)
        )
      },
      this.life
    )
  }

  #checkStopped(limitMs: number): void {
    if (this.life.pausedUntilMs > this.owner.stopAskedMs) return
    this.#world.checker.fail(`calm: ${this.owner.name} has not stopped after ${limitMs} ms`)
  }

  #stopped(): void {
    const { checker } = this.#world
    const { name, tenures, calls } = this.owner
    this.state = 'stopped'
    checker.note(name, 'stopped')
    if (tenures.size > 0) checker.fail(`I9: ${name} has stopped, but was not asked for ${tenures.size} partitions`)
    if (calls > 0) checker.fail(`calm: ${name} has stopped with ${calls} calls in flight`)
    if (this.clock.waiting > 0) checker.fail(`I20: ${name} has stopped, but ${this.clock.waiting} timers wait`)
    if (this.#openBlocks > 0) checker.fail(`I20: ${name} has stopped, but keeps ${this.#openBlocks} blocks`)
    const held = this.#owned.find(({ heldBytes }) => heldBytes !== 0)
    if (held !== undefined) checker.fail(`I20: ${name} counts ${held.heldBytes} bytes of partition ${held.partition}`)
  }

  // ---- between the poller and its consumer

  #checked(invoker: Invoker): Invoker {
    return {
      invoke: async (event, request) => {
        const reply = await invoker.invoke(event, request)
        // When the poller has done with the answer what it does.
        this.#world.time.after(0, () => this.checkDebts(), this.life)
        return reply
      },
      close: () => invoker.close()
    }
  }

  #watched(consumer: Consumer): Consumer {
    const { checker, time } = this.#world
    const { owner } = this
    return {
      start: listener => consumer.start(this.#listening(listener)),
      commit: async offsets => {
        checker.commits.asked(owner, offsets)
        try {
          await consumer.commit(offsets)
        } catch (error) {
          checker.commits.ended(owner, offsets, false)
          throw error
        }
        checker.commits.ended(owner, offsets, true)
      },
      get inDoubt() {
        const doubts = consumer.inDoubt === true
        if (doubts) owner.doubtedMs = time.nowMs
        return doubts
      },
      resume: () => consumer.resume(),
      stop: () => consumer.stop()
    }
  }

  #listening(listener: ConsumerListener): ConsumerListener {
    const { checker } = this.#world
    const { owner } = this
    return {
      assigned: partitions => {
        checker.ownership.assigned(owner, partitions)
        this.#noting(() => listener.assigned(partitions))
      },
      revoked: async partitions => {
        const going = checker.ownership.leaving(owner, partitions)
        const answered = listener.revoked(partitions).catch((error: unknown) => {
          checker.fail(`${owner.name} broke: ${String(error)}`)
        })
        this.#world.time.after(owner.drainMs + 1, () => checker.ownership.drained(owner, going), this.life)
        await answered
        checker.ownership.left(owner, going)
      },
      lost: partitions => {
        checker.ownership.lost(owner, partitions)
        this.#hears(() => listener.lost(partitions))
      },
      fetched: block => {
        this.#hears(() => listener.fetched(block))
        this.#checkShare(block)
      },
      skipped: (partition, next) => this.#hears(() => listener.skipped(partition, next)),
      jumped: (partition, from, to) => {
        checker.ownership.jumped(owner, partition.partition, from, to)
        this.#noting(() => listener.jumped(partition, from, to))
      },
      wants: partition => listener.wants(partition),
      problem: problem => listener.problem(problem)
    }
  }

  #hears(tell: () => void): void {
    try {
      tell()
    } catch (error) {
      this.#world.checker.fail(`${this.owner.name} broke: ${String(error)}`)
    }
  }

  /** Keeps the partitions that the poller begins to own meanwhile. */
  #noting(tell: () => void): void {
    const { add } = OwnedPartitions.prototype
    const owned = this.#owned
    OwnedPartitions.prototype.add = function (assigned) {
      const one = add.call(this, assigned)
      owned.push(one)
      return one
    }
    this.#hears(tell)
    OwnedPartitions.prototype.add = add
  }

  // ---- memory

  #receive(block: Block, records: readonly SimRecord[]): Block {
    this.#openBlocks++
    this.#world.checker.calls.fetched(this.owner, records)
    return block
  }

  #releaseOf(records: readonly SimRecord[]): () => void {
    const tenure = this.owner.tenures.get(records[0]!.partition)
    let released = false
    return () => {
      if (released) this.#world.checker.fail(`I20: ${this.owner.name} released a block twice`)
      released = true
      this.#openBlocks--
      // A log that was cut may bring the same records in another block.
      if (tenure?.cuts.length === 0 && records.some(record => tenure.sent.has(record)))
        this.#world.checker.fail(`I20: ${this.owner.name} released a block that is in flight`)
    }
  }

  /** A partition over its share is not fetched: it exceeds it by one answer at most. */
  #checkShare(block: Block): void {
    const { plan, checker } = this.#world
    const owned = this.#owned.findLast(({ partition }) => partition === block.partition)
    if (owned === undefined) return
    if (owned.heldBytes < 0) checker.fail(`I20: ${this.owner.name} counts ${owned.heldBytes} bytes`)
    const answerBytes =
      3 * plan.appendsAtMost * (Math.max(plan.valueBytes, plan.oversizeEvery > 0 ? oversizeBytes : 0) + 41)
    if (owned.heldBytes > Math.max(1 << 20, plan.budgetBytes) + answerBytes) {
      checker.fail(`I20: ${this.owner.name} holds ${owned.heldBytes} bytes of partition ${block.partition}`)
    }
  }
}
