import { BatchAssembler, type LaneShare } from '../core/batch/assembler.ts'
import type { Lane } from '../core/batch/lane.ts'
import { EventEncoder, maxEventBytes } from '../core/event/encoder.ts'
import { defaultParallelizationFactor, windowMs } from '../core/mapping/mapping.ts'
import type { Block, Slice, TopicPartition } from '../core/record.ts'
import type { Step } from '../core/retry/plan.ts'
import type { Clock } from '../ports/clock.ts'
import type { AssignedPartition, Consumer, ConsumerListener, ConsumerProblem } from '../ports/consumer.ts'
import type { Invoker } from '../ports/invoker.ts'
import type { Log } from '../ports/log.ts'
import type { PollerAssignment, PollerReport } from '../ports/poller-host.ts'
import {
  batchRetried,
  batchSettled,
  type BatchMessage,
  type DropMessage,
  partitionAssigned,
  type PartitionMessage,
  partitionReleased,
  recordDropped,
  type RetryMessage
} from './channels.ts'
import { Committer } from './committer.ts'
import { Delivery, type DeliveryWorld } from './delivery.ts'
import type { EventBuffers } from './event-buffers.ts'
import { type OwnedPartition, OwnedPartitions } from './owned-partitions.ts'
import { Places } from './places.ts'
import { ProcessingResult } from './processing-result.ts'

export interface PollerParts {
  readonly consumer: Consumer
  readonly invoker: Invoker
  readonly clock: Clock
  readonly log: Log
  readonly buffers: EventBuffers
  readonly report: (report: PollerReport) => void
  readonly newRequestId: () => string
}

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
  readonly #partitions: OwnedPartitions
  readonly #result: ProcessingResult
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
      windowMs: windowMs(spec)
    })
    this.#partitions = new OwnedPartitions(assignment.budgetBytes)
    this.#committer = new Committer(mapping, parts.consumer, parts.clock, this.#log, () => this.#partitions.all())
    this.#result = new ProcessingResult(parts.report)
    this.#world = this.#deliveryWorld()
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
    await this.#parts.invoker.close()
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
      this.#partitions.add(assigned)
      this.#log.info({ partition: assigned.partition, offset: assigned.startOffset }, 'partition assigned')
      if (partitionAssigned.hasSubscribers) partitionAssigned.publish(this.#partitionMessage(assigned))
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
    owned.receive(block, this.#parts.clock.monotonicMs())
    this.#partitions.grew(owned)
    this.#assembler.offer(owned.lane)
    this.#schedulePump()
  }

  skipped(partition: TopicPartition, nextOffset: number): void {
    this.#partitions.get(partition)?.ledger.skipped(nextOffset)
    this.#committer.note()
  }

  jumped(partition: TopicPartition, from: number, to: number): void {
    this.#log.warn({ partition: partition.partition, from, to }, 'offset is not in the log: reading goes on elsewhere')
    const owned = this.#partitions.get(partition)
    if (owned === undefined) return
    if (to >= owned.ledger.next) this.skipped(partition, to)
    else {
      owned.cut(to)
      if (owned.lane.records === 0) this.#assembler.withdraw(owned.lane)
      this.#shrank(owned)
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
    while (this.#mode === 'running' && this.#places.free) {
      const now = this.#parts.clock.monotonicMs()
      const batch = this.#assembler.next(now, this.#partitions.short)
      if (batch === undefined) {
        this.#wakeAt(this.#assembler.deadline(), now)
        return
      }
      void this.#places.take()
      const delivery = new Delivery(batch, this.#world)
      this.#deliveries.set(delivery, this.#deliver(delivery))
    }
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
    this.#result.ended(delivery)
    if (batchSettled.hasSubscribers) batchSettled.publish(this.#batchMessage(delivery, records))
    this.#pump()
  }

  #deliveryWorld(): DeliveryWorld {
    const { clock, invoker, buffers, newRequestId } = this.#parts
    const { mapping, spec, bootstrapServers } = this.#assignment
    const source = { kind: spec.source.kind, bootstrapServers }
    return {
      mapping,
      ...(spec.qualifier === undefined ? {} : { qualifier: spec.qualifier }),
      encoder: new EventEncoder(spec.source.kind === 'msk' ? { ...source, arn: spec.source.arn } : source),
      buffers,
      invoker,
      clock,
      places: this.#places,
      newRequestId,
      settle: ({ lane }, slices) => {
        const owned = this.#partitions.owner(lane)
        for (const slice of slices) owned.settle(slice)
        this.#result.settled()
        this.#committer.note()
        this.#shrank(owned)
      },
      forget: ({ lane }, slices) => {
        const owned = this.#partitions.owner(lane)
        for (const slice of slices) owned.forget(slice)
        this.#shrank(owned)
      },
      putBack: (share, slices, arrivedAt) => {
        if (share.lane.leaving) this.#world.forget(share, slices)
        else this.#partitions.owner(share.lane).putBack(slices, arrivedAt)
      },
      free: ({ lane }) => {
        lane.busy = false
        this.#freed.get(lane)?.()
        this.#freed.delete(lane)
        this.#assembler.offer(lane)
        this.#schedulePump()
      },
      dropped: (share, slice, bytes) => {
        this.#dropped(share, slice, bytes)
      },
      retrying: (delivery, step) => {
        this.#retrying(delivery, step)
      }
    }
  }

  #dropped({ lane }: LaneShare, { block, from }: Slice, bytes: number): void {
    const { topic, partition } = lane
    const offset = block.offsets[from]!
    this.#log.warn({ partition, offset, bytes }, 'record dropped: the event would be larger than a function takes')
    const message: DropMessage = { mapping: this.#assignment.mapping, topic, partition, offset, bytes }
    if (recordDropped.hasSubscribers) recordDropped.publish(message)
  }

  #retrying(delivery: Delivery, { error, waitMs, attempt }: Extract<Step, { kind: 'again' }>): void {
    const { requestId, records, shares } = delivery
    const partitions = shares.map(({ lane }) => lane.partition)
    this.#log.warn(
      { requestId, records, partitions, error, waitMs: Math.round(waitMs), failures: attempt.failures },
      'function call failed: the batch is tried again'
    )
    if (batchRetried.hasSubscribers) {
      const message: RetryMessage = { ...this.#batchMessage(delivery, records), error, waitMs }
      batchRetried.publish(message)
    }
    this.#result.failing(delivery, error)
  }

  #batchMessage({ requestId, batch }: Delivery, records: number): BatchMessage {
    return { mapping: this.#assignment.mapping, requestId, records, reason: batch.reason }
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
    this.#log.info({ partition: owned.partition, offset: owned.committed }, 'partition released')
    if (partitionReleased.hasSubscribers) partitionReleased.publish(this.#partitionMessage(owned))
  }

  /** Resolves when no batch holds the lane. */
  #whenFree(lane: Lane): Promise<void> {
    if (!lane.busy) return Promise.resolve()
    return new Promise(resolve => {
      this.#freed.set(lane, resolve)
    })
  }

  #shrank(owned: OwnedPartition): void {
    if (this.#partitions.shrank(owned)) this.#parts.consumer.resume()
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
