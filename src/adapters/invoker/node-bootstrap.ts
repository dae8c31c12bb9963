// The Lambda runtime of local Node handlers: a process of its own, started by FunctionHost. It stands alone (nothing of
// ours is imported), so that the same file runs from sources and from the published package.
import { statSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

/** What AWS's Node runtime hands to a handler as `context`. Times in milliseconds. */
interface Context {
  callbackWaitsForEmptyEventLoop: boolean
  readonly functionName: string
  readonly functionVersion: string
  readonly invokedFunctionArn: string
  readonly memoryLimitInMB: string
  readonly awsRequestId: string
  /** As the caller gave it. */
  readonly clientContext: unknown
  /** Of callers through Amazon Cognito: there are none here. */
  readonly identity: undefined
  readonly logGroupName: string
  readonly logStreamName: string
  getRemainingTimeInMillis(): number
  done(error: unknown, result?: unknown): void
  succeed(result?: unknown): void
  fail(error: unknown): void
}
type Callback = (error?: unknown, result?: unknown) => void
type Handler = (event: unknown, context: Context, callback: Callback) => unknown

type Answer = { readonly kind: 'response'; readonly body: string } | { readonly kind: 'error'; readonly error: unknown }

interface Invocation {
  readonly requestId: string
  readonly deadlineMs: number
  readonly arn: string
  readonly traceId: string | undefined
  /** JSON; '' when the caller gave none. */
  readonly clientContext: string
  readonly event: string
}

class RuntimeError extends Error {
  constructor(name: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = name
  }
}

interface Reply {
  readonly status: number | undefined
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

function invocationOf({ headers, body }: Reply): Invocation {
  const header = (name: string) => headers[name]?.toString() ?? ''
  return {
    requestId: header('lambda-runtime-aws-request-id'),
    deadlineMs: Number(header('lambda-runtime-deadline-ms')),
    arn: header('lambda-runtime-invoked-function-arn'),
    traceId: headers['lambda-runtime-trace-id']?.toString(),
    clientContext: header('lambda-runtime-client-context'),
    event: body.toString()
  }
}

/** The Runtime API's client. Functions are taken now: a handler may replace those of `node:http` (tracing, mocks). */
class RuntimeApi {
  readonly #request = http.request
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  readonly #host: string
  readonly #port: number
  readonly #token: string

  constructor(address: string, token: string) {
    const colon = address.lastIndexOf(':')
    this.#host = address.slice(0, colon)
    this.#port = Number(address.slice(colon + 1))
    this.#token = token
  }

  async next(): Promise<Invocation> {
    return invocationOf(await this.#send('GET', 'invocation/next'))
  }

  /** Our host takes the answer and gives the next call in one exchange: half of what the Runtime API's two cost. */
  async answerAndNext(requestId: string, answer: Answer): Promise<Invocation> {
    const reply = await this.#answer(requestId, answer, { 'x-millrace-next': '1' })
    return reply.status === 200 ? invocationOf(reply) : this.next()
  }

  async answer(requestId: string, answer: Answer): Promise<void> {
    await this.#answer(requestId, answer)
  }

  /** Resolves when the host has all of an answer that was sent. */
  async taken(requestId: string): Promise<void> {
    await this.#send('GET', `invocation/${requestId}/taken`, undefined, undefined, false)
  }

  async initError(error: unknown): Promise<void> {
    await this.#sendError('init/error', error)
  }

  #answer(requestId: string, answer: Answer, more?: http.OutgoingHttpHeaders): Promise<Reply> {
    return answer.kind === 'response'
      ? this.#send('POST', `invocation/${requestId}/response`, answer.body, more)
      : this.#sendError(`invocation/${requestId}/error`, answer.error, more)
  }

  #sendError(where: string, thrown: unknown, more?: http.OutgoingHttpHeaders): Promise<Reply> {
    const shape = errorShape(thrown)
    // A header takes visible ASCII only, an error's name may hold anything.
    const errorType = shape.errorType.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 256)
    return this.#send('POST', where, JSON.stringify(shape), {
      ...more,
      'lambda-runtime-function-error-type': errorType
    })
  }

  #send(
    method: string,
    where: string,
    body?: string,
    more?: http.OutgoingHttpHeaders,
    agent: http.Agent | false = this.#agent
  ): Promise<Reply> {
    return new Promise(resolve => {
      const headers: http.OutgoingHttpHeaders = { 'x-millrace-token': this.#token, ...more }
      if (body !== undefined) {
        headers['content-type'] = 'application/json'
        headers['content-length'] = Buffer.byteLength(body)
      }
      const options = { agent, host: this.#host, port: this.#port, method, headers }
      const request = this.#request({ ...options, path: `/2018-06-01/runtime/${where}` }, response => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () =>
          resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) })
        )
        response.on('error', hostHasGone)
      })
      request.on('error', hostHasGone)
      request.end(body)
    })
  }
}

/** Nobody is left to answer: end, and take what the handler started along. */
function hostHasGone(): never {
  try {
    process.kill(-process.pid, 'SIGKILL')
  } catch {
    // Not the leader of a group (Windows): there is only this process.
  }
  process.exit(1)
}

/** Lambda's form of an error; anything can be thrown, and its members may throw in turn. */
function errorShape(thrown: unknown): { errorType: string; errorMessage: string; trace: string[] } {
  try {
    if (thrown instanceof Error || Object.prototype.toString.call(thrown) === '[object Error]') {
      // Read as what it may be: code can put anything in these.
      const { name, message, stack } = thrown as Record<keyof Error, unknown>
      return {
        errorType: String(name),
        errorMessage: String(message),
        trace: (typeof stack === 'string' ? stack : '').split('\n')
      }
    }
    return { errorType: typeof thrown, errorMessage: String(thrown), trace: [] }
  } catch {
    return { errorType: 'handled', errorMessage: 'what was thrown cannot be read', trace: [] }
  }
}

const extensions = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts']
const isFile = (file: string) => statSync(file, { throwIfNoEntry: false })?.isFile() === true

/** Splits `dir/file.export.path` where a file of that name exists: at the first dot as Lambda does, else at a later one. */
function findModule(taskRoot: string, handler: string): { file: string; exported: string } {
  const directory = path.resolve(taskRoot, path.dirname(handler))
  const name = path.basename(handler)
  for (let dot = name.indexOf('.', 1); dot > 0; dot = name.indexOf('.', dot + 1)) {
    const stem = path.join(directory, name.slice(0, dot))
    const extension = extensions.find(extension => isFile(stem + extension))
    if (extension === undefined) continue
    // With its extension it is meant as well: no export is called so.
    const exported = name.startsWith(`${extension}.`, dot) ? dot + extension.length : dot
    return { file: stem + extension, exported: name.slice(exported + 1) }
  }
  const stem = name.split('.', 1)[0] ?? ''
  if (stem === '' || stem === name) {
    throw new RuntimeError(
      'Runtime.MalformedHandlerName',
      `Bad handler: expected path/to/file.export, got "${handler}"`
    )
  }
  const tried = extensions.map(extension => stem + extension)
  throw new RuntimeError(
    'Runtime.ImportModuleError',
    `Error: Cannot find module '${stem}' of handler "${handler}": no ${tried.join(', ')} in ${directory}`
  )
}

async function loadHandler(taskRoot: string, handler: string): Promise<Handler> {
  const { file, exported } = findModule(taskRoot, handler)
  const module = await importUserCode(file)
  // What CommonJS exports by computation is seen under `default` only.
  const found = member(module, exported) ?? member(module['default'], exported)
  if (found === undefined) {
    throw new RuntimeError('Runtime.HandlerNotFound', `${handler} is undefined or not exported by ${file}`)
  }
  if (typeof found !== 'function') throw new RuntimeError('Runtime.HandlerNotFound', `${handler} is not a function`)
  if (streaming.has(found)) {
    throw new RuntimeError(
      'Runtime.InvalidStreamingOperation',
      `${handler} is made by awslambda.streamifyResponse: response streaming is not supported, as a mapping needs the whole ` +
        'answer of its function at once. Export a handler that returns its answer.'
    )
  }
  return found as Handler
}

/** Handlers that want to stream. A module may hold them beside the one that is called. */
const streaming = new WeakSet<object>()

const streamifyResponse = (handler: unknown) => {
  if (typeof handler === 'function') streaming.add(handler)
  return handler
}

/** What AWS's Node runtime offers as a global. */
function offerGlobals(): void {
  const value = { streamifyResponse, HttpResponseStream: { from: (stream: unknown) => stream } }
  Object.defineProperty(globalThis, 'awslambda', { value, configurable: true, writable: true })
}

async function importUserCode(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (error) {
    const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
    if (error instanceof SyntaxError || code?.includes('TYPESCRIPT_SYNTAX') === true) {
      throw new RuntimeError('Runtime.UserCodeSyntaxError', `SyntaxError: ${(error as Error).message} (${file})`, {
        cause: error
      })
    }
    if (code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND') {
      throw new RuntimeError('Runtime.ImportModuleError', `Error: ${(error as Error).message}`, { cause: error })
    }
    throw error
  }
}

function member(from: unknown, names: string): unknown {
  let at = from
  for (const name of names.split('.')) {
    if (at === null || (typeof at !== 'object' && typeof at !== 'function')) return undefined
    at = (at as Record<string, unknown>)[name]
  }
  return at
}

/** Runs once the event loop is empty while a call is open; one at a time. */
let whenLoopIsEmpty: (() => void) | undefined
/** One call of the handler, whichever style it has: promise, value, callback, `context.succeed`. Never rejects. */
function run(handler: Handler, invocation: Invocation): Promise<Answer> {
  return new Promise(resolve => {
    // The first word counts, by whichever way it comes.
    let decided = false
    const end = (answer: () => Answer) => {
      if (decided) return
      decided = true
      whenLoopIsEmpty = undefined
      resolve(answer())
    }
    const fail = (error: unknown) => end(() => ({ kind: 'error', error }))
    const succeed = (result: unknown) => end(() => response(result))
    // AWS: a callback's result waits until nothing is left to do, unless the handler says otherwise; an error does not.
    const callback: Callback = (error, result) => {
      if (error !== undefined && error !== null) fail(error)
      else if (!context.callbackWaitsForEmptyEventLoop) succeed(result)
      else if (!decided) {
        decided = true
        whenLoopIsEmpty = () => resolve(response(result))
      }
    }
    const context = contextOf(invocation, succeed, fail)
    whenLoopIsEmpty = () => succeed(null)
    try {
      const result = handler(JSON.parse(invocation.event), context, callback)
      if (isThenable(result)) {
        if (!decided) whenLoopIsEmpty = () => fail(neverSettled())
        result.then(succeed, fail)
      } else if (result !== undefined && handler.length < 3) succeed(result)
    } catch (error) {
      fail(error)
    }
  })
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function'

const neverSettled = () =>
  new RuntimeError(
    'Runtime.NodeJsExit',
    'The handler returned a promise that never settles, and nothing is left that could settle it.'
  )

function response(result: unknown): Answer {
  try {
    return { kind: 'response', body: JSON.stringify(result) ?? 'null' }
  } catch (error) {
    const message = `Unable to stringify response body as json: ${errorShape(error).errorMessage}`
    return { kind: 'error', error: new RuntimeError('Runtime.MarshalError', message, { cause: error }) }
  }
}

function contextOf(
  { requestId, deadlineMs, arn, clientContext }: Invocation,
  succeed: (result: unknown) => void,
  fail: (error: unknown) => void
): Context {
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: environment('AWS_LAMBDA_FUNCTION_NAME'),
    // The qualifier a mapping names is the eighth part of the ARN.
    functionVersion: arn.split(':')[7] ?? environment('AWS_LAMBDA_FUNCTION_VERSION'),
    invokedFunctionArn: arn,
    memoryLimitInMB: environment('AWS_LAMBDA_FUNCTION_MEMORY_SIZE'),
    awsRequestId: requestId,
    clientContext: clientContext === '' ? undefined : JSON.parse(clientContext),
    identity: undefined,
    logGroupName: environment('AWS_LAMBDA_LOG_GROUP_NAME'),
    logStreamName: environment('AWS_LAMBDA_LOG_STREAM_NAME'),
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
    done: (error, result) => (error === undefined || error === null ? succeed(result) : fail(error)),
    succeed,
    fail
  }
}

const environment = (name: string) => process.env[name] ?? ''

/** Ends this process when the host dies without a word: its end of the pipe closes. */
function watchHost(fileDescriptor: number): void {
  const pipe = new net.Socket({ fd: fileDescriptor, readable: true, writable: false })
  pipe.on('error', hostHasGone)
  pipe.on('close', hostHasGone)
  pipe.resume()
  pipe.unref()
}

async function main(): Promise<void> {
  const api = new RuntimeApi(environment('AWS_LAMBDA_RUNTIME_API'), environment('MILLRACE_RUNTIME_TOKEN'))
  delete process.env['MILLRACE_RUNTIME_TOKEN']
  watchHost(3)
  offerGlobals()

  let open: string | undefined
  let answered: string | undefined
  let initialised = false
  let dying = false
  // What nobody caught leaves the program in an unknown state: tell, then end; the host starts another process.
  const die = async (error: unknown, status: number) => {
    if (dying) return
    dying = true
    // An answer on its way stands: the call it belongs to has succeeded.
    if (answered !== undefined) await api.taken(answered)
    if (open !== undefined) await api.answer(open, { kind: 'error', error })
    else if (!initialised) await api.initError(error)
    else process.stderr.write(`${errorShape(error).trace.join('\n')}\n`)
    process.exit(status)
  }
  process.on('uncaughtException', error => void die(error, 129))
  process.on('unhandledRejection', reason => {
    const error = new RuntimeError('Runtime.UnhandledPromiseRejection', errorShape(reason).errorMessage)
    if (reason instanceof Error && reason.stack !== undefined) error.stack = reason.stack
    void die(error, 128)
  })
  process.on('beforeExit', () => {
    const run = whenLoopIsEmpty
    whenLoopIsEmpty = undefined
    run?.()
  })

  let handler: Handler
  try {
    handler = await loadHandler(environment('LAMBDA_TASK_ROOT'), environment('_HANDLER'))
  } catch (error) {
    return die(error, 1)
  }
  initialised = true
  for (let invocation = await api.next(); ;) {
    const { requestId, traceId } = invocation
    answered = undefined
    open = requestId
    if (traceId !== undefined) process.env['_X_AMZN_TRACE_ID'] = traceId
    const answer = await run(handler, invocation)
    if (dying) return
    open = undefined
    answered = requestId
    invocation = await api.answerAndNext(requestId, answer)
    if (dying) return
  }
}

// Not awaited: a top level that waits for ever would end the process with status 13 once its loop is empty.
void main()
