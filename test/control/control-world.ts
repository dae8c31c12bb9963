import { LambdaClient } from '@aws-sdk/client-lambda'
import { MillraceError } from '../../src/core/errors.ts'
import { sigV4Authenticator } from '../../src/control/authenticator.ts'
import { ControlServer } from '../../src/control/server.ts'
import type { ControlServerOptions } from '../../src/control/server.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { ClusterDirectory } from '../../src/ports/clusters.ts'
import type { FunctionCatalog, FunctionEntry } from '../../src/ports/functions.ts'
import type { Log, LogFields } from '../../src/ports/log.ts'
import { MemoryStore } from '../support/memory-store.ts'

export const region = 'us-east-1'
export const accountId = '000000000000'
export const mskArn = 'arn:aws:kafka:us-east-1:000000000000:cluster/local/11111111-1111-1111-1111-111111111111-1'
export const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
export const functionArn = (name: string): string => `arn:aws:lambda:${region}:${accountId}:function:${name}`

export function aFunction(name: string, timeoutSeconds = 30): FunctionEntry {
  const target = { kind: 'http', url: 'http://127.0.0.1:9/', headers: {}, timeoutMs: 1000 } as const
  return { name, arn: functionArn(name), kind: 'http', timeoutSeconds, target }
}

export function aCatalog(...entries: FunctionEntry[]): FunctionCatalog {
  return {
    find: (name, arn) => entries.find(entry => entry.name === name && (arn === undefined || entry.arn === arn)),
    list: () => entries
  }
}

const clusters: ClusterDirectory = {
  async address({ source }) {
    if (source.kind === 'self-managed') return { bootstrapServers: source.bootstrapServers }
    if (source.arn === mskArn) return { bootstrapServers: ['127.0.0.1:9092'] }
    throw new MillraceError('MILL_CLUSTER_UNKNOWN', [source.arn, 'MSK does not know it'])
  },
  gone: () => undefined
}

/** The real time, for signatures are made with it. */
const clock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: () => () => undefined,
  chance: () => 0.5
}

/** Keeps what was logged, for tests that look. */
export class KeptLog implements Log {
  readonly lines: { readonly level: string; readonly fields: LogFields; readonly message: string }[] = []
  readonly #fields: LogFields
  constructor(lines: KeptLog['lines'] = [], fields: LogFields = {}) {
    this.lines = lines
    this.#fields = fields
  }
  #keep(level: string, fields: LogFields, message: string): void {
    this.lines.push({ level, fields: { ...this.#fields, ...fields }, message })
  }
  debug(fields: LogFields, message: string): void {
    this.#keep('debug', fields, message)
  }
  info(fields: LogFields, message: string): void {
    this.#keep('info', fields, message)
  }
  warn(fields: LogFields, message: string): void {
    this.#keep('warn', fields, message)
  }
  error(fields: LogFields, message: string): void {
    this.#keep('error', fields, message)
  }
  child(fields: LogFields): Log {
    return new KeptLog(this.lines, { ...this.#fields, ...fields })
  }
}

export interface ControlWorld extends AsyncDisposable {
  readonly server: ControlServer
  readonly store: MemoryStore
  readonly client: LambdaClient
  readonly log: KeptLog
  /** A client with another key. */
  clientOf(accessKeyId: string, secret?: string): LambdaClient
}

/** A started server on a store in memory, with the functions f, g, slow, and keys of both kinds. */
export async function openControlWorld(overrides: Partial<ControlServerOptions> = {}): Promise<ControlWorld> {
  const store = new MemoryStore()
  const log = new KeptLog()
  const server = new ControlServer({
    listen: { host: '127.0.0.1', port: 0 },
    store,
    functions: aCatalog(aFunction('f'), aFunction('g'), aFunction('slow', 841)),
    clusters,
    authenticator: sigV4Authenticator(
      [
        { accessKeyId: 'writer', secretAccessKey, access: 'write' },
        { accessKeyId: 'reader', secretAccessKey, access: 'read' }
      ],
      clock
    ),
    region,
    accountId,
    strictAws: false,
    maxFilters: 5,
    log,
    clock,
    ...overrides
  })
  await server.start()
  const clients: LambdaClient[] = []
  const clientOf = (accessKeyId: string, secret = secretAccessKey): LambdaClient => {
    const client = new LambdaClient({
      region,
      endpoint: server.url,
      credentials: { accessKeyId, secretAccessKey: secret },
      maxAttempts: 1
    })
    clients.push(client)
    return client
  }
  return {
    server,
    store,
    log,
    client: clientOf('writer'),
    clientOf,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy()
      await server[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    }
  }
}
