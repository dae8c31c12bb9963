import { randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseFunctionName } from '../../core/mapping/function-name.ts'
import type { Clock } from '../../ports/clock.ts'
import type { HttpTarget } from '../../ports/functions.ts'
import type { Log } from '../../ports/log.ts'
import type { Service } from '../../ports/service.ts'
import { FolderWatch } from './folder-watch.ts'
import type { OnFunctionEvent } from './function-event.ts'
import { FunctionRunner } from './function-runner.ts'
import { HostedCall, maxEventBytes } from './hosted-call.ts'
import type { LocalFunction } from './local-function.ts'
import { OrphanGuard } from './orphan-guard.ts'
import { runtimeOf, sourceDirOf } from './runtime-program.ts'

export type { FunctionEvent, OnFunctionEvent } from './function-event.ts'
export type { LocalFunction } from './local-function.ts'

/** How local functions are run, beside what each says itself. */
export interface HostingOptions {
  /** Calls go to new processes once a file of a function has changed, unless the function says otherwise. Default false. */
  readonly reload?: boolean
  /**
   * Port on loopback for a debugger of the first Node function; each further one has the next port (0: any free one, which the
   * function's output tells). Such a function has one process at a time and no time limit.
   */
  readonly inspect?: number
  /** A process without calls for so long is ended. Default 5 minutes. */
  readonly idleMs?: number
  /** Names of functions that have a process before their first call, and again once a file has changed. */
  readonly warm?: readonly string[]
  /** Hears what happens to the functions. Must not throw. */
  readonly onEvent?: OnFunctionEvent
}

export interface FunctionHostOptions extends HostingOptions {
  readonly functions: readonly LocalFunction[]
  readonly region: string
  readonly accountId: string
  readonly log: Log
  readonly clock: Clock
}

/** Beyond a function's own time: for the start of a process (10 s at most), a place in the queue, and the way. */
const patienceMs = 15_000
const defaultIdleMs = 300_000

/**
 * Runs local functions as child processes over the Lambda Runtime API, and offers them to pollers of any thread as plain
 * HTTP targets on loopback: their answers follow the rules of every HTTP function.
 */
export class FunctionHost implements Service {
  readonly #options: FunctionHostOptions
  readonly #clock: Clock
  readonly #token = randomBytes(32).toString('base64url')
  readonly #runners = new Map<string, FunctionRunner>()
  readonly #watches: FolderWatch[] = []
  #server: http.Server | undefined
  #guard: OrphanGuard | undefined
  #last: Promise<void> = Promise.resolve()
  #hurry = new AbortController()

  constructor(options: FunctionHostOptions) {
    this.#options = options
    this.#clock = options.clock
  }

  start(): Promise<void> {
    return this.#inTurn(() => this.#open())
  }

  /** A second stop with less grace shortens the first. */
  stop({ graceMs = 30_000 }: { readonly graceMs?: number } = {}): Promise<void> {
    const hurry = this.#hurry
    const stopTimer = this.#clock.after(graceMs, () => hurry.abort())
    if (graceMs <= 0) hurry.abort()
    return this.#inTurn(() => this.#close(hurry)).finally(stopTimer)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Where calls of a local function go, until the host is stopped. Throws for a name it does not have, and when it does not run. */
  target(name: string): HttpTarget {
    const runner = this.#runners.get(pathOf(name))
    const address = this.#server?.address() as AddressInfo | null | undefined
    if (runner === undefined || address === null || address === undefined) {
      throw new Error(`no local function ${name}: the host ${this.#server === undefined ? 'does not run' : 'has none'}`)
    }
    return {
      kind: 'http',
      url: `http://127.0.0.1:${address.port}${pathOf(name)}`,
      headers: { 'x-millrace-token': this.#token },
      timeoutMs: runner.timeoutMs + patienceMs,
      isOwn: true
    }
  }

  async #open(): Promise<void> {
    if (this.#server !== undefined) return
    this.#hurry = new AbortController()
    this.#guard = new OrphanGuard(this.#options.log)
    for (const fn of this.#options.functions) this.#runners.set(pathOf(fn.name), this.#runner(fn, this.#guard))
    // No timeouts: a call may wait in the queue with its event unread, and both ends are ours.
    const server = http.createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (request, response) =>
      this.#take(request, response)
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
    for (const name of this.#options.warm ?? []) this.#runners.get(pathOf(name))?.warm()
  }

  #runner(fn: LocalFunction, guard: OrphanGuard): FunctionRunner {
    const { log, region, reload = false, idleMs = defaultIdleMs, onEvent: tell = () => {} } = this.#options
    const { arn } = parseFunctionName(fn.name, this.#options)
    const clock = this.#clock
    const inspectPort = this.#inspectPort(fn)
    const isWarm = this.#options.warm?.includes(fn.name) === true
    const world = { home: { arn, region }, log, clock, guard, idleMs, isWarm, tell }
    const runner = new FunctionRunner(fn, inspectPort === undefined ? world : { ...world, inspectPort })
    if (fn.reload ?? reload) {
      const changed = (file: string) => runner.reload(file)
      this.#watches.push(new FolderWatch({ folder: sourceDirOf(fn), clock, log, changed }))
    }
    return runner
  }

  #inspectPort(fn: LocalFunction): number | undefined {
    const { inspect, functions } = this.#options
    if (inspect === undefined || runtimeOf(fn) !== 'node') return undefined
    return inspect === 0 ? 0 : inspect + functions.filter(each => runtimeOf(each) === 'node').indexOf(fn)
  }

  async #close(hurry: AbortController): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    const closed = once(server, 'close')
    server.close()
    for (const watch of this.#watches.splice(0)) watch.close()
    await Promise.all([...this.#runners.values()].map(runner => runner.stop(hurry.signal)))
    this.#runners.clear()
    this.#guard?.close()
    this.#server = undefined
    server.closeAllConnections()
    await closed
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(step)
    this.#last = turn.catch(() => {})
    return turn
  }

  #take(request: http.IncomingMessage, response: http.ServerResponse): void {
    const runner = this.#runners.get(request.url ?? '')
    const call = new HostedCall(request, response, gone => runner?.leave(gone))
    request.on('error', () => {}) // a caller that went away: told by the response's 'close'
    response.on('error', () => {})
    if (!this.#isOurs(request.headers['x-millrace-token'])) return call.forbidden()
    if (runner === undefined) return call.unavailable('There is no such local function.')
    if (Number(request.headers['content-length'] ?? 0) > maxEventBytes) return call.tooLarge()
    runner.take(call)
  }

  #isOurs(token: string | string[] | undefined): boolean {
    if (typeof token !== 'string' || token.length !== this.#token.length) return false
    return timingSafeEqual(Buffer.from(token, 'latin1'), Buffer.from(this.#token, 'latin1'))
  }
}

const pathOf = (name: string): string => `/functions/${encodeURIComponent(name)}`
