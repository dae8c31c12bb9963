import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { withQualifier } from '../../core/mapping/function-name.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { OnFunctionEvent } from './function-event.ts'
import type { HostedCall } from './hosted-call.ts'
import type { LogTail } from './log-tail.ts'
import type { LocalFunction, LocalFunctionHome, RuntimeFault } from './local-function.ts'
import { outcomeOf, wordsOf } from './runtime-fault.ts'
import type { OrphanGuard } from './orphan-guard.ts'
import { logOutput, type OutputSink } from './output-log.ts'
import {
  RuntimeProcess,
  type CallEnd,
  type RuntimeOwner,
  type SpawnedChild,
  type StartFailure
} from './runtime-process.ts'
import { programOf } from './runtime-program.ts'

export interface RunnerWorld {
  readonly home: LocalFunctionHome
  readonly log: Log
  readonly clock: Clock
  readonly guard: OrphanGuard
  /** A process without calls for so long is ended. */
  readonly idleMs: number
  /** After a change of its files a process is started for calls to come. */
  readonly isWarm: boolean
  readonly tell: OnFunctionEvent
  /** Of the debugger that looks at the function: it has one process at a time, and all the time it wants. */
  readonly inspectPort?: number
}

/** More are told to come again: whoever has so many calls open has lost count. */
const maxWaiting = 1_000
/** Kept of a caller's patience, so that a refusal arrives before it gives up. */
const refusalMarginMs = 500
/** What a call logged may still be in the pipe when its answer is here already. */
const logPatienceMs = 25

/** What a function may take while somebody looks at it with a debugger. */
const inspectedMs = 86_400_000

/** Runs the calls of one local function: first come, first served, by at most `concurrency` processes that are started when needed. */
export class FunctionRunner implements RuntimeOwner {
  readonly timeoutMs: number
  readonly #function: LocalFunction
  readonly #world: RunnerWorld
  readonly #concurrency: number
  readonly #waiting: { readonly call: HostedCall; readonly stopTimer: () => void }[] = []
  readonly #processes = new Set<RuntimeProcess>()
  /** Those of `#processes` that get no call any more: they run what was before a change. */
  readonly #draining = new Set<RuntimeProcess>()
  readonly #pids = new Map<RuntimeProcess, number>()
  /** The one that came last is used first: so those that are too many go idle. */
  readonly #idle: { readonly process: RuntimeProcess; readonly sinceMs: number }[] = []
  /** By request id: where the lines of a call go beside our log. */
  readonly #tails = new Map<string, LogTail>()
  /** Processes in a row that ended without having answered anything. */
  #fruitless = 0
  #notBeforeMs = 0
  #stopBackoff: (() => void) | undefined
  #stopSweep: (() => void) | undefined
  /** One process is to be there, though no call waits for it. */
  #isWanted = false
  #stopping = false
  #running = 0
  #tellQuiet: (() => void) | undefined

  constructor(fn: LocalFunction, world: RunnerWorld) {
    this.#function = fn
    this.#world = world
    this.timeoutMs = world.inspectPort === undefined ? (fn.timeoutSeconds ?? 3) * 1_000 : inspectedMs
    this.#concurrency = world.inspectPort === undefined ? (fn.concurrency ?? 1) : 1
  }

  /** Answers the call, sooner or later. */
  take(call: HostedCall): void {
    if (this.#stopping) return call.unavailable(this.#stoppingText())
    if (this.#waiting.length >= maxWaiting) return call.throttled()
    const giveUp = () => {
      this.leave(call)
      call.throttled()
    }
    const patienceMs = this.#patienceMs(call)
    const stopTimer = patienceMs === undefined ? () => {} : this.#world.clock.after(patienceMs, giveUp)
    this.#waiting.push({ call, stopTimer })
    this.#pump()
  }

  /** Starts a process for calls to come, where there is none. */
  warm(): void {
    this.#isWanted = true
    this.#pump()
  }

  /** How long the call may wait for a process: as long as it could still run to its end. `undefined`: until its caller leaves. */
  #patienceMs({ deadlineMs }: HostedCall): number | undefined {
    if (deadlineMs === undefined) return undefined
    const leftMs = deadlineMs - this.#world.clock.now() - refusalMarginMs
    const patienceMs = leftMs > this.timeoutMs ? leftMs - this.timeoutMs : leftMs
    return patienceMs > 0 ? patienceMs : undefined
  }

  /** The caller has gone: if its call still waits, it is not run. One that runs goes on, as on Lambda. */
  leave(call: HostedCall): void {
    const at = this.#waiting.findIndex(waiting => waiting.call === call)
    if (at !== -1) this.#waiting.splice(at, 1)[0]?.stopTimer()
  }

  /** Refuses what waits, lets what runs end until `hurry` fires, then ends the processes. */
  async stop(hurry: AbortSignal): Promise<void> {
    this.#stopping = true
    this.#stopBackoff?.()
    this.#stopSweep?.()
    for (const { call, stopTimer } of this.#waiting.splice(0)) {
      stopTimer()
      call.unavailable(this.#stoppingText())
    }
    const quiet = new Promise<void>(resolve => (this.#tellQuiet = resolve))
    if (this.#running > 0 && !hurry.aborted) await Promise.race([quiet, once(hurry, 'abort')])
    this.#tellQuiet = undefined
    await this.#endProcesses(hurry)
  }

  #stoppingText(): string {
    return `The function ${this.#function.name} is being stopped.`
  }

  async #endProcesses(hurry: AbortSignal): Promise<void> {
    if (this.#processes.size === 0) return
    const gone = new Promise<void>(resolve => (this.#tellQuiet = resolve))
    const kill = () => {
      for (const process of this.#processes) process.kill()
    }
    if (hurry.aborted) kill()
    else for (const process of this.#processes) process.end()
    hurry.addEventListener('abort', kill)
    await gone
    hurry.removeEventListener('abort', kill)
  }

  /** A file of the function changed: calls from here on go to new processes; those that run end where they are. */
  reload(file: string): void {
    if (this.#stopping) return
    for (const process of this.#processes) this.#draining.add(process)
    this.#idle.length = 0
    for (const process of this.#processes) {
      if (process.state === 'idle' || process.state === 'starting') process.end()
    }
    // What made earlier starts fail may be what changed.
    this.#fruitless = 0
    this.#notBeforeMs = 0
    this.#stopBackoff?.()
    this.#stopBackoff = undefined
    const { name } = this.#function
    this.#world.log.info({ function: name, file }, 'a file of the function changed: calls go to new processes')
    this.#world.tell({ kind: 'reloaded', function: name, file, draining: this.#running })
    this.#isWanted = this.#world.isWarm
    this.#pump()
  }

  #pump(): void {
    while (this.#waiting.length > 0) {
      const process = this.#idle.pop()?.process
      if (process === undefined) break
      if (process.state !== 'idle') continue
      const waiting = this.#waiting.shift()
      waiting?.stopTimer()
      if (waiting !== undefined) this.#hand(waiting.call, process)
    }
    this.#startMore()
  }

  /** It waits for a call. */
  idle(process: RuntimeProcess): void {
    if (this.#draining.has(process)) return process.end()
    this.#idle.push({ process, sinceMs: this.#world.clock.monotonicMs() })
    // A debugger stays attached.
    if (this.#world.inspectPort === undefined) {
      this.#stopSweep ??= this.#world.clock.after(this.#world.idleMs, () => this.#sweep())
    }
    this.#pump()
  }

  #sweep(): void {
    const { clock, idleMs } = this.#world
    const beforeMs = clock.monotonicMs() - idleMs
    for (let first = this.#idle[0]; first && first.sinceMs <= beforeMs; first = this.#idle[0]) {
      this.#idle.shift()
      this.#draining.add(first.process)
      first.process.end()
    }
    const next = this.#idle[0]
    this.#stopSweep =
      next === undefined ? undefined : clock.after(Math.max(1, next.sinceMs - beforeMs), () => this.#sweep())
  }

  #hand(call: HostedCall, process: RuntimeProcess): void {
    this.#running += 1
    call.readEvent(event => {
      if (event === undefined) {
        if (process.state === 'idle') this.idle(process)
        return this.#ended()
      }
      if (process.state !== 'idle' || this.#draining.has(process)) {
        // It ended, or its code is old, since it was chosen: nothing ran.
        if (process.state === 'idle') process.end()
        this.#waiting.unshift({ call, stopTimer: () => {} })
        return this.#ended()
      }
      this.#run(call, event, process)
    })
  }

  #run(call: HostedCall, event: readonly Buffer[], process: RuntimeProcess): void {
    const { requestId } = call
    const { home, clock, tell } = this.#world
    if (call.logTail !== undefined) {
      this.#tails.set(requestId, call.logTail)
      call.logTail.line(`START RequestId: ${requestId} Version: ${call.qualifier ?? '$LATEST'}`)
    }
    const startedMs = clock.monotonicMs()
    tell({ kind: 'called', ...this.#named(process), requestId })
    process.call({
      requestId,
      functionArn: withQualifier(home.arn, call.qualifier),
      traceId: call.traceId ?? ownTraceId(clock.now()),
      clientContext: call.clientContext,
      event,
      timeoutMs: this.timeoutMs,
      ended: end => {
        const tookMs = clock.monotonicMs() - startedMs
        if (end.kind === 'crashed') this.#crashed(process, call, end.error)
        tell({ kind: 'answered', ...this.#named(process), requestId, ...outcomeOf(end), tookMs })
        this.#answer(call, end, tookMs)
        this.#ended()
      }
    })
  }

  /** Logged as Lambda does. */
  #crashed(
    process: RuntimeProcess,
    { requestId, logTail }: HostedCall,
    { errorType, errorMessage }: RuntimeFault
  ): void {
    if (this.#stopping) return // by us
    const { clock, log, tell } = this.#world
    const line =
      errorType === 'Sandbox.Timedout'
        ? `${new Date(clock.now()).toISOString()} ${requestId} ${errorMessage.replace(/^RequestId: \S+ Error: /, '')}`
        : `${errorMessage}\n${errorType}`
    log.error({ ...this.#named(process), requestId }, line)
    logTail?.line(line)
    tell({ kind: 'crashed', ...this.#named(process), requestId, errorType, errorMessage })
  }

  #answer(call: HostedCall, end: CallEnd, tookMs: number): void {
    if (call.logTail !== undefined && this.#tails.has(call.requestId)) {
      this.#world.clock.after(logPatienceMs, () => {
        this.#tails.delete(call.requestId)
        const duration = `Duration: ${tookMs.toFixed(2)} ms`
        call.logTail?.line(`END RequestId: ${call.requestId}\nREPORT RequestId: ${call.requestId}\t${duration}`)
        this.#answer(call, end, tookMs)
      })
      return
    }
    if (end.kind === 'returned') call.returned(end.payload)
    // We ended it: not the function's failure.
    else if (this.#stopping && end.kind === 'crashed') call.unavailable(this.#stoppingText())
    else call.failed(end.error)
  }

  #ended(): void {
    this.#running -= 1
    if (!this.#stopping) this.#pump()
    else if (this.#running === 0) this.#tellQuiet?.()
  }

  #startMore(): void {
    let starting = 0
    for (const process of this.#processes) {
      const comes = process.state === 'starting' || process.state === 'returning'
      if (comes && !this.#draining.has(process)) starting += 1
    }
    const wanted = Math.max(
      this.#waiting.length,
      this.#isWanted && this.#processes.size === this.#draining.size ? 1 : 0
    )
    while (!this.#stopping && starting < wanted && this.#hasRoom()) {
      const waitMs = this.#notBeforeMs - this.#world.clock.monotonicMs()
      if (waitMs > 0) return this.#pumpAfter(waitMs)
      this.#start()
      starting += 1
    }
  }

  #pumpAfter(waitMs: number): void {
    this.#stopBackoff ??= this.#world.clock.after(waitMs, () => {
      this.#stopBackoff = undefined
      this.#pump()
    })
  }

  #hasRoom(): boolean {
    // An old process keeps the debugger's port until it has ended.
    const old = this.#world.inspectPort === undefined ? this.#draining.size : 0
    return this.#processes.size - old < this.#concurrency
  }

  #start(): void {
    const { home, clock, inspectPort } = this.#world
    this.#isWanted = false
    const process = new RuntimeProcess(programOf(this.#function, home, inspectPort), this, clock)
    this.#processes.add(process)
    void process.start()
  }

  spawned(process: RuntimeProcess, child: SpawnedChild): void {
    const { guard, clock, log, tell } = this.#world
    const { pid } = child
    this.#pids.set(process, pid)
    guard.watch(pid, { limit: process.mark, variable: `AWS_LAMBDA_LOG_STREAM_NAME=${process.instance}` })
    log.debug({ ...this.#named(process), pid }, 'a process of the function was started')
    const { inspectPort } = process
    tell({ kind: 'started', ...this.#named(process), pid, ...(inspectPort === undefined ? {} : { inspectPort }) })
    if (child.stdout !== null) logOutput(child.stdout, this.#sinkOf(process, 'stdout'), clock)
    if (child.stderr !== null) logOutput(child.stderr, this.#sinkOf(process, 'stderr'), clock)
  }

  #sinkOf(process: RuntimeProcess, stream: 'stdout' | 'stderr'): OutputSink {
    const { log, tell } = this.#world
    const fields = this.#named(process)
    const level = stream === 'stdout' ? 'info' : 'warn'
    return {
      line: text => {
        const { requestId } = process
        log[level]({ ...fields, requestId }, text)
        this.#tails.get(requestId ?? '')?.line(text)
        tell({ kind: 'line', ...fields, requestId, stream, text })
      },
      dropped: bytes => {
        log.warn({ ...fields, bytes }, 'output of the function was left out: too much of it')
        tell({ kind: 'dropped', ...fields, bytes })
      }
    }
  }

  ready(process: RuntimeProcess, initMs: number): void {
    this.#world.tell({ kind: 'ready', ...this.#named(process), initMs })
  }

  /** It has gone, and so has all it started. */
  gone(process: RuntimeProcess, failure: StartFailure | undefined): void {
    const { guard, tell } = this.#world
    const pid = this.#pids.get(process)
    if (pid !== undefined) guard.release(pid)
    this.#pids.delete(process)
    this.#processes.delete(process)
    const wasDraining = this.#draining.delete(process)
    const at = this.#idle.findIndex(idle => idle.process === process)
    if (at !== -1) this.#idle.splice(at, 1)
    tell({ kind: 'ended', ...this.#named(process) })
    if (this.#stopping) {
      if (this.#processes.size === 0) this.#tellQuiet?.()
      return
    }
    if (wasDraining)
      this.#world.log.debug(this.#named(process), 'a process of the function that was not needed has ended')
    else this.#lost(process, failure)
    this.#pump()
  }

  /** It ended although it was wanted. */
  #lost(process: RuntimeProcess, failure: StartFailure | undefined): void {
    const { clock, log, tell } = this.#world
    this.#fruitless = process.answered > 0 ? 0 : this.#fruitless + 1
    // The first goes without a wait: one crash is one crash.
    const waitMs = this.#fruitless < 2 ? 0 : Math.min(5_000, 50 * 2 ** this.#fruitless)
    this.#notBeforeMs = clock.monotonicMs() + waitMs
    const fields = { ...this.#named(process), waitMs }
    if (failure === undefined) return log.info(fields, 'a process of the function has ended')
    const { errorType, errorMessage } = wordsOf(failure)
    log.error({ ...fields, errorType, error: errorMessage }, 'the function cannot be started')
    tell({ kind: 'start-failed', ...this.#named(process), errorType, errorMessage })
    if (this.#processes.size === this.#draining.size) this.#failWaiting(failure)
  }

  #named({ instance }: RuntimeProcess): { function: string; instance: string } {
    return { function: this.#function.name, instance }
  }

  /** Nobody can run them: their callers hear why, and come again after their own backoff. */
  #failWaiting(failure: StartFailure): void {
    for (const { call, stopTimer } of this.#waiting.splice(0)) {
      stopTimer()
      if (failure.kind === 'no-process') call.unavailable(failure.message)
      else call.failed(Buffer.isBuffer(failure.error) ? failure.error : failure.error(call.requestId))
    }
  }
}

/** A root of our own, not sampled: for callers that trace nothing. */
function ownTraceId(nowMs: number): string {
  const seconds = Math.floor(nowMs / 1_000)
    .toString(16)
    .padStart(8, '0')
  return `Root=1-${seconds}-${randomUUID().replaceAll('-', '').slice(0, 24)};Sampled=0`
}
