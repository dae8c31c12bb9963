import { format } from 'node:util'
import type {
  CreateEventSourceMappingCommandInput,
  EventSourceMappingConfiguration,
  LambdaClient,
  ListEventSourceMappingsCommandInput,
  UpdateEventSourceMappingCommandInput
} from '@aws-sdk/client-lambda'
import type { FilterExplanation, MappingHistory, MappingHistoryEntry } from '../../control/shapes.ts'
import { MillraceError } from '../../core/errors.ts'
import { options } from '../config/options.ts'
import type { Io } from '../io.ts'
import { ApiRefusal } from './api-refusal.ts'
import { findCaller } from './caller.ts'
import type { Connection } from './flags.ts'

export type Mapping = EventSourceMappingConfiguration

type Sdk = typeof import('@aws-sdk/client-lambda')

const connectMs = 5_000
const answerMs = 30_000

/** The variables that name the API, the stronger first. */
export const endpointVariables = ['MILLRACE_ENDPOINT', 'AWS_ENDPOINT_URL_LAMBDA', 'AWS_ENDPOINT_URL'] as const

/** Where the API is. Throws `MILL_CONFIG_VALUE` for what is no URL. */
export function endpointOf(flag: string | undefined, env: Io['env']): URL {
  const variable = endpointVariables.find(name => env[name])
  const text = flag ?? (variable === undefined ? `http://${options.listen.default}` : env[variable])
  const from = flag === undefined ? `environment variable ${variable}` : 'flag --endpoint-url'
  const url = URL.parse(text ?? '')
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new MillraceError('MILL_CONFIG_VALUE', [
      'The endpoint',
      'a URL such as http://127.0.0.1:4577',
      format('%j', text),
      from
    ])
  }
  return url
}

/**
 * The AWS Lambda API of a server, called with AWS's own SDK. Everything rejects with `ApiRefusal` when the server refuses,
 * with `MILL_API_UNREACHABLE` when there is no server, and with the signal's reason once that fires.
 */
export class MappingsApi implements Disposable {
  readonly #sdk: Sdk
  readonly #client: LambdaClient
  readonly #endpoint: URL
  readonly #signedWith: string
  readonly #signal: AbortSignal

  private constructor(sdk: Sdk, client: LambdaClient, endpoint: URL, signedWith: string, signal: AbortSignal) {
    this.#sdk = sdk
    this.#client = client
    this.#endpoint = endpoint
    this.#signedWith = signedWith
    this.#signal = signal
  }

  /** Rejects with `MILL_CONFIG_VALUE`, `MILL_CREDENTIALS` or `MILL_CREDENTIALS_MISSING`. */
  static async open({ endpointUrl, dataDir }: Connection, io: Pick<Io, 'env' | 'cwd' | 'stop'>): Promise<MappingsApi> {
    const endpoint = endpointOf(endpointUrl, io.env)
    const caller = await findCaller(dataDir, io)
    // Imported here, for it takes longer to load than the rest of the program.
    const sdk = await import('@aws-sdk/client-lambda')
    const client = new sdk.LambdaClient({
      ...caller.config,
      endpoint: endpoint.href,
      region: io.env['AWS_REGION'] || io.env['AWS_DEFAULT_REGION'] || options.region.default,
      requestHandler: { connectionTimeout: connectMs, requestTimeout: answerMs }
    })
    return new MappingsApi(sdk, client, endpoint, caller.told, io.stop)
  }

  /** Its scheme, host and port. */
  get endpoint(): string {
    return this.#endpoint.origin
  }

  async *list(filter: ListEventSourceMappingsCommandInput = {}): AsyncGenerator<Mapping> {
    let marker: string | undefined
    do {
      const input = marker === undefined ? filter : { ...filter, Marker: marker }
      const command = new this.#sdk.ListEventSourceMappingsCommand(input)
      const page = await this.#told(this.#client.send(command, { abortSignal: this.#signal }))
      yield* page.EventSourceMappings ?? []
      marker = page.NextMarker
    } while (marker !== undefined)
  }

  async get(UUID: string): Promise<Mapping> {
    return this.#plain(this.#client.send(new this.#sdk.GetEventSourceMappingCommand({ UUID }), this.#abortable))
  }

  async create(input: CreateEventSourceMappingCommandInput): Promise<Mapping> {
    return this.#plain(this.#client.send(new this.#sdk.CreateEventSourceMappingCommand(input), this.#abortable))
  }

  async update(input: UpdateEventSourceMappingCommandInput): Promise<Mapping> {
    return this.#plain(this.#client.send(new this.#sdk.UpdateEventSourceMappingCommand(input), this.#abortable))
  }

  async delete(UUID: string): Promise<Mapping> {
    return this.#plain(this.#client.send(new this.#sdk.DeleteEventSourceMappingCommand({ UUID }), this.#abortable))
  }

  /** Oldest first. */
  async *history(uuid: string): AsyncGenerator<MappingHistoryEntry> {
    let marker: string | undefined
    do {
      const path = `/millrace/v1/event-source-mappings/${encodeURIComponent(uuid)}/history`
      const page = (await this.#told(
        this.#read(path, marker === undefined ? {} : { Marker: marker })
      )) as MappingHistory
      yield* page.History
      marker = page.NextMarker
    } while (marker !== undefined)
  }

  /** Why the mapping's filters refuse records, as far as it is counted. */
  async filterExplanation(uuid: string): Promise<FilterExplanation> {
    const path = `/millrace/v1/event-source-mappings/${encodeURIComponent(uuid)}/filter-explain`
    return (await this.#told(this.#read(path, {}))) as FilterExplanation
  }

  async tags(arn: string): Promise<Readonly<Record<string, string>>> {
    const command = new this.#sdk.ListTagsCommand({ Resource: arn })
    return (await this.#told(this.#client.send(command, this.#abortable))).Tags ?? {}
  }

  [Symbol.dispose](): void {
    this.#client.destroy()
  }

  get #abortable(): { abortSignal: AbortSignal } {
    return { abortSignal: this.#signal }
  }

  /** A route that AWS does not have, signed by the SDK like the others. */
  async #read(path: string, query: Readonly<Record<string, string>>): Promise<unknown> {
    const signer = await this.#client.config.signer()
    const { protocol, hostname, port, host } = this.#endpoint
    const signed = await signer.sign({
      method: 'GET',
      protocol,
      hostname,
      ...(port === '' ? {} : { port: Number(port) }),
      path,
      query: { ...query },
      headers: { host }
    })
    const url = new URL(path, this.#endpoint)
    url.search = new URLSearchParams(query).toString().replaceAll('+', '%20')
    const { host: _, ...headers } = signed.headers
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(answerMs)])
    const answer = await fetch(url, { headers, signal })
    if (answer.ok) return answer.json()
    const body = (await answer.json().catch(() => ({}))) as { readonly message?: string; readonly Message?: string }
    throw new ApiRefusal(
      answer.headers.get('x-amzn-errortype') ?? `HTTP ${answer.status}`,
      body.message ?? body.Message ?? answer.statusText,
      answer.status,
      answer.headers.get('x-millrace-error') ?? undefined
    )
  }

  /** The mapping without what the SDK adds to every answer. */
  async #plain(answer: Promise<Mapping & { readonly $metadata: unknown }>): Promise<Mapping> {
    const { $metadata: _, ...mapping } = await this.#told(answer)
    return mapping
  }

  /** Failures in our words. */
  async #told<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      this.#signal.throwIfAborted()
      if (error instanceof ApiRefusal) throw this.#withKey(error)
      if (error instanceof this.#sdk.LambdaServiceException) throw this.#withKey(refusalOf(error))
      if (isNamed(error, 'CredentialsProviderError')) {
        throw new MillraceError('MILL_CREDENTIALS_MISSING', [`${this.#signedWith}: ${error.message}`], { cause: error })
      }
      const reason = networkReason(error)
      if (reason === undefined) throw error
      throw new MillraceError('MILL_API_UNREACHABLE', [this.#endpoint.origin, reason], { cause: error })
    }
  }

  /** Who is not let in wants to know as whom they came. */
  #withKey(refusal: ApiRefusal): ApiRefusal {
    if (refusal.status === 403) refusal.message += ` (signed with ${this.#signedWith})`
    return refusal
  }
}

function refusalOf(error: InstanceType<Sdk['LambdaServiceException']>): ApiRefusal {
  const code = error.$response?.headers['x-millrace-error']
  return new ApiRefusal(error.name, error.message, error.$metadata.httpStatusCode ?? 0, code, { cause: error })
}

const isNamed = (error: unknown, name: string): error is Error => error instanceof Error && error.name === name

/** What kept an answer from coming; undefined when it was not the network. */
function networkReason(error: unknown): string | undefined {
  if (isNamed(error, 'TimeoutError')) return `no answer (${error.message})`
  if (!(error instanceof Error)) return undefined
  // Node keeps what happened in the cause of a fetch, or in the list of addresses it tried.
  if (error instanceof AggregateError && error.errors.length > 0) return networkReason(error.errors[0])
  if (error.cause instanceof Error) return networkReason(error.cause) ?? error.cause.message
  return 'code' in error && typeof error.code === 'string' ? error.message : undefined
}
