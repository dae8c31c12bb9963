import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { BrokerState } from './broker-state.ts'
import type { GroupProtocolName } from './broker-state.ts'
import { Connection } from './connection.ts'
import { Faults } from './faults.ts'
import type { Fault } from './faults.ts'
import type { Commit } from './groups.ts'
import type { CommittedOffset } from './offset-store.ts'
import { buildBatch } from './record-batch.ts'
import type { NewRecord } from './record-batch.ts'
import { Responder } from './responder.ts'

export type { Commit, Fault, NewRecord }

export interface EmbeddedBrokerOptions {
  /** Address to listen on, and what clients are told unless it is a wildcard. Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: a free port, kept over a stop and a start. */
  readonly port?: number
  /** What clients are told instead, say the address of a proxy. */
  readonly advertised?: { readonly host: string; readonly port: number }
  /** Bytes of records that all topics hold together. Past it the oldest batches go first. Default 512 MiB. */
  readonly maxBytes?: number
  /** Whether a client that asks for an unknown topic gets one. Default false. */
  readonly autoCreateTopics?: boolean
  /** Partitions of topics that do not say how many. Default 1. */
  readonly defaultPartitions?: number
  /** How long an empty group waits for more members than the first. Default 0. */
  readonly groupInitialRebalanceDelayMs?: number
  /** The protocols by which clients may form groups: the classic one, and `consumer` of KIP-848. Default both. */
  readonly groupProtocols?: readonly GroupProtocolName[]
  /** How often members of a `consumer` group are asked to be heard. Default 1000; Kafka's is 5000. */
  readonly consumerHeartbeatIntervalMs?: number
  /** A member of a `consumer` group that is not heard for this long is sent away. Default 45,000, as Kafka's. */
  readonly consumerSessionTimeoutMs?: number
  /** Dates records without a timestamp, LogAppendTime and retention.ms. Sessions and long polls run on real time. */
  readonly clock?: { now(): number }
  readonly log?: (line: string) => void
}

/**
 * A Kafka broker in this process, for development and tests. Everything is in memory and nothing survives the process:
 * it promises no durability. It speaks Kafka's protocol to any client, and has a door of its own for those beside it.
 */
export class EmbeddedBroker implements AsyncDisposable {
  readonly #host: string
  readonly #advertised: EmbeddedBrokerOptions['advertised']
  readonly #state: BrokerState
  readonly #faults = new Faults()
  readonly #responder: Responder
  readonly #log: (line: string) => void
  readonly #connections = new Set<Connection>()
  #port: number
  #server: Server | undefined
  /** Starts and stops run one after the other, however they are called. */
  #turn: Promise<void> = Promise.resolve()

  constructor(options: EmbeddedBrokerOptions = {}) {
    const { clock = Date, log = () => undefined } = options
    this.#host = options.host ?? '127.0.0.1'
    this.#port = options.port ?? 0
    this.#advertised = options.advertised
    this.#log = log
    this.#state = new BrokerState({
      maxBytes: options.maxBytes ?? 512 * 1024 * 1024,
      autoCreateTopics: options.autoCreateTopics ?? false,
      defaultPartitions: options.defaultPartitions ?? 1,
      groupProtocols: new Set(options.groupProtocols ?? ['classic', 'consumer']),
      groups: {
        initialDelayMs: options.groupInitialRebalanceDelayMs ?? 0,
        consumer: {
          sessionTimeoutMs: options.consumerSessionTimeoutMs ?? 45_000,
          heartbeatIntervalMs: options.consumerHeartbeatIntervalMs ?? 1000
        }
      },
      now: () => clock.now()
    })
    this.#responder = new Responder(this.#state, this.#faults, log)
  }

  /** The port it listens on; 0 before the first start unless one was given. */
  get port(): number {
    return this.#port
  }

  get bootstrap(): string {
    return `${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${this.#port}`
  }

  /** Bytes of records held now. */
  get bytes(): number {
    return this.#state.topics.bytes
  }

  /** Listens. Topics, records and offsets of an earlier start are still there. Throws naming host and port. */
  start(): Promise<void> {
    return this.#inTurn(() => this.#listen())
  }

  /** Cuts all connections and stops listening. Groups lose their members; everything else stays. Safe twice. */
  stop(): Promise<void> {
    return this.#inTurn(() => this.#close())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Throws when the name, the number of partitions or a setting is wrong, or the topic exists. */
  createTopic(
    name: string,
    options: { readonly partitions: number; readonly config?: Readonly<Record<string, string>> }
  ): void {
    this.#state.topics.create(name, options.partitions, new Map(Object.entries(options.config ?? {})))
  }

  /** Appends the records as one batch, without network. Returns the offset of the first. */
  append(topic: string, partition: number, records: readonly NewRecord[]): number {
    const log = this.#state.topics.log(topic, partition)
    if (records.length === 0) return log.endOffset
    const now = this.#state.now()
    return log.appendBuilt(buildBatch(records, now), now).baseOffset
  }

  /** One past the last record. */
  endOffset(topic: string, partition: number): number {
    return this.#state.topics.log(topic, partition).endOffset
  }

  /** As `endOffset`, of all partitions; undefined: there is no such topic. */
  endOffsets(topic: string): ReadonlyMap<number, number> | undefined {
    const partitions = this.#state.topics.get(topic)?.partitions
    return partitions && new Map(partitions.map(({ endOffset }, partition) => [partition, endOffset]))
  }

  /** The first offset that can still be read. */
  startOffset(topic: string, partition: number): number {
    return this.#state.topics.log(topic, partition).startOffset
  }

  /** Throws when `beforeOffset` lies past the end. */
  deleteRecords(topic: string, partition: number, beforeOffset: number): void {
    this.#state.topics.log(topic, partition).deleteBefore(beforeOffset)
  }

  /**
   * Another leader for the partition, as far as one broker can have one: the leader epoch grows, and the log goes on from
   * `endOffset` (default: where it ends), as after an election of a replica that lacked the rest. Throws inside a batch.
   */
  elect(topic: string, partition: number, endOffset?: number): void {
    const log = this.#state.topics.log(topic, partition)
    log.elect(endOffset ?? log.endOffset)
  }

  committed(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#state.groups.offsets(groupId)?.get(topic, partition)
  }

  /** Calls `listener` with every commit that is accepted, in order, until the returned function is called. */
  onCommit(listener: (commit: Commit) => void): () => void {
    return this.#state.groups.onCommit(listener)
  }

  groupState(groupId: string): { state: string; members: number } | undefined {
    const group = this.#state.groups.get(groupId)
    return group === undefined ? undefined : { state: group.state, members: group.members.length }
  }

  /**
   * The next `count` requests of that API meet this fault; then all is normal again. The API goes by Kafka's name for it
   * ("Fetch", "OffsetCommit", or short "commit", "join", "sync", "leave"), an error by Kafka's name or number.
   */
  answerNext(api: string, fault: Fault, count = 1): void {
    this.#faults.order(api, fault, count)
  }

  /** Forgets what `answerNext` has ordered for that API. */
  answerNormally(api: string): void {
    this.#faults.forget(api)
  }

  /** Cuts every connection now. Clients may connect again at once. */
  dropConnections(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined) return
    const server = createServer(socket => this.#accept(socket))
    this.#server = server
    server.listen(this.#port, this.#host)
    try {
      await once(server, 'listening')
    } catch (error) {
      this.#server = undefined
      throw new Error(`the Kafka broker cannot listen on ${this.bootstrap}: ${whyNotListening(error)}`, {
        cause: error
      })
    }
    server.on('error', error => this.#log(`listening on ${this.bootstrap}: ${error.message}`))
    this.#port = (server.address() as AddressInfo).port
  }

  async #close(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = once(server, 'close')
    server.close()
    this.dropConnections()
    this.#state.groups.disband()
    this.#state.fetchSessions.clear()
    await closed
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(act)
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  #accept(socket: Socket): void {
    // Listening on a wildcard, the address that a client has reached us by is the one that it can reach us by.
    const isWildcard = this.#host === '0.0.0.0' || this.#host === '::'
    const host = isWildcard ? (socket.localAddress ?? '127.0.0.1').replace(/^::ffff:/, '') : this.#host
    const advertised = this.#advertised ?? { host, port: this.#port }
    const caller = { advertised, clientHost: `/${socket.remoteAddress ?? ''}` }
    const respond = (frame: Buffer, signal: AbortSignal) => this.#responder.respond(frame, { ...caller, signal })
    const connection = new Connection(socket, respond, this.#log)
    this.#connections.add(connection)
    socket.once('close', () => this.#connections.delete(connection))
  }
}

function whyNotListening(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return 'the port is in use by another program; choose another, or 0 for any free one'
  if (code === 'EACCES') return 'this user may not listen on that port; choose one above 1023'
  if (code === 'EADDRNOTAVAIL') return 'this machine has no such address'
  return error instanceof Error ? error.message : String(error)
}
