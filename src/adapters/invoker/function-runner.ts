import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { withQualifier } from '../../core/mapping/function-name.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { HostedCall } from './hosted-call.ts'
import type { LogTail } from './log-tail.ts'
import { environmentOf, type LocalFunction, type LocalFunctionHome } from './local-function.ts'
import type { OrphanGuard } from './orphan-guard.ts'
import { logOutput } from './output-log.ts'
import {
  RuntimeProcess,
  type CallEnd,
  type RuntimeOwner,
  type RuntimeProgram,
  type StartFailure
} from './runtime-process.ts'

export interface RunnerWorld {
  readonly home: LocalFunctionHome
  readonly log: Log
  readonly clock: Clock
  readonly guard: OrphanGuard
}

/** More are told to come again: whoever has so many calls open has lost count. */
const maxWaiting = 1_000
/** Kept of a caller's patience, so that a refusal arrives before it gives up. */
const refusalMarginMs = 500
/** For a handler of SIGTERM. */
const terminationMs = 1_000
/** What a call logged may still be in the pipe when its answer is here already. */
const logPatienceMs = 25

/** Same extension as ours: `.ts` from sources, `.js` as published. */
const bootstrap = fileURLToPath(new URL(`node-bootstrap${path.extname(import.meta.url)}`, import.meta.url))

/** Runs the calls of one local function: first come, first served, by at most `concurrency` processes that are started when needed. */
export class FunctionRunner {
  readonly timeoutMs: number
  readonly #function: LocalFunction
  readonly #world: RunnerWorld
  readonly #concurrency: number
  readonly #waiting: { readonly call: HostedCall; readonly stopTimer: () => void }[] = []
  readonly #processes = new Set<RuntimeProcess>()
  readonly #idle: RuntimeProcess[] = []
  /** By request id: where the lines of a call go beside our log. */
  readonly #tails = new Map<string, LogTail>()
  /** Processes in a row that ended without having answered anything. */
  #fruitless = 0
  #notBeforeMs = 0
  #stopBackoff: (() => void) | undefined
  #stopping = false
  #running = 0
  #tellQuiet: (() => void) | undefined

  constructor(fn: LocalFunction, world: RunnerWorld) {
    this.#function = fn
    this.#world = world
    this.timeoutMs = (fn.timeoutSeconds ?? 3) * 1_000
    this.#concurrency = fn.concurrency ?? 1
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
      for (const process of this.#processes) process.kill('SIGKILL')
    }
    if (!hurry.aborted) for (const process of this.#processes) process.kill('SIGTERM')
    const stopTimer = this.#world.clock.after(hurry.aborted ? 0 : terminationMs, kill)
    hurry.addEventListener('abort', kill)
    await gone
    hurry.removeEventListener('abort', kill)
    stopTimer()
  }

  #pump(): void {
    while (this.#waiting.length > 0) {
      const process = this.#idle.pop()
      if (process === undefined) break
      if (process.state !== 'idle') continue
      const waiting = this.#waiting.shift()
      waiting?.stopTimer()
      if (waiting !== undefined) this.#hand(waiting.call, process)
    }
    this.#startMore()
  }

  #hand(call: HostedCall, process: RuntimeProcess): void {
    this.#running += 1
    call.readEvent(event => {
      if (event === undefined) {
        this.#idle.push(process)
        return this.#ended()
      }
      if (process.state !== 'idle') {
        // It ended while the event was read: nothing ran.
        this.#waiting.unshift({ call, stopTimer: () => {} })
        return this.#ended()
      }
      if (call.logTail !== undefined) {
        this.#tails.set(call.requestId, call.logTail)
        call.logTail.line(`START RequestId: ${call.requestId} Version: ${call.qualifier ?? '$LATEST'}`)
      }
      const startedMs = this.#world.clock.monotonicMs()
      process.call({
        requestId: call.requestId,
        functionArn: withQualifier(this.#world.home.arn, call.qualifier),
        traceId: traceId(this.#world.clock.now()),
        event,
        timeoutMs: this.timeoutMs,
        ended: end => {
          this.#answer(call, end, this.#world.clock.monotonicMs() - startedMs)
          this.#ended()
        }
      })
    })
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
    else if (this.#stopping && !Buffer.isBuffer(end.error)) call.unavailable(this.#stoppingText())
    else call.failed(end.error)
  }

  #ended(): void {
    this.#running -= 1
    if (!this.#stopping) this.#pump()
    else if (this.#running === 0) this.#tellQuiet?.()
  }

  #startMore(): void {
    let starting = 0
    for (const { state } of this.#processes) if (state === 'starting' || state === 'returning') starting += 1
    while (!this.#stopping && starting < this.#waiting.length && this.#processes.size < this.#concurrency) {
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

  #start(): void {
    const instance = randomUUID()
    const process = new RuntimeProcess(this.#program(instance), this.#owner(instance), this.#world.clock)
    this.#processes.add(process)
    void process.start()
  }

  #owner(instance: string): RuntimeOwner {
    const { guard, clock, log } = this.#world
    let pid: number | undefined
    return {
      spawned: spawned => {
        pid = spawned
        guard.watch(pid)
        log.debug({ function: this.#function.name, instance, pid }, 'a process of the function was started')
      },
      output: child => {
        const fields = { function: this.#function.name, instance }
        const owner = [...this.#processes].find(process => process.pid === child.pid)
        const sinkOf = (level: 'info' | 'warn') => ({
          line: (text: string) => {
            log[level]({ ...fields, requestId: owner?.requestId }, text)
            this.#tails.get(owner?.requestId ?? '')?.line(text)
          },
          dropped: (bytes: number) =>
            log.warn({ ...fields, bytes }, 'output of the function was left out: too much of it')
        })
        if (child.stdout !== null) logOutput(child.stdout, sinkOf('info'), clock)
        if (child.stderr !== null) logOutput(child.stderr, sinkOf('warn'), clock)
      },
      idle: process => {
        this.#idle.push(process)
        this.#pump()
      },
      ended: (process, failure) => {
        if (pid !== undefined) guard.release(pid)
        this.#gone(process, failure)
      }
    }
  }

  #gone(process: RuntimeProcess, failure: StartFailure | undefined): void {
    this.#processes.delete(process)
    const at = this.#idle.indexOf(process)
    if (at !== -1) this.#idle.splice(at, 1)
    if (this.#stopping) {
      if (this.#processes.size === 0) this.#tellQuiet?.()
      return
    }
    this.#fruitless = process.answered > 0 ? 0 : this.#fruitless + 1
    // The first goes without a wait: one crash is one crash.
    const waitMs = this.#fruitless < 2 ? 0 : Math.min(5_000, 50 * 2 ** this.#fruitless)
    this.#notBeforeMs = this.#world.clock.monotonicMs() + waitMs
    const fields = {
      function: this.#function.name,
      waitMs,
      ...(failure === undefined ? {} : { error: textOf(failure) })
    }
    const { log } = this.#world
    if (failure === undefined) log.info(fields, 'a process of the function has ended')
    else log.error(fields, 'the function cannot be started')
    if (failure !== undefined && this.#processes.size === 0) this.#failWaiting(failure)
    this.#pump()
  }

  /** Nobody can run them: their callers hear why, and come again after their own backoff. */
  #failWaiting(failure: StartFailure): void {
    for (const { call, stopTimer } of this.#waiting.splice(0)) {
      stopTimer()
      if (failure.kind === 'no-process') call.unavailable(failure.message)
      else call.failed(Buffer.isBuffer(failure.error) ? failure.error : failure.error(call.requestId))
    }
  }

  #program(instance: string): RuntimeProgram {
    const fn = this.#function
    const base = globalThis.process.env
    const environment = (runtimeApi: string) => environmentOf(fn, this.#world.home, { runtimeApi, instance, base })
    const [file, ...args] = fn.command ?? []
    if (file !== undefined) {
      const found = file.includes('/') ? path.resolve(fn.baseDir, file) : file
      return { file: found, args, cwd: fn.baseDir, environment }
    }
    const token = randomUUID()
    return {
      file: globalThis.process.execPath,
      args: [bootstrap],
      cwd: fn.baseDir,
      environment: runtimeApi => ({ ...environment(runtimeApi), MILLRACE_RUNTIME_TOKEN: token }),
      token
    }
  }
}

/** A root of our own, not sampled: nobody traces yet. */
function traceId(nowMs: number): string {
  const seconds = Math.floor(nowMs / 1_000)
    .toString(16)
    .padStart(8, '0')
  return `Root=1-${seconds}-${randomUUID().replaceAll('-', '').slice(0, 24)};Sampled=0`
}

function textOf(failure: StartFailure): string {
  if (failure.kind === 'no-process') return failure.message
  if (!Buffer.isBuffer(failure.error)) return failure.error('-').errorMessage
  return failure.error.subarray(0, 2_048).toString('utf8')
}
