import { join } from 'node:path'
import { AwsCredentialChain } from '../adapters/aws/credentials.ts'
import { systemClock } from '../adapters/host/system-clock.ts'
import { ThreadHost } from '../adapters/host/thread-host.ts'
import { ConfiguredFunctions } from '../adapters/invoker/catalog.ts'
import { LambdaInspector } from '../adapters/invoker/lambda-inspector.ts'
import { FunctionHost, type HostingOptions } from '../adapters/invoker/function-host.ts'
import { LoginDesk } from '../adapters/kafka/security/login-desk.ts'
import { openSqliteStore } from '../adapters/store/sqlite.ts'
import { AdminServer } from '../control/admin-server.ts'
import type { Authenticator } from '../control/authenticator.ts'
import { ControlServer } from '../control/server.ts'
import { Fleet } from '../fleet/fleet.ts'
import { AddressGuard } from '../core/net/address-guard.ts'
import type { Log } from '../ports/log.ts'
import type { OnPollerEvent } from '../ports/poller-event.ts'
import type { MappingStore } from '../ports/mapping-store.ts'
import type { Service } from '../ports/service.ts'
import { comingClusters, openClusters } from './clusters.ts'
import type { Config } from './config.ts'
import { DirectInvoke } from './direct-invoke.ts'
import { lambdaOf } from './lambda-of.ts'
import { localFunctions } from './local-functions.ts'
import { refusedRanges } from './refused-ranges.ts'

export interface ServerParts {
  readonly log: Log
  readonly authenticator: Authenticator
  /** How local functions are run; absent: as a server runs them. */
  readonly hosting?: HostingOptions
  /** Hears what befalls records. It costs a message for each call. */
  readonly onPollerEvent?: OnPollerEvent
  /** Of `openThreads`, where they were wanted before the server; it closes them. */
  readonly threads?: ThreadHost
  /** Those of the configuration and more, where they are not known before the server starts. */
  readonly clusters?: Promise<Config['clusters']>
}

/** A rebalance waits this long, or as long as a stop would, for calls in flight of partitions that go. */
const leastDrainMs = 30_000

/** This module's own extension tells whether sources or the published build run. */
const threadEntry = new URL(
  import.meta.url.endsWith('.ts') ? './poller-thread.ts' : './poller-thread.js',
  import.meta.url
)

/** The threads that pollers run in; none starts before it is needed. */
export function openThreads(
  config: Config,
  { log, onPollerEvent }: Pick<ServerParts, 'log' | 'onPollerEvent'>
): ThreadHost {
  return new ThreadHost({
    entry: threadEntry,
    threads: config.workers,
    thread: {
      logLevel: config.logLevel,
      drainMs: Math.max(leastDrainMs, config.graceMs),
      groupProtocol: config.groupProtocol,
      groupSessionMs: config.groupSessionMs,
      groupInstanceId: config.groupInstanceId,
      clientRack: config.clientRack,
      strictAws: config.strictAws,
      backoff: config.backoff,
      destinationDir: config.destinationDir,
      region: config.region,
      refusedRanges: refusedRanges(config)
    },
    logins: new LoginDesk(systemClock),
    ...(onPollerEvent === undefined ? {} : { onEvent: onPollerEvent }),
    log
  })
}

/**
 * The whole server, put together: API and fleet meet in the store; functions and pollers are beside them.
 * `start` brings up what others need first and undoes itself when a part cannot start; `stop` goes the other way.
 */
export class MillraceServer implements Service {
  readonly #config: Config
  readonly #parts: ServerParts
  readonly #undo: (() => Promise<void>)[] = []
  #api: ControlServer | undefined
  #admin: AdminServer | undefined
  #fleet: Fleet | undefined
  #stopped: Promise<void> | undefined

  constructor(config: Config, parts: ServerParts) {
    this.#config = config
    this.#parts = parts
  }

  /** Of the AWS API, once started. */
  get url(): string {
    if (this.#api === undefined) throw new Error('the server has not been started')
    return this.#api.url
  }

  /** Of health and metrics, once started. */
  get adminUrl(): string {
    if (this.#admin === undefined) throw new Error('the server has not been started')
    return this.#admin.url
  }

  async start(): Promise<void> {
    try {
      await this.#start()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async #start(): Promise<void> {
    const { listen, adminListen, dataDir, region, accountId, strictAws, memoryBudgetMiB } = this.#config
    const { log, authenticator } = this.#parts
    const clock = systemClock
    const store = openSqliteStore(join(dataDir, 'millrace.db'), { log })
    this.#undo.push(async () => store[Symbol.asyncDispose]())
    const local = { functions: localFunctions(this.#config), region, accountId, log, clock }
    const functionHost = new FunctionHost({ ...local, ...this.#parts.hosting })
    this.#undo.push(() => functionHost.stop({ graceMs: 0 }))
    await functionHost.start()
    const credentials = new AwsCredentialChain(clock, { log })
    const functions = new ConfiguredFunctions({
      functions: this.#config.functions,
      host: functionHost,
      region,
      accountId,
      inspect: new LambdaInspector({ credentials, clock, log }).inspect,
      ...lambdaOf(this.#config, log)
    })
    const openClustersOf = (config: Config) => openClusters(config, { aws: credentials, clock })
    const clusters =
      this.#parts.clusters === undefined
        ? openClustersOf(this.#config)
        : comingClusters(this.#parts.clusters.then(clusters => openClustersOf({ ...this.#config, clusters })))
    const invoke = new DirectInvoke({ log, clock, credentials, guard: new AddressGuard(refusedRanges(this.#config)) })
    this.#undo.push(async () => invoke[Symbol.asyncDispose]())
    const host = this.#parts.threads ?? openThreads(this.#config, this.#parts)
    this.#undo.push(() => host.close())
    this.#fleet = new Fleet({
      store,
      host,
      functions,
      clusters,
      clock,
      log,
      graceMs: this.#config.graceMs,
      memoryBudgetBytes: memoryBudgetMiB * 1024 * 1024
    })
    this.#api = new ControlServer({
      listen,
      store,
      functions,
      clusters,
      authenticator,
      region,
      accountId,
      strictAws,
      maxFilters: this.#config.maxFilters,
      log,
      clock,
      invoke: invoke.call,
      refusals: this.#fleet.counts.refusals
    })
    this.#admin = new AdminServer({
      listen: adminListen,
      ready: () => this.#ready(store),
      metrics: () => Promise.resolve(this.#fleet?.counts.prometheus() ?? '')
    })
    await this.#api.start()
    await this.#admin.start()
    await this.#fleet.start()
  }

  /** Refuses new requests, then finishes and commits what is in flight within `graceMs`. Safe before start and twice. */
  stop({ graceMs = 0 }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async #stop(graceMs: number): Promise<void> {
    await this.#api?.stop()
    await this.#fleet?.stop({ graceMs })
    await this.#admin?.stop()
    for (const undo of this.#undo.toReversed()) await undo()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #ready(store: MappingStore): Promise<{ ok: boolean; problems: string[] }> {
    try {
      await store.list({}, 1)
      return { ok: true, problems: [] }
    } catch (error) {
      return { ok: false, problems: [`store: ${error instanceof Error ? error.message : String(error)}`] }
    }
  }
}
