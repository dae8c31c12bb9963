import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LambdaClient } from '@aws-sdk/client-lambda'
import { openLog } from '../adapters/log/pino.ts'
import { anyCredentials } from '../control/authenticator.ts'
import { defaultBackoff } from '../core/retry/backoff.ts'
import { EmbeddedBroker } from '../devbroker/broker.ts'
import type { DemoFlags } from './cli/demo.ts'
import { MillraceServer } from './compose.ts'
import type { Config } from './config.ts'
import { Account, isClean, type Findings } from './demo/account.ts'
import { OrdersFunction } from './demo/orders-function.ts'
import { Picture, type Progress } from './demo/picture.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'

const topic = 'orders'
const failedTopic = 'orders-failed'
/** The bad record is tried once, and this often again. */
const maxRetries = 2
/** Producing is spread over this long, so that there is something to watch. */
const produceMs = 6_000
const tickMs = 50
/** The demo ends by itself, whatever hangs. */
const patienceMs = 60_000
/** The function fails this call, so that a retry is seen. */
const failAt = 5

export interface DemoAccount extends Findings {
  readonly produced: number
  readonly partitions: number
  readonly calls: number
  readonly failedOnPurpose: number
  readonly restarts: number
  /** Failure documents in the destination. */
  readonly inDestination: number
  /** Records of the batch with the bad one, what finding it has cost, and what it may cost at most. */
  readonly poisonedBatch: { readonly records: number; readonly extraCalls: number; readonly mostExtraCalls: number }
  readonly uncommitted: number
  readonly ok: boolean
  readonly seconds: number
}

/** Shows the whole way to somebody who has nothing, and checks the account at the end. Resolves with the exit code. */
export async function runDemo(flags: DemoFlags, io: Io): Promise<number> {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-demo-'))
  try {
    const account = await new Demo(flags, io, dataDir).run()
    if (account === undefined) return exitCodes.interrupted
    if (flags.output === 'json') io.stdout.write(`${JSON.stringify(account)}\n`)
    else io.stdout.write(`${summary(account)}\n`)
    return account.ok ? exitCodes.ok : exitCodes.failure
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}

class Demo {
  readonly #flags: DemoFlags
  readonly #io: Io
  readonly #dataDir: string
  readonly #broker = new EmbeddedBroker()
  readonly #account: Account
  readonly #function: OrdersFunction
  readonly #picture: Picture
  /** By partition. */
  readonly #sent: number[]
  readonly #totals: number[]
  readonly #poison: { readonly partition: number; readonly offset: number }
  #functionUrl = ''
  #server: MillraceServer | undefined
  #state = 'not created'
  #restarts = 0

  constructor(flags: DemoFlags, io: Io, dataDir: string) {
    const { records, partitions } = flags
    this.#flags = flags
    this.#io = io
    this.#dataDir = dataDir
    this.#account = new Account(partitions, valueOf)
    // Near the end: after the restart, so that batches are full.
    this.#poison = { partition: partitions - 1, offset: Math.floor((records / partitions) * 0.8) }
    this.#account.expectGivenUp(this.#poison.partition, this.#poison.offset)
    this.#function = new OrdersFunction(
      seen => {
        this.#account.note(seen)
      },
      { failAt, poison: this.#poison }
    )
    this.#sent = Array.from({ length: partitions }, () => 0)
    this.#totals = Array.from(
      { length: partitions },
      (_, partition) => Math.floor(records / partitions) + (partition < records % partitions ? 1 : 0)
    )
    this.#picture = new Picture(io, () => this.#progress())
  }

  /** Undefined when it was interrupted. */
  async run(): Promise<DemoAccount | undefined> {
    const startedAt = performance.now()
    const say = (text: string) => {
      this.#picture.say(text)
    }
    const { records, partitions } = this.#flags
    try {
      await this.#broker.start()
      this.#broker.createTopic(topic, { partitions })
      this.#broker.createTopic(failedTopic, { partitions: 1 })
      say(
        `• Kafka      an embedded broker on ${this.#broker.bootstrap}, topic "${topic}" with ${partitions} partitions`
      )
      this.#functionUrl = await this.#function.start()
      say(
        `• function   "orders" at ${this.#functionUrl}; it fails its call number ${failAt}, and whenever it gets order ${this.#poison.partition}-${this.#poison.offset}`
      )
      await this.#startServer()
      say(`• Millrace   speaks the AWS Lambda API on ${this.#url}`)
      const uuid = await this.#createMapping()
      say(`• mapping    ${uuid}, created with the AWS SDK: create-event-source-mapping`)
      const groupId = uuid
      this.#picture.start()
      const produced = this.#produce()
      await this.#until(() => this.#account.distinct >= records / 2)
      say('• restart    half way: the server stops, with records on the way, and starts again on its data directory')
      await this.#restartServer()
      await produced
      await this.#until(() => this.#account.distinct >= records - 1)
      await this.#until(() => this.#uncommitted(groupId) === 0)
      await this.#deleteMapping(uuid)
      this.#picture.stop()
      if (this.#io.stop.aborted) return undefined
      return this.#close(groupId, Math.round((performance.now() - startedAt) / 100) / 10)
    } finally {
      this.#picture.stop()
      await this.#server?.stop({ graceMs: 1_000 })
      await this.#function.stop()
      await this.#broker.stop()
    }
  }

  get #url(): string {
    return this.#server!.url
  }

  #progress(): Progress {
    return {
      records: this.#account.received,
      calls: this.#function.calls,
      state: this.#state,
      lanes: this.#totals.map((total, partition) => ({
        total,
        sent: this.#sent[partition]!,
        received: this.#account.of(partition)
      }))
    }
  }

  #close(groupId: string, seconds: number): DemoAccount {
    const findings = this.#account.close(this.#totals)
    const uncommitted = this.#uncommitted(groupId)
    const inDestination = this.#broker.endOffset(failedTopic, 0)
    const { poisonedRecords: inBatch, callsToIsolate: extraCalls } = this.#function
    const mostExtraCalls = 2 * Math.ceil(Math.log2(Math.max(1, inBatch))) + maxRetries
    const poisonedBatch = { records: inBatch, extraCalls, mostExtraCalls }
    return {
      produced: this.#flags.records,
      partitions: this.#flags.partitions,
      ...findings,
      calls: this.#function.calls,
      failedOnPurpose: this.#function.failures,
      restarts: this.#restarts,
      inDestination,
      poisonedBatch,
      uncommitted,
      ok:
        isClean(findings) &&
        uncommitted === 0 &&
        findings.received === this.#flags.records - 1 &&
        inDestination === 1 &&
        poisonedBatch.extraCalls <= poisonedBatch.mostExtraCalls,
      seconds
    }
  }

  // ---- the parts

  async #startServer(): Promise<void> {
    this.#server = new MillraceServer(this.#config(), {
      log: openLog({ level: 'error' }),
      authenticator: anyCredentials()
    })
    await this.#server.start()
  }

  async #restartServer(): Promise<void> {
    await this.#server?.stop({ graceMs: 10_000 })
    this.#state = 'server down'
    await this.#startServer()
    this.#restarts++
    this.#state = 'Enabled'
  }

  #config(): Config {
    return {
      listen: { host: '127.0.0.1', port: 0 },
      adminListen: { host: '127.0.0.1', port: 0 },
      dataDir: this.#dataDir,
      store: { kind: 'sqlite' },
      region: 'us-east-1',
      accountId: '000000000000',
      strictAws: false,
      memoryBudgetMiB: 64,
      workers: 1,
      credentials: [],
      functions: { orders: { kind: 'http', url: this.#functionUrl, timeoutSeconds: 30, headers: {} } },
      clusters: {},
      secrets: {},
      mskBrokers: 'vpc',
      allowSaslPlaintext: false,
      refusedAddresses: [],
      allowMetadataAddresses: false,
      groupProtocol: 'auto',
      groupSessionMs: 45_000,
      groupInstanceId: '',
      clientRack: '',
      destinationDir: join(this.#dataDir, 'destinations'),
      backoff: defaultBackoff,
      maxFilters: 5,
      logLevel: 'error',
      graceMs: 10_000,
      baseDir: this.#dataDir
    }
  }

  async #client(): Promise<LambdaClient> {
    const { LambdaClient } = await import('@aws-sdk/client-lambda')
    return new LambdaClient({
      endpoint: this.#url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'demo', secretAccessKey: 'demo' }
    })
  }

  /** Resolves with the UUID once the mapping is enabled. */
  async #createMapping(): Promise<string> {
    const { CreateEventSourceMappingCommand, GetEventSourceMappingCommand } = await import('@aws-sdk/client-lambda')
    const client = await this.#client()
    const { UUID } = await client.send(
      new CreateEventSourceMappingCommand({
        FunctionName: 'orders',
        SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [this.#broker.bootstrap] } },
        Topics: [topic],
        BatchSize: 100,
        MaximumBatchingWindowInSeconds: 0,
        StartingPosition: 'TRIM_HORIZON',
        BisectBatchOnFunctionError: true,
        MaximumRetryAttempts: maxRetries,
        DestinationConfig: { OnFailure: { Destination: `kafka://${failedTopic}` } }
      })
    )
    for (const end = performance.now() + patienceMs; performance.now() < end;) {
      const { State } = await client.send(new GetEventSourceMappingCommand({ UUID }))
      this.#state = State ?? 'unknown'
      if (State === 'Enabled') return UUID!
      await this.#pause(tickMs)
    }
    throw new Error(`the mapping is still ${this.#state} after ${patienceMs / 1000} s`)
  }

  async #deleteMapping(UUID: string): Promise<void> {
    const { DeleteEventSourceMappingCommand } = await import('@aws-sdk/client-lambda')
    const client = await this.#client()
    await client.send(new DeleteEventSourceMappingCommand({ UUID }))
    this.#state = 'deleted'
  }

  async #produce(): Promise<void> {
    const startedAt = performance.now()
    const { partitions } = this.#flags
    while (this.#sent.some((sent, partition) => sent < this.#totals[partition]!) && !this.#io.stop.aborted) {
      const share = Math.min(1, (performance.now() - startedAt) / produceMs)
      for (let partition = 0; partition < partitions; partition++) {
        const from = this.#sent[partition]!
        const to = Math.ceil(this.#totals[partition]! * share)
        if (to <= from) continue
        const records = Array.from({ length: to - from }, (_, index) => ({
          key: `customer-${(from + index) % 97}`,
          value: valueOf(partition, from + index)
        }))
        this.#broker.append(topic, partition, records)
        this.#sent[partition] = to
      }
      await this.#pause(tickMs)
    }
  }

  #uncommitted(groupId: string): number {
    return this.#totals.reduce(
      (sum, total, partition) => sum + total - (this.#broker.committed(groupId, topic, partition)?.offset ?? 0),
      0
    )
  }

  /** Returns when it holds, when the user interrupts, or when patience ends: the account tells what is missing. */
  async #until(holds: () => boolean): Promise<void> {
    const end = performance.now() + patienceMs
    while (!holds() && !this.#io.stop.aborted && performance.now() < end) await this.#pause(tickMs)
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      setTimeout(resolve, ms)
    })
  }
}

const valueOf = (partition: number, offset: number): string =>
  JSON.stringify({ order: `${partition}-${offset}`, amount: (offset * 7) % 100 })

const line = (name: string, value: number, good: boolean): string =>
  `  ${name.padEnd(34)}${String(value).padStart(8)}  ${good ? 'ok' : 'WRONG'}`

function summary(account: DemoAccount): string {
  const { produced, partitions, received, missing, twice, outOfOrder, damaged, uncommitted, inDestination } = account
  const { records, extraCalls, mostExtraCalls } = account.poisonedBatch
  return [
    '',
    account.ok
      ? 'Every record was processed exactly once, in order; the one that cannot be lies in the destination.'
      : 'The account does not balance.',
    line(`produced to ${partitions} partitions`, produced, true),
    line('processed by the function', received, received === produced - 1),
    line(`given up, in topic ${failedTopic}`, inDestination, inDestination === 1),
    line('missing', missing, missing === 0),
    line('delivered twice', twice, twice === 0),
    line('out of order in a partition', outOfOrder, outOfOrder === 0),
    line('damaged', damaged, damaged === 0),
    line('not committed to Kafka', uncommitted, uncommitted === 0),
    line(`calls to find it among ${records}`, extraCalls, extraCalls <= mostExtraCalls) +
      ` (at most 2·⌈log₂ ${records}⌉ + ${maxRetries} = ${mostExtraCalls})`,
    `  ${account.calls} calls, ${account.failedOnPurpose} of them failed; ${account.restarts} restart of the server; ${account.seconds} s`
  ].join('\n')
}
