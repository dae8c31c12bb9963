import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { MillraceError } from '../core/errors.ts'
import type { Home } from '../core/mapping/function-name.ts'
import type { Clock } from '../ports/clock.ts'
import type { ClusterDirectory } from '../ports/clusters.ts'
import type { FunctionCatalog } from '../ports/functions.ts'
import type { Log } from '../ports/log.ts'
import type { MappingStore } from '../ports/mapping-store.ts'
import type { RefusalCounts } from '../ports/refusal-counts.ts'
import type { Service } from '../ports/service.ts'
import type { Authenticator } from './authenticator.ts'
import { nameOperation } from './aws-operations.ts'
import { BackgroundCalls } from './background-calls.ts'
import { errorReply } from './error-reply.ts'
import { accountRoutes } from './handlers/account.ts'
import { filterExplanationRoutes } from './handlers/filter-explanation.ts'
import { functionRoutes } from './handlers/functions.ts'
import { historyRoutes } from './handlers/history.ts'
import { invokeRoutes } from './handlers/invoke.ts'
import type { Invoke } from './handlers/invoke.ts'
import { mappingRoutes } from './handlers/mappings.ts'
import { tagRoutes } from './handlers/tags.ts'
import { drain, HttpListener } from './http-listener.ts'
import type { HttpLimits, ListenAddress } from './http-listener.ts'
import { MappingService } from './mapping-service.ts'
import { decodeQuery } from './query.ts'
import type { Reply } from './reply.ts'
import { readBody } from './request-body.ts'
import { authorize, matchRoute } from './router.ts'
import type { Route } from './router.ts'
import type { RequestHead } from './sigv4.ts'

export interface ControlServerOptions extends Home {
  readonly listen: ListenAddress
  readonly store: MappingStore
  readonly functions: FunctionCatalog
  readonly clusters: ClusterDirectory
  readonly authenticator: Authenticator
  /** Refuse what AWS refuses. */
  readonly strictAws: boolean
  /** Most filters of a mapping. */
  readonly maxFilters: number
  readonly log: Log
  readonly clock: Clock
  /** Names mappings and requests. Default: random. */
  readonly newUuid?: () => string
  /** Runs functions for the Invoke operation, which is not there without. */
  readonly invoke?: Invoke
  /** Why filters refuse records; absent: nobody counts. */
  readonly refusals?: RefusalCounts
  /** Of the HTTP server; default `defaultLimits`. */
  readonly limits?: Partial<HttpLimits>
}

interface Asked {
  readonly head: RequestHead
  readonly match: ReturnType<typeof matchRoute>
  readonly requestId: string
}

const defaultMaxBodyBytes = 1_048_576

/** The AWS Lambda API. A request: HTTP → authenticate → route → parse → use case → store → answer. */
export class ControlServer implements Service {
  readonly #options: ControlServerOptions
  readonly #routes: readonly Route[]
  readonly #listener: HttpListener
  readonly #newUuid: () => string
  readonly #background: BackgroundCalls | undefined

  constructor(options: ControlServerOptions) {
    this.#options = options
    this.#newUuid = options.newUuid ?? randomUUID
    const service = new MappingService({ ...options, newUuid: this.#newUuid })
    const home: Home = options
    const { invoke, clock, log } = options
    this.#background = invoke === undefined ? undefined : new BackgroundCalls({ invoke, clock, log })
    this.#routes = [
      ...mappingRoutes(service, home),
      ...historyRoutes(service),
      ...filterExplanationRoutes(service, options.refusals),
      ...functionRoutes(options.functions, home),
      ...tagRoutes(service, options.functions, home),
      ...accountRoutes(options.functions),
      ...(invoke === undefined || this.#background === undefined
        ? []
        : invokeRoutes(options.functions, home, invoke, this.#background))
    ]
    this.#listener = new HttpListener({
      listen: options.listen,
      setting: 'listen',
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      answer: (request, response) => {
        this.#answer(request, response).catch((error: unknown) => {
          // Only the writing itself can fail here: a header that HTTP does not allow.
          options.log.error({ err: error }, 'an answer could not be written')
          response.destroy()
        })
      }
    })
  }

  get port(): number {
    return this.#listener.port
  }

  get url(): string {
    return this.#listener.url
  }

  /** What it does, for the reference page. */
  get operations(): readonly Pick<Route, 'operation' | 'method' | 'path' | 'access'>[] {
    return this.#routes
  }

  async start(): Promise<void> {
    this.#background?.start()
    return this.#listener.start()
  }

  async stop(options?: { readonly graceMs?: number }): Promise<void> {
    await this.#listener.stop(options)
    this.#background?.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.stop({ graceMs: 0 })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = randomUUID()
    const started = this.#options.clock.monotonicMs()
    const head = readHead(request)
    const route = this.#routeOf(head)
    const log = this.#options.log.child({
      requestId,
      operation: route?.route.operation ?? `${head.method} ${head.path}`
    })
    let reply: Reply
    try {
      reply = await this.#handle(request, response, { head, match: route, requestId })
    } catch (error) {
      reply = errorReply(error, requestId)
      if (reply.status >= 500) log.error({ err: error }, 'request failed')
      else log.info({ status: reply.status, error: messageOf(error), ...reasonOf(error) }, 'refused')
    }
    write(response, reply, requestId, this.#listener.stopping)
    drain(request)
    log.debug({ status: reply.status, ms: Math.round(this.#options.clock.monotonicMs() - started) }, 'answered')
  }

  /** The straight line of a request. */
  async #handle(request: IncomingMessage, response: ServerResponse, { head, match, requestId }: Asked): Promise<Reply> {
    const claim = this.#options.authenticator.begin(head)
    if (request.headers.expect !== undefined) response.writeContinue()
    const operation = match?.route.operation ?? 'requested'
    const body = await readBody(request, match?.route.maxBodyBytes ?? defaultMaxBodyBytes, operation)
    const principal = claim.prove(body)
    if (match === undefined) throw unknownRoute(head)
    authorize(principal, match.route)
    return match.route.handle({
      principal,
      requestId,
      parameters: match.parameters,
      query: decodeQuery(head.query),
      header: name => request.headersDistinct[name.toLowerCase()]?.at(-1),
      body
    })
  }

  /** A path that cannot be decoded has no route; the caller hears so after authentication. */
  #routeOf({ method, path }: RequestHead): ReturnType<typeof matchRoute> {
    try {
      return matchRoute(this.#routes, method, path)
    } catch {
      return undefined
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What AWS's text leaves out, such as the place in a filter's pattern. */
const reasonOf = (error: unknown): { reason?: string } =>
  error instanceof Error && error.cause instanceof Error ? { reason: error.cause.message } : {}

function unknownRoute({ method, path, query }: RequestHead): MillraceError {
  const operation = nameOperation(method, path, query)
  return operation === undefined
    ? new MillraceError('MILL_ROUTE_UNKNOWN', [method, path])
    : new MillraceError('MILL_OPERATION_NOT_BUILT', [operation])
}

function readHead(request: IncomingMessage): RequestHead {
  const url = request.url ?? '/'
  const at = url.indexOf('?')
  const headers: (readonly [string, string])[] = []
  const raw = request.rawHeaders
  for (let i = 0; i + 1 < raw.length; i += 2) headers.push([raw[i] ?? '', raw[i + 1] ?? ''])
  return {
    method: request.method ?? 'GET',
    path: at === -1 ? url : url.slice(0, at),
    query: at === -1 ? '' : url.slice(at + 1),
    headers
  }
}

function write(response: ServerResponse, reply: Reply, requestId: string, stopping: boolean): void {
  const { body } = reply
  const bytes =
    body === undefined ? undefined : 'bytes' in body ? body.bytes : new TextEncoder().encode(JSON.stringify(body.json))
  if (stopping) response.shouldKeepAlive = false
  response.writeHead(reply.status, {
    'x-amzn-requestid': requestId,
    ...(bytes === undefined ? {} : { 'content-type': 'application/json', 'content-length': bytes.byteLength }),
    ...reply.headers
  })
  response.end(bytes)
}
