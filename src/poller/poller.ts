import { BatchAssembler } from '../core/batch/assembler.ts'
import type { Lane } from '../core/batch/lane.ts'
import { EventEncoder, type EventSourceFields, maxEventBytes } from '../core/event/encoder.ts'
import { defaultParallelizationFactor, windowMs } from '../core/mapping/mapping.ts'
import type { Block, TopicPartition } from '../core/record.ts'
import { defaultBackoff, type Backoff } from '../core/retry/backoff.ts'
import { type RetryPolicy, retryPolicy } from '../core/retry/policy.ts'
import type { Clock } from '../ports/clock.ts'
import type { AssignedPartition, Consumer, ConsumerListener, ConsumerProblem } from '../ports/consumer.ts'
import type { Destination } from '../ports/destination.ts'
import type { Invoker } from '../ports/invoker.ts'
import type { Log } from '../ports/log.ts'
import type { PollerAssignment, PollerReport } from '../ports/poller-host.ts'
import { BatchEvents } from './batch-events.ts'
import { BlockFilter } from './block-filter.ts'
import {
  type AssignedMessage,
  type FetchedMessage,
  partitionAssigned,
  type PartitionMessage,
  partitionReleased,
  recordsFetched
} from './channels.ts'
import { Committer } from './committer.ts'
import { Counters } from './counters.ts'
import { Delivery, type DeliveryWorld, doubtPauseMs } from './delivery.ts'
import type { EventBuffers } from './event-buffers.ts'
import { FailureRoute, type FailureRouteParts } from './failure-route.ts'
import { type MemoryAccount, MemoryBudget } from './memory-budget.ts'
import { type OwnedPartition, OwnedPartitions } from './owned-partitions.ts'
import { Places } from './places.ts'
import { ProcessingResult } from './processing-result.ts'
import { ResumeWatch } from './resume-watch.ts'

export interface PollerParts {
  readonly consumer: Consumer
  readonly invoker: Invoker
  /** Of the assignment's destination; given when it has one. */
  readonly destination?: Destination
  readonly clock: Clock
  readonly log: Log
  readonly buffers: EventBuffers
  /** Of the budget that it shares with others; absent: it has the assignment's for itself. */
  readonly memory?: MemoryAccount
  readonly report: (report: PollerReport) => void
  readonly newRequestId: () => string
  /** How long to wait between tries; absent: as documented. */
  readonly backoff?: Backoff
  /** What AWS does not know of Kafka is not understood (reference 6.2). */
  readonly strictAws?: boolean
}

/** Left of a commit's metadata for what is finished, when the pieces have been told. */
const maxDoneBytes = 2_700

/**
 * One member of a consumer group, for one mapping, on one thread. It walks records along the line: what the consumer
 * fetched goes into lanes, lanes into batches, batches to the function, and what is settled to the committer.
 *
 * running   fetching and delivering            → stopping
 * stopping  nothing new is sent; calls in flight may settle within the grace → stopped
 * stopped   offsets committed, group left
 */
export class Poller implements ConsumerListener {
  readonly #assignment: PollerAssignment
  readonly #parts: PollerParts
  readonly #log: Log
  readonly #assembler: BatchAssembler
  readonly #committer: Committer
  readonly #memory: MemoryAccount
  readonly #partitions: OwnedPartitions
  readonly #resumes: ResumeWatch
  readonly #result: ProcessingResult
  readonly #counters: Counters
  readonly #events: BatchEvents
  readonly #failures: FailureRoute
  readonly #filter: BlockFilter | undefined
  readonly #world: DeliveryWorld
  readonly #places: Places
  /** How long a rebalance waits for calls in flight. */
  readonly #drainMs: number
  readonly #deliveries = new Map<Delivery, Promise<void>>()
  #mode: 'running' | 'stopping' | 'stopped' = 'running'
  #stopped: Promise<void> | undefined
  /** Who waits for a lane to be free. */
  readonly #freed = new Map<Lane, () => void>()
  #pumpQueued = false
  #cancelTimer: (() => void) | undefined

  constructor(assignment: PollerAssignment, drainMs: number, parts: PollerParts) {
    const { spec, mapping } = assignment
    const policy = retryPolicy(spec, parts.backoff ?? defaultBackoff)
    this.#assignment = assignment
    this.#parts = parts
    this.#log = parts.log.child({ mapping, topic: spec.topic })
    this.#drainMs = drainMs
    this.#places = new Places(spec.parallelizationFactor ?? defaultParallelizationFactor, () => {
      this.#schedulePump()
    })
    this.#assembler = new BatchAssembler({
      maxRecords: spec.batchSize,
      // Base64 grows payload by a third: this much surely fills an event; the encoder gives back what is too much.
      maxBytes: Math.ceil((maxEventBytes * 3) / 4),
      windowMs: windowMs(spec),
      // Only then may any pattern of records be finished.
      ...(policy.reportsItemFailures || policy.maxAgeMs >= 0 ? { maxDoneBytes } : {}),
      singleLane: spec.tags['millrace:partition-batches'] === 'single'
    })
    this.#memory = parts.memory ?? new MemoryBudget(assignment.budgetBytes).open()
    this.#memory.onRoom = () => {
      parts.consumer.resume()
      this.#schedulePump()
    }
    this.#partitions = new OwnedPartitions(this.#memory)
    const { clock, consumer } = parts
    this.#resumes = new ResumeWatch(clock, owned => {
      this.#goOn(owned)
    })
    this.#counters = new Counters(clock, parts.report)
    this.#committer = new Committer(mapping, consumer, clock, this.#log, this.#counters, () => this.#partitions.all())
    this.#result = new ProcessingResult(parts.report)
    this.#events = new BatchEvents(mapping, this.#log, this.#counters, this.#result)
    const source = eventSource(assignment)
    this.#failures = new FailureRoute({
      mapping,
      functionArn: spec.functionArn,
      source,
      ...destinationOf(assignment, parts),
      clock,
      log: this.#log,
      counters: this.#counters
    })
    this.#filter = BlockFilter.of(spec, this.#counters, this.#log)
    this.#world = this.#deliveryWorld(policy, new EventEncoder(source))
  }

  start(): void {
    this.#parts.consumer.start(this)
  }

  /** Sends nothing new, lets calls in flight end within `graceMs`, commits, leaves the group. Safe twice. */
  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async #stop(graceMs: number): Promise<void> {
    this.#mode = 'stopping'
    this.#cancelTimer?.()
    // Whatever a rebalance that goes on would still wait for: the grace is the longest.
    const cancel = this.#parts.clock.after(graceMs, () => {
      this.#abort()
    })
    await this.#parts.consumer.stop()
    cancel()
    this.#abort()
    await Promise.all(this.#deliveries.values())
    this.#committer.stop()
    await Promise.all([this.#parts.invoker.close(), this.#failures.close()])
    this.#counters.flush()
    this.#memory.close()
    this.#mode = 'stopped'
  }

  #abort(): void {
    const calls = this.#deliveries.size
    if (calls > 0) this.#log.warn({ calls }, 'calls cut by the stop: they will be repeated')
    for (const delivery of this.#deliveries.keys()) delivery.abort()
  }

  // ---- what the consumer tells

  assigned(partitions: readonly AssignedPartition[]): void {
    for (const assigned of partitions) {
      this.#resumes.watch(this.#partitions.add(assigned))
      this.#log.info({ partition: assigned.partition, offset: assigned.startOffset }, 'partition assigned')
      if (partitionAssigned.hasSubscribers) {
        const { startOffset } = assigned
        partitionAssigned.publish({ ...this.#partitionMessage(assigned), startOffset } satisfies AssignedMessage)
      }
    }
    this.#parts.report({ kind: 'running' })
  }

  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    const going = this.#partitions.find(partitions)
    for (const owned of going) this.#leave(owned)
    // Not for the whole batches: one that is tried again for the partitions that stay must not keep the others.
    const free = Promise.all(going.map(({ lane }) => this.#whenFree(lane)))
    if (!(await this.#within(free, this.#drainMs))) {
      const busy = going.filter(({ lane }) => lane.busy).map(({ partition }) => partition)
      this.#log.warn({ partitions: busy }, 'calls still in flight when their partitions go: they will be repeated')
    }
    await this.#committer.flush(going)
    for (const owned of going) this.#close(owned)
    this.#schedulePump()
  }

  lost(partitions: readonly TopicPartition[]): void {
    for (const owned of this.#partitions.find(partitions)) {
      this.#log.warn(
        { partition: owned.partition },
        'partition lost: calls in flight will be repeated by its new owner'
      )
      this.#leave(owned)
      this.#close(owned)
    }
    this.#schedulePump()
  }

  fetched(block: Block): void {
    const owned = this.#partitions.get(block)
    if (owned === undefined || owned.lane.leaving || this.#mode !== 'running') {
      block.finish(block.count)
      return
    }
    const before = owned.ledger.committable
    this.#counters.add('PolledEventCount', block.count)
    // Before the filter takes records out: their columns may go with them.
    const fetched = recordsFetched.hasSubscribers ? { ...this.#partitionMessage(block), ...spanOf(block) } : undefined
    const polled = block.count
    this.#filter?.apply(block)
    if (fetched !== undefined) {
      const records = block.count
      recordsFetched.publish({ ...fetched, records, filteredOut: polled - records } satisfies FetchedMessage)
    }
    owned.receive(block, this.#parts.clock.monotonicMs())
    if (owned.ledger.committable > before) this.#committer.note()
    this.#partitions.grew(owned)
    this.#assembler.offer(owned.lane)
    this.#schedulePump()
  }

  skipped(partition: TopicPartition, nextOffset: number): void {
    const owned = this.#partitions.get(partition)
    if (owned === undefined) return
    owned.skip(nextOffset)
    this.#assembler.offer(owned.lane)
    this.#schedulePump()
    this.#committer.note()
  }

  jumped(partition: TopicPartition, from: number, to: number): void {
    this.#log.warn({ partition: partition.partition, from, to }, 'offset is not in the log: reading goes on elsewhere')
    const owned = this.#partitions.get(partition)
    if (owned === undefined) return
    if (to >= owned.ledger.next) this.skipped(partition, to)
    else {
      owned.cut(to)
      for (const delivery of this.#deliveries.keys()) delivery.cut(owned.lane, to)
      if (owned.lane.records === 0) this.#assembler.withdraw(owned.lane)
      this.#shrank()
      this.#committer.note()
    }
  }

  wants(partition: TopicPartition): boolean {
    return this.#mode === 'running' && this.#partitions.wants(partition)
  }

  problem(problem: ConsumerProblem | undefined): void {
    this.#result.source(problem)
    // A source that cannot be reached is a state to show, not a start that failed (reference 1.6). Told after the problem:
    // a poller that runs and has told of none has none.
    if (problem !== undefined) this.#parts.report({ kind: 'running' })
  }

  // ---- batches

  /** Once a turn, so that the blocks of one fetch make one decision. */
  #schedulePump(): void {
    if (this.#pumpQueued) return
    this.#pumpQueued = true
    queueMicrotask(() => {
      this.#pumpQueued = false
      this.#pump()
    })
  }

  #pump(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    while (this.#mode === 'running' && this.#places.free && this.#mayCall()) {
      const now = this.#parts.clock.monotonicMs()
      if (this.#parts.consumer.inDoubt) return this.#wakeAt(now + doubtPauseMs, now)
      // Base64, and what stands around it.
      const payloadBytes = this.#memory.eventBytes / 2
      const batch = this.#assembler.next(now, this.#partitions.short, payloadBytes)
      if (batch === undefined) {
        this.#wakeAt(this.#assembler.deadline(), now)
        return
      }
      void this.#places.take()
      const delivery = new Delivery(batch, this.#world)
      this.#deliveries.set(delivery, this.#deliver(delivery))
    }
  }

  /** Events that are out are held, too; a poller without one may always make one, whatever others hold. */
  #mayCall(): boolean {
    if (this.#places.idle || this.#memory.hasRoomFor('events')) return true
    this.#memory.wait('events')
    return false
  }

  #wakeAt(deadline: number | undefined, now: number): void {
    if (deadline === undefined) return
    this.#cancelTimer = this.#parts.clock.after(Math.max(1, deadline - now), () => {
      this.#pump()
    })
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { records } = delivery
    try {
      await delivery.run()
    } catch (error) {
      // A bug of ours: what became of the batch is not known, so this poller must not go on.
      this.#log.error({ err: error, requestId: delivery.requestId }, 'delivery broke')
      this.#parts.report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
    }
    this.#deliveries.delete(delivery)
    this.#events.ended(delivery, records)
    this.#pump()
  }

  #deliveryWorld(policy: RetryPolicy, encoder: EventEncoder): DeliveryWorld {
    const { clock, invoker, buffers, newRequestId, strictAws = false } = this.#parts
    const { mapping, spec } = this.#assignment
    return {
      mapping,
      ...(spec.qualifier === undefined ? {} : { qualifier: spec.qualifier }),
      policy,
      itemFailures: { indexes: !strictAws },
      encoder,
      buffers,
      invoker,
      clock,
      places: this.#places,
      newRequestId,
      inDoubt: () => this.#parts.consumer.inDoubt === true,
      settle: ({ lane, slices }) => {
        const owned = this.#partitions.owner(lane)
        for (const slice of slices) owned.settle(slice)
        this.#result.settled()
        this.#committer.note()
        this.#shrank()
      },
      forget: ({ lane, slices }) => {
        const owned = this.#partitions.owner(lane)
        for (const slice of slices) owned.forget(slice)
        this.#shrank()
      },
      putBack: (share, arrivedAt) => {
        if (share.lane.leaving) this.#world.forget(share)
        else this.#partitions.owner(share.lane).putBack(share.slices, arrivedAt)
      },
      free: lane => {
        lane.busy = false
        this.#freed.get(lane)?.()
        this.#freed.delete(lane)
        this.#assembler.offer(lane)
        this.#schedulePump()
      },
      bind: (lane, pieces, until) => {
        this.#partitions.owner(lane).ledger.bind(pieces, until)
        this.#committer.note()
      },
      calling: (delivery, records) => {
        this.#events.calling(delivery, records)
      },
      called: (delivery, call) => {
        this.#events.called(delivery, call)
      },
      giveUp: async (delivery, given, tries, signal) => {
        const held = await this.#failures.take(given, tries, signal)
        if (held !== undefined) this.#events.held(delivery, held.error)
        return held?.waitMs
      }
    }
  }

  // ---- partitions

  /** Sends nothing more of the partition. What waits is given up: whoever reads it next fetches it again. */
  #leave(owned: OwnedPartition): void {
    owned.lane.leaving = true
    this.#assembler.withdraw(owned.lane)
    for (const slice of owned.lane.clear()) owned.forget(slice)
    for (const delivery of this.#deliveries.keys()) delivery.wake()
  }

  #close(owned: OwnedPartition): void {
    this.#partitions.close(owned)
    this.#resumes.forget(owned)
    this.#log.info({ partition: owned.partition, offset: owned.committed }, 'partition released')
    if (partitionReleased.hasSubscribers) partitionReleased.publish(this.#partitionMessage(owned))
  }

  /** What an earlier owner left is not there, and will not be. */
  #goOn(owned: OwnedPartition): void {
    const { partition, ledger } = owned
    this.#log.warn({ partition, end: ledger.next }, 'the log ends before what its last owner was doing: it was cut')
    owned.awaitNoMore()
    this.#assembler.offer(owned.lane)
    this.#schedulePump()
  }

  /** Resolves when no batch holds the lane. */
  #whenFree(lane: Lane): Promise<void> {
    if (!lane.busy) return Promise.resolve()
    return new Promise(resolve => {
      this.#freed.set(lane, resolve)
    })
  }

  #shrank(): void {
    if (this.#partitions.shrank()) this.#parts.consumer.resume()
  }

  #partitionMessage({ topic, partition }: TopicPartition): PartitionMessage {
    return { mapping: this.#assignment.mapping, topic, partition }
  }

  /** True when `work` ended in time. */
  #within(work: Promise<unknown>, withinMs: number): Promise<boolean> {
    return new Promise(resolve => {
      const cancel = this.#parts.clock.after(withinMs, () => {
        resolve(false)
      })
      void work.then(() => {
        cancel()
        resolve(true)
      })
    })
  }
}

const spanOf = ({ offsets, count }: Block) => ({ first: offsets[0]!, last: offsets[count - 1]! })

/** What the mapping's events say of their source. */
function eventSource({ spec, bootstrapServers }: PollerAssignment): EventSourceFields {
  const { source } = spec
  return source.kind === 'msk'
    ? { kind: source.kind, bootstrapServers, arn: source.arn }
    : { kind: source.kind, bootstrapServers }
}

function destinationOf(
  { destination: target }: PollerAssignment,
  { destination: adapter }: PollerParts
): Pick<FailureRouteParts, 'destination'> {
  return target === undefined || adapter === undefined ? {} : { destination: { target, adapter } }
}
