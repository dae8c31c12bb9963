import { type DestinationTarget, parseDestination } from '../core/destination/target.ts'
import { assumedRole } from '../core/mapping/assumed-role.ts'
import type { Author, fleetOperations } from '../core/mapping/history.ts'
import { settledState, wanted } from '../core/mapping/lifecycle.ts'
import { type Mapping, type MappingSpec, processedOk, userInitiated } from '../core/mapping/mapping.ts'
import {
  describeProblem,
  problemOfError,
  problemPrefix,
  type ProcessingProblem
} from '../core/mapping/processing-result.ts'
import type { Clock } from '../ports/clock.ts'
import type { ClusterDirectory } from '../ports/clusters.ts'
import type { FunctionCatalog, FunctionTarget } from '../ports/functions.ts'
import type { Log } from '../ports/log.ts'
import type { MappingChange, MappingStore } from '../ports/mapping-store.ts'
import type { PollerAssignment, PollerHandle, PollerHost, PollerReport } from '../ports/poller-host.ts'
import type { MappingCounts } from './mapping-counts.ts'
import { BrokerWatch } from './broker-watch.ts'
import { Restarts } from './restarts.ts'

export interface RunnerWorld {
  readonly store: MappingStore
  readonly host: PollerHost
  readonly functions: FunctionCatalog
  readonly clusters: ClusterDirectory
  readonly clock: Clock
  readonly log: Log
  readonly counts: MappingCounts
  /** What all pollers of the process may hold together. */
  readonly budgetBytes: number
  /** A poller may take this long to finish its calls in flight when its mapping changes. */
  readonly graceMs: number
}

type FleetOperation = (typeof fleetOperations)[number]

interface Running {
  readonly specVersion: number
  readonly filters: readonly string[]
  readonly handle: PollerHandle
  readonly brokers: BrokerWatch
  /** It takes part in its group, or has said what keeps it from that. */
  up: boolean
  /** It has told a result of its own: what the store holds is no longer that of a poller before it. */
  told: boolean
}

/**
 * Brings what runs for one mapping in line with what the store wants, one step after another, and writes back what came
 * of it. Ask `look` as often as you like: it reads the store anew.
 */
export class MappingRunner {
  readonly uuid: string
  readonly #world: RunnerWorld
  readonly #log: Log
  readonly #restarts = new Restarts()
  readonly #onGone: () => void
  #running: Running | undefined
  #cancelRestart: (() => void) | undefined
  /** The specification that could not run: another one need not wait for the restart. */
  #failedVersion: number | undefined
  #queue: Promise<void> = Promise.resolve()
  #looking = false
  #halted = false
  /** Ends waits for others when this is halted. */
  readonly #halting = Promise.withResolvers<undefined>()

  /** `onGone`: the mapping is no longer in the store, and nothing of it runs. */
  constructor(uuid: string, world: RunnerWorld, onGone: () => void) {
    this.uuid = uuid
    this.#onGone = onGone
    this.#world = world
    this.#log = world.log.child({ mapping: uuid })
  }

  /** Something may have changed. */
  look(): void {
    if (this.#looking || this.#halted) return
    this.#looking = true
    this.#enqueue(async () => {
      this.#looking = false
      await this.#reconcile()
    })
  }

  /** Stops what runs; the mapping stays as it is in the store. */
  async halt(graceMs: number): Promise<void> {
    this.#halted = true
    this.#halting.resolve(undefined)
    this.#cancelRestart?.()
    const stopping = this.#stop(graceMs)
    await this.#queue
    await stopping
    await this.#stop(graceMs)
  }

  #enqueue(step: () => Promise<void>): void {
    this.#queue = this.#queue.then(step).catch(error => {
      this.#log.error({ err: error }, 'mapping could not be brought in line; it is tried again')
      this.#lookLater()
    })
  }

  async #reconcile(): Promise<void> {
    if (this.#halted) return
    const mapping = await this.#world.store.get(this.uuid)
    const wants = mapping === undefined ? 'stop' : wanted(mapping)
    const stale = this.#running !== undefined && this.#running.specVersion !== mapping?.specVersion
    if (wants !== 'run' || stale) await this.#stop(this.#world.graceMs)
    if (mapping === undefined) {
      this.#halted = true
      this.#onGone()
    } else if (wants === 'remove') {
      await this.#world.store.remove(this.uuid, mapping.version, this.#author('Removal'))
      this.look()
    } else if (wants === 'stop') await this.#settle(mapping)
    else if (this.#running === undefined) await this.#start(mapping)
    else if (this.#running.up) await this.#settle(mapping)
  }

  async #start(mapping: Mapping): Promise<void> {
    if (this.#cancelRestart !== undefined) {
      if (this.#failedVersion === mapping.specVersion) return
      this.#cancelRestart()
      this.#cancelRestart = undefined
    }
    const assignment = await this.#assignment(mapping)
    if (this.#halted || assignment === undefined) return
    this.#restarts.started(this.#world.clock.monotonicMs())
    const running: Running = {
      specVersion: mapping.specVersion,
      filters: mapping.spec.filters ?? [],
      up: false,
      told: false,
      brokers: new BrokerWatch({
        clusters: this.#world.clusters,
        clock: this.#world.clock,
        wish: mapping.spec,
        address: assignment.cluster,
        onMoved: () => {
          this.#log.warn({}, 'the cluster has other brokers now; another poller is started for them')
          if (this.#running === running) this.#enqueue(() => this.#stop(this.#world.graceMs))
          this.look()
        }
      }),
      handle: this.#world.host.open(assignment, report => {
        if (this.#running === running) this.#receive(running, report)
      })
    }
    this.#running = running
    this.#log.info({ topic: mapping.spec.topic, group: mapping.spec.consumerGroupId }, 'poller started')
  }

  /** Undefined when the mapping cannot run as it is configured: that is written down, and looked at again later. */
  async #assignment(mapping: Mapping): Promise<PollerAssignment | undefined> {
    const { spec } = mapping
    const { functions } = this.#world
    // By name alone when the ARN is no longer anybody's: region and account are the configuration's to change.
    const entry = functions.find(spec.functionName, withoutQualifier(spec)) ?? functions.find(spec.functionName)
    if (entry === undefined) {
      const message = `${spec.functionName} is not in the configuration: add it under "functions".`
      await this.#cannotRun(mapping, { kind: 'function-missing', message })
      return undefined
    }
    try {
      const cluster = await Promise.race([this.#world.clusters.address(spec), this.#halting.promise])
      if (cluster === undefined) return undefined
      return {
        mapping: mapping.uuid,
        specVersion: mapping.specVersion,
        spec,
        cluster,
        bootstrapServers: cluster.bootstrapServers.join(','),
        target: calledFor(spec, entry.target),
        ...destinationOf(spec),
        budgetBytes: this.#world.budgetBytes
      }
    } catch (error) {
      await this.#cannotRun(mapping, problemOfError(error))
      return undefined
    }
  }

  async #cannotRun(mapping: Mapping, problem: ProcessingProblem): Promise<void> {
    const { text, reason } = describeProblem(problem)
    this.#log.error({}, text)
    const change = { lastProcessingResult: text, stateTransitionReason: reason ?? userInitiated }
    await this.#write(mapping, change, 'ProcessingResult')
    const now = await this.#world.store.get(this.uuid)
    if (now !== undefined) await this.#settle(now)
    this.#failedVersion = mapping.specVersion
    this.#lookLater()
  }

  #receive(running: Running, report: PollerReport): void {
    switch (report.kind) {
      case 'running':
        if (running.up) return
        running.up = true
        if (!running.told) this.#enqueue(() => this.#heal())
        this.look()
        return
      case 'result':
        running.told = true
        running.brokers.told(report.text)
        this.#enqueue(() => this.#writeResult(report.text, report.reason ?? userInitiated))
        return
      case 'counts':
        this.#world.counts.add(this.uuid, report.counts)
        if (report.refusals !== undefined)
          this.#world.counts.refusals.add(this.uuid, running.filters, report.refusals, this.#world.clock.now())
        return
      case 'failed':
        this.#log.error({ error: report.message }, 'poller failed; another is started')
        // What is left of it must have gone before the next one joins the group.
        this.#failedVersion = running.specVersion
        this.#lookLater()
        this.#enqueue(() => this.#stop(0))
        return
      default:
        throw new Error(`unknown report ${JSON.stringify(report satisfies never)}`)
    }
  }

  /** What kept an earlier poller, or any poller at all, from working is over, even if there is no record to prove it by. */
  async #heal(): Promise<void> {
    const mapping = await this.#world.store.get(this.uuid)
    if (mapping?.lastProcessingResult.startsWith(problemPrefix)) await this.#writeResult(processedOk, userInitiated)
  }

  async #writeResult(text: string, reason: string): Promise<void> {
    for (;;) {
      const mapping = await this.#world.store.get(this.uuid)
      if (mapping === undefined) return
      if (mapping.lastProcessingResult === text && mapping.stateTransitionReason === reason) return
      const change = { lastProcessingResult: text, stateTransitionReason: reason }
      if (await this.#write(mapping, change, 'ProcessingResult')) return
    }
  }

  /** Ends a transition. When somebody else was faster, their change is looked at next. */
  async #settle(mapping: Mapping): Promise<void> {
    const state = settledState(mapping)
    if (state === undefined) return
    if (await this.#write(mapping, { state }, 'StateTransition')) this.#log.info({ state }, 'mapping settled')
    else this.look()
  }

  async #write(mapping: Mapping, change: MappingChange, operation: FleetOperation): Promise<boolean> {
    const { store } = this.#world
    return (await store.update(mapping.uuid, mapping.version, change, this.#author(operation))) !== undefined
  }

  #author(operation: FleetOperation): Author {
    return { who: 'fleet', operation, atMs: this.#world.clock.now() }
  }

  async #stop(graceMs: number): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    running.brokers.stop()
    await running.handle.stop(graceMs)
    if (this.#running === running) this.#running = undefined
    this.#log.info({}, 'poller stopped')
  }

  #lookLater(): void {
    if (this.#halted || this.#cancelRestart !== undefined) return
    const { clock } = this.#world
    const waitMs = this.#restarts.failed(clock.monotonicMs(), clock.chance())
    this.#cancelRestart = clock.after(waitMs, () => {
      this.#cancelRestart = undefined
      this.look()
    })
  }
}

/** It was checked when it was written: what strictness refuses never came into the store. */
function destinationOf({ destination, topic }: MappingSpec): { destination?: DestinationTarget } {
  if (destination === undefined) return {}
  return { destination: parseDestination(destination, { sourceTopic: topic, strictAws: false, provisioned: true }) }
}

/** A function without a role of its own is called in the mapping's. */
function calledFor({ tags }: MappingSpec, target: FunctionTarget): FunctionTarget {
  const role = assumedRole(tags)
  return target.kind === 'lambda' && role !== undefined ? { role, ...target } : target
}

const withoutQualifier = ({ functionArn, qualifier }: MappingSpec): string =>
  qualifier === undefined ? functionArn : functionArn.slice(0, -qualifier.length - 1)
