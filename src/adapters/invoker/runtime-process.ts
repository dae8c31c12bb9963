import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../ports/clock.ts'
import { answerTooLarge, maxAnswerBytes } from './http-reply.ts'
import { exitFault, timeoutFault, type RuntimeFault } from './local-function.ts'
import { marked, type ProcessMark } from './process-mark.ts'
import type { RuntimeProgram } from './runtime-program.ts'

/** One call for the runtime. */
export interface RuntimeCall {
  readonly requestId: string
  /** With the qualifier, when the caller named one. */
  readonly functionArn: string
  /** As X-Ray writes it: `Root=…;Sampled=0`. */
  readonly traceId: string
  /** JSON in ASCII. */
  readonly clientContext: string | undefined
  readonly event: readonly Buffer[]
  readonly timeoutMs: number
  /** Called exactly once. */
  ended(end: CallEnd): void
}

export type CallEnd =
  | { readonly kind: 'returned'; readonly payload: Buffer }
  /** JSON of the runtime, or what was wrong with its answer. */
  | { readonly kind: 'failed'; readonly error: Buffer | RuntimeFault }
  /** The process ended, or had to be. */
  | { readonly kind: 'crashed'; readonly error: RuntimeFault }

/** Why a process never asked for work. */
export type StartFailure =
  /** Its own fault; `error` as for a call. */
  | { readonly kind: 'fault'; readonly error: Buffer | ((requestId: string) => RuntimeFault) }
  /** The machine could not make a process. */
  | { readonly kind: 'no-process'; readonly message: string }

export interface RuntimeOwner {
  spawned(process: RuntimeProcess, child: SpawnedChild): void
  /** It waits for its first call, so long after its start. */
  ready(process: RuntimeProcess, initMs: number): void
  /** It waits for a call. */
  idle(process: RuntimeProcess): void
  /** It has gone, and so has all it started. */
  gone(process: RuntimeProcess, failure: StartFailure | undefined): void
}

export type SpawnedChild = ChildProcess & { readonly pid: number }

/** Lambda's limit from start to the first `next`. */
const initTimeoutMs = 10_000
/** A killed process that does not go by then (it hangs in the kernel) holds nobody up. */
const killPatienceMs = 2_000
const outputPatienceMs = 250
/** For a handler of SIGTERM. */
const terminationMs = 1_000

/** What is wrong with the program or its environment; anything else is the machine's. */
const ownFaults = new Set([
  'ENOENT',
  'EACCES',
  'ENOTDIR',
  'ENOEXEC',
  'EISDIR',
  'E2BIG',
  'ELOOP',
  'ERR_INVALID_ARG_VALUE'
])

/** As AWS's Node runtime calls what cannot be done with a stream. */
const streamed: RuntimeFault = {
  errorType: 'Runtime.InvalidStreamingOperation',
  errorMessage: 'Response streaming is not supported: a mapping needs the whole answer of its function at once.'
}

const route =
  /^\/2018-06-01\/runtime\/(?:init\/(?<init>error)|invocation\/(?:(?<next>next)|(?<id>[^/]+)\/(?<end>response|error|taken)))$/

/**
 * One process of a function with its own Lambda Runtime API
 * (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
 *
 * starting   has not asked for work yet              → idle, ended
 * idle       its `next` is held open                 → busy, starting (dropped its `next`), ended
 * busy       runs a call                             → returning, ended
 * returning  has answered, not yet asked for more    → idle, ended
 * ended      the process has gone
 */
export class RuntimeProcess {
  state: 'starting' | 'idle' | 'busy' | 'returning' | 'ended' = 'starting'
  /** Calls it has answered. */
  answered = 0
  /** The call it runs, or ran last: whose its output is. */
  requestId: string | undefined
  /** Of the process and of what it starts, once it is spawned. */
  mark: ProcessMark = ''
  readonly #program: RuntimeProgram
  #startedMs = 0
  #isReady = false
  readonly #owner: RuntimeOwner
  readonly #clock: Clock
  readonly #server = http.createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (request, response) =>
    this.#route(request, response)
  )
  #address = ''
  #child: ChildProcess | undefined
  #held: http.ServerResponse | undefined
  #call: RuntimeCall | undefined
  /** Who waits to hear that the answer of the call is here. */
  readonly #untold: http.ServerResponse[] = []
  /** An answer on its way in. */
  #incoming: http.IncomingMessage | undefined
  #initError: Buffer | undefined
  #overdue: 'init' | 'call' | undefined
  #stopTimer: () => void = () => {}
  /** Not `#stopTimer`: to ask for work does not save a process that is to end. */
  #stopEnding: (() => void) | undefined

  constructor(program: RuntimeProgram, owner: RuntimeOwner, clock: Clock) {
    this.#program = program
    this.#owner = owner
    this.#clock = clock
  }

  get instance(): string {
    return this.#program.instance
  }

  get inspectPort(): number | undefined {
    return this.#program.inspectPort
  }

  /** Never rejects: what goes wrong is told to the owner. */
  async start(): Promise<void> {
    this.#startedMs = this.#clock.monotonicMs()
    this.#awaitNext()
    this.#server.on('clientError', (_error, socket) => socket.destroy())
    try {
      this.#server.listen(0, '127.0.0.1')
      await once(this.#server, 'listening')
    } catch (error) {
      return this.#end({ kind: 'no-process', message: `no Runtime API: ${String(error)}` })
    }
    if (this.state === 'ended') return void this.#server.close()
    this.#address = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    let child: ChildProcess
    try {
      child = this.#spawn()
    } catch (error) {
      return this.#notSpawned(error as NodeJS.ErrnoException)
    }
    this.#child = child
    child.stdio[3]?.on('error', () => {})
    child.on('error', error => this.#notSpawned(error))
    child.on('exit', (code, signal) => {
      killGroup(child, 'SIGKILL')
      // What it said last is logged before its end is told; a stranger may hold its output open, so not for ever.
      const stopTimer = this.#clock.after(outputPatienceMs, () => this.#exited(code, signal))
      child.on('close', () => {
        stopTimer()
        this.#exited(code, signal)
      })
    })
    if (isSpawned(child)) this.#owner.spawned(this, child)
  }

  /** Throws for some failures; others come as 'error'. */
  #spawn(): ChildProcess {
    const { cwd } = this.#program
    const env = this.#program.environment(this.#address)
    const { file, args, mark } = marked({ ...this.#program, env })
    this.mark = mark
    return spawn(file, args, {
      cwd,
      env,
      // Its own group, so that all it starts can be ended with it, and so that Ctrl-C on the terminal is for us alone.
      detached: process.platform !== 'win32',
      // The fourth is never written: its end tells the process that we are gone.
      stdio: ['ignore', 'pipe', 'pipe', 'pipe']
    })
  }

  /** Only in state `idle`. */
  call(call: RuntimeCall): void {
    const held = this.#held
    if (this.state !== 'idle' || held === undefined) throw new Error(`a call for a process that is ${this.state}`)
    this.state = 'busy'
    this.#held = undefined
    this.#call = call
    this.requestId = call.requestId
    this.#stopTimer = this.#clock.after(call.timeoutMs, () => this.#late('call'))
    let bytes = 0
    for (const chunk of call.event) bytes += chunk.byteLength
    held.writeHead(200, {
      'content-type': 'application/json',
      'content-length': bytes,
      'lambda-runtime-aws-request-id': call.requestId,
      'lambda-runtime-deadline-ms': Math.round(this.#clock.now() + call.timeoutMs),
      'lambda-runtime-invoked-function-arn': call.functionArn,
      'lambda-runtime-trace-id': call.traceId,
      ...(call.clientContext === undefined ? {} : { 'lambda-runtime-client-context': call.clientContext })
    })
    for (const chunk of call.event) held.write(chunk)
    held.end()
  }

  /** For one that runs no call: it may tidy up, for a moment. */
  end(): void {
    this.kill('SIGTERM')
    if (this.state !== 'ended') this.#stopEnding ??= this.#clock.after(terminationMs, () => this.kill('SIGKILL'))
  }

  /** Ends it with all it started. */
  kill(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): void {
    if (this.state === 'ended') return
    if (this.#child?.pid === undefined) this.#end(undefined)
    else killGroup(this.#child, signal)
  }

  #route(request: http.IncomingMessage, response: http.ServerResponse): void {
    request.on('error', () => {}) // the process has gone: told by 'exit'
    response.on('error', () => {})
    const { token } = this.#program
    // A page in a browser on this machine must not be able to take calls: it cannot choose these.
    if (
      request.headers.host !== this.#address ||
      (token !== undefined && request.headers['x-millrace-token'] !== token)
    ) {
      return refuse(request, response, 403, 'Forbidden', 'This Runtime API belongs to another process.')
    }
    const found = route.exec(request.url ?? '')?.groups
    const method = found?.['next'] === undefined && found?.['end'] !== 'taken' ? 'POST' : 'GET'
    if (found === undefined || request.method !== method) {
      return refuse(request, response, 404, 'NotFound', `The Runtime API has no ${request.method} ${request.url}.`)
    }
    if (found['next'] !== undefined) this.#next(request, response)
    else if (found['init'] !== undefined) this.#takeInitError(request, response)
    else if (found['end'] === 'taken') this.#tellTaken(response, found['id'] ?? '')
    else this.#takeAnswer(request, response, found['id'] ?? '', found['end'] === 'error')
  }

  #next(request: http.IncomingMessage, response: http.ServerResponse): void {
    if (this.state !== 'starting' && this.state !== 'returning') {
      return refuse(request, response, 403, 'InvalidStateTransition', `next is not to be asked while ${this.state}`)
    }
    this.#stopTimer()
    this.state = 'idle'
    this.#held = response
    response.on('close', () => {
      if (this.#held !== response) return
      // It hung up without ending: it may ask again, but not wait for ever.
      this.#held = undefined
      this.state = 'starting'
      this.#awaitNext()
    })
    if (!this.#isReady) this.#owner.ready(this, this.#clock.monotonicMs() - this.#startedMs)
    this.#isReady = true
    this.#owner.idle(this)
  }

  #awaitNext(): void {
    if (this.#program.inspectPort !== undefined) return // it may stand at a breakpoint
    this.#stopTimer = this.#clock.after(initTimeoutMs, () => this.#late('init'))
  }

  #takeInitError(request: http.IncomingMessage, response: http.ServerResponse): void {
    collect(request, body => {
      if (this.state === 'starting') this.#initError = body
      accept(response)
    })
  }

  #takeAnswer(request: http.IncomingMessage, response: http.ServerResponse, id: string, isError: boolean): void {
    if (this.#call?.requestId !== id || this.#incoming !== undefined) {
      return refuse(request, response, 400, 'InvalidRequestID', 'Invalid request ID')
    }
    this.#incoming = request
    request.on('close', () => (this.#incoming = undefined))
    if (request.headers['lambda-runtime-function-response-mode'] === 'streaming') {
      refuse(request, response, 400, streamed.errorType, streamed.errorMessage)
      return this.#finish({ kind: 'failed', error: streamed })
    }
    collect(request, body => {
      this.#incoming = undefined
      // Cut by the timeout while it came in.
      if (this.#call?.requestId !== id) return refuse(request, response, 400, 'InvalidRequestID', 'Invalid request ID')
      if (body === undefined) {
        refuse(request, response, 413, 'RequestEntityTooLarge', answerTooLarge.errorMessage)
        return this.#finish({ kind: 'failed', error: answerTooLarge })
      }
      // As our own bootstrap asks: the answer to this is the next call.
      const wantsNext = request.headers['x-millrace-next'] !== undefined
      if (!wantsNext) accept(response)
      this.#finish(isError ? { kind: 'failed', error: body } : { kind: 'returned', payload: body })
      if (wantsNext) this.#next(request, response)
    })
  }

  /** For our own bootstrap, which may only end when its answer is here. */
  #tellTaken(response: http.ServerResponse, id: string): void {
    if (this.#call?.requestId === id) this.#untold.push(response)
    else accept(response)
  }

  #finish(end: CallEnd): void {
    const call = this.#call
    if (call === undefined) return
    this.#call = undefined
    for (const response of this.#untold.splice(0)) accept(response)
    this.answered += 1
    // The call's time goes on until it asks for more, as Lambda's does.
    if (this.state === 'busy') this.state = 'returning'
    call.ended(end)
  }

  #late(what: 'init' | 'call'): void {
    this.#overdue = what
    this.kill()
    this.#stopTimer = this.#clock.after(killPatienceMs, () => this.#exited(null, 'SIGKILL'))
  }

  #notSpawned(error: NodeJS.ErrnoException): void {
    if (this.#child?.pid !== undefined) return // a signal that could not be sent: 'exit' will tell
    const { file, cwd } = this.#program
    const message = `cannot start ${file} in ${cwd}: ${error.code ?? error.message}`
    const isOwnFault = ownFaults.has(error.code ?? '')
    const fault = { errorType: 'Runtime.InvalidEntrypoint', errorMessage: `Error: ${message}` }
    this.#end(isOwnFault ? { kind: 'fault', error: () => fault } : { kind: 'no-process', message })
  }

  #exited(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.state === 'ended') return
    // Its last answer may still be on the way to us.
    if (this.#incoming !== undefined && this.#overdue === undefined) {
      this.#incoming.once('close', () => this.#exited(code, signal))
      return
    }
    const wasStarting = !this.#isReady
    const call = this.#call
    if (call !== undefined) {
      const { requestId, timeoutMs } = call
      const error = this.#overdue === 'call' ? timeoutFault(requestId, timeoutMs) : exitFault(requestId, code, signal)
      this.#call = undefined
      call.ended({ kind: 'crashed', error })
    }
    this.#end(wasStarting ? this.#startFailure(code, signal) : undefined)
  }

  #startFailure(code: number | null, signal: NodeJS.Signals | null): StartFailure {
    if (this.#initError !== undefined) return { kind: 'fault', error: this.#initError }
    if (this.#overdue !== 'init') return { kind: 'fault', error: requestId => exitFault(requestId, code, signal) }
    const seconds = (initTimeoutMs / 1_000).toFixed(2)
    const text = (requestId: string) =>
      `RequestId: ${requestId} Error: the runtime did not ask for work within ${seconds} seconds`
    return { kind: 'fault', error: requestId => ({ errorType: 'Sandbox.Timedout', errorMessage: text(requestId) }) }
  }

  #end(failure: StartFailure | undefined): void {
    if (this.state === 'ended') return
    this.state = 'ended'
    this.#held = undefined
    this.#stopTimer()
    this.#stopEnding?.()
    this.#child?.stdio[3]?.destroy()
    if (this.#server.listening) this.#server.close()
    this.#server.closeAllConnections()
    this.#owner.gone(this, failure)
  }
}

const isSpawned = (child: ChildProcess): child is SpawnedChild => child.pid !== undefined

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch {
    // Nobody of the group is left.
  }
}

/** `undefined`: longer than an answer may be; the rest is read and dropped. */
function collect(request: http.IncomingMessage, done: (body: Buffer | undefined) => void): void {
  const chunks: Buffer[] = []
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength
    if (bytes <= maxAnswerBytes) chunks.push(chunk)
    else chunks.length = 0
  })
  request.on('end', () => done(bytes > maxAnswerBytes ? undefined : Buffer.concat(chunks, bytes)))
}

function accept(response: http.ServerResponse): void {
  response.writeHead(202, { 'content-type': 'application/json', 'content-length': 16 }).end('{"status":"OK"}\n')
}

function refuse(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  status: number,
  errorType: string,
  errorMessage: string
): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ errorMessage, errorType }))
  request.resume()
}
