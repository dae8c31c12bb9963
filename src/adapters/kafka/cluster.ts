import type { Clock } from '../../ports/clock.ts'
import { apis, call, newestShared } from './apis.ts'
import type { ApiFamily, OfferedVersions } from './apis.ts'
import { BrokerConnector } from './broker-connector.ts'
import type { ConnectorDeps, ConnectorSettings } from './broker-connector.ts'
import { firstAnswer } from './first-answer.ts'
import { AuthenticationRefused, BrokerUnreachable, ClusterUnreachable, errorCode, KafkaRefusal } from './problems.ts'
import type { Wire } from './wire.ts'

export type ClusterSettings = ConnectorSettings

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export interface PartitionInfo {
  /** Node id, -1 when there is none at the moment. */
  readonly leader: number
  /** -1: the broker is too old to tell. */
  readonly leaderEpoch: number
}

export interface TopicInfo {
  readonly name: string
  /** UUID; all zeros from a broker that does not know topic ids. */
  readonly id: string
  /** By partition number. */
  readonly partitions: ReadonlyMap<number, PartitionInfo>
}

/**
 * What a connection is for. A broker answers one request of a connection at a time, so what may wait at the broker
 * (a long poll, JoinGroup, a Produce that waits for copies) has a connection of its own.
 */
export type WireUse = 'control' | 'group' | 'commit' | 'fetch' | 'fetch-more' | 'produce'

export const noTopicId = '00000000-0000-0000-0000-000000000000'

/** The brokers of one cluster: who they are, connections to them, and which versions of each API each one offers. */
export class Cluster {
  readonly #settings: ClusterSettings
  readonly #clock: Clock
  readonly #connector: BrokerConnector
  readonly #wires = new Map<string, Promise<Wire>>()
  readonly #offered = new WeakMap<Wire, OfferedVersions>()
  /** Tell those who wait for a connection that none will come. */
  readonly #cancels = new Set<(error: Error) => void>()
  #brokers: ReadonlyMap<number, BrokerAddress> = new Map()
  #closed = false
  /** Where to begin asking: moves on when a broker does not answer, so that a dead one is not asked first for ever. */
  #turn = 0

  constructor(settings: ClusterSettings, deps: ConnectorDeps) {
    this.#settings = settings
    this.#clock = deps.clock
    this.#connector = new BrokerConnector(settings, deps)
  }

  /** By node id, as the last metadata had them. */
  get brokers(): ReadonlyMap<number, BrokerAddress> {
    return this.#brokers
  }

  get bootstrapServers(): string {
    return this.#settings.bootstrapServers.join(',')
  }

  /**
   * Metadata of these topics; a topic with an error is its code, and leaves the others alone.
   * Rejects when no broker could be asked.
   */
  async topics(names: readonly string[]): Promise<Map<string, TopicInfo | number>> {
    const wire = await this.anyWire()
    const response = await this.call(wire, apis.metadata, [[...names], false, false])
    if (response.brokers.length > 0)
      this.#brokers = new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
    const found = new Map<string, TopicInfo | number>()
    for (const topic of response.topics) {
      const name = topic.name ?? ''
      const partitions = new Map(
        topic.partitions.map(({ partitionIndex, leaderId, leaderEpoch }) => [
          partitionIndex,
          // Told since version 7 only.
          { leader: leaderId, leaderEpoch: (leaderEpoch as number | undefined) ?? -1 }
        ])
      )
      found.set(name, topic.errorCode === 0 ? { name, id: topic.topicId ?? noTopicId, partitions } : topic.errorCode)
    }
    return found
  }

  /** Which broker coordinates the group. */
  async coordinator(groupId: string): Promise<BrokerAddress> {
    const wire = await this.anyWire()
    const response = await this.call(wire, apis.findCoordinator, [0, [groupId]])
    const found = response.coordinators[0]
    const code = found === undefined ? errorCode.coordinatorNotAvailable : found.errorCode
    if (found === undefined || code !== 0) throw new KafkaRefusal(code, `finding the coordinator of group ${groupId}`)
    return { host: found.host, port: found.port }
  }

  /** A connection to a broker of the last metadata. Rejects with BrokerUnreachable. */
  wireTo(node: number, use: WireUse): Promise<Wire> {
    const address = this.#brokers.get(node)
    if (address === undefined)
      return Promise.reject(new BrokerUnreachable(`${node}`, 'it is not in the metadata of the cluster'))
    return this.wire(address, use)
  }

  /** The open connection for this use, or a new one. Ask before every request: a broken one is replaced. */
  async wire(address: BrokerAddress, use: WireUse): Promise<Wire> {
    if (this.#closed) throw closed()
    const key = `${use}@${address.host}:${address.port}`
    const open = this.#wires.get(key)
    if (open !== undefined) {
      const wire = await open
      if (!wire.broken) return wire
      if (this.#wires.get(key) === open) this.#wires.delete(key)
      return this.wire(address, use)
    }
    const opening = this.#open(address)
    this.#wires.set(key, opening)
    opening.catch(() => {
      if (this.#wires.get(key) === opening) this.#wires.delete(key)
    })
    return opening
  }

  /** A control connection to whichever broker answers: one that is open, else the known ones, else the bootstrap servers. */
  async anyWire(): Promise<Wire> {
    const open = await this.#openControlWire()
    if (open !== undefined) return open
    const known = [...this.#brokers.values()]
    const turn = known.length === 0 ? 0 : this.#turn % known.length
    const bootstrap = this.#settings.bootstrapServers.map(parseAddress)
    const candidates = new Map(
      [...known.slice(turn), ...known.slice(0, turn), ...bootstrap].map(each => [`${each.host}:${each.port}`, each])
    )
    const ask = (address: BrokerAddress) =>
      this.wire(address, 'control').catch((error: unknown) => {
        this.#turn++
        throw error
      })
    return firstAnswer([...candidates.values()], ask, {
      clock: this.#clock,
      // Another broker would refuse us too, and count it.
      final: failure => failure instanceof AuthenticationRefused,
      allFailed: failures => new ClusterUnreachable(this.bootstrapServers, failures)
    })
  }

  /** Sends a request in the newest version both sides know. Error codes inside the response are the caller's to read. */
  call<Request extends unknown[], Response>(
    wire: Wire,
    family: ApiFamily<Request, Response>,
    request: Request,
    timeoutMs = this.#settings.requestTimeoutMs
  ): Promise<Response> {
    return call(wire, newestShared(family, this.offered(wire)), request, timeoutMs)
  }

  offered(wire: Wire): OfferedVersions {
    return this.#offered.get(wire) ?? new Map()
  }

  /** Breaks the connections of one use: what waits on them is rejected. One that is being opened is broken when it is open. */
  drop(use: WireUse): void {
    for (const [key, wire] of this.#wires) {
      if (!key.startsWith(`${use}@`)) continue
      this.#wires.delete(key)
      void broken(wire)
    }
  }

  /** Closes every connection, and waits for none that is being opened. Safe twice. */
  async close(): Promise<void> {
    this.#closed = true
    for (const cancel of this.#cancels) cancel(closed())
    const wires = [...this.#wires.values()]
    this.#wires.clear()
    await Promise.all(wires.map(wire => broken(wire)))
  }

  async #openControlWire(): Promise<Wire | undefined> {
    for (const [key, opening] of this.#wires) {
      if (!key.startsWith('control@')) continue
      const wire = await opening.catch(() => undefined)
      if (wire !== undefined && !wire.broken) return wire
    }
    return undefined
  }

  #open({ host, port }: BrokerAddress): Promise<Wire> {
    const { promise, resolve, reject } = Promise.withResolvers<Wire>()
    this.#cancels.add(reject)
    this.#connector
      .open(host, port)
      .then(({ wire, offered }) => {
        this.#offered.set(wire, offered)
        if (this.#closed) wire.close()
        resolve(wire)
      })
      .catch(reject)
      .finally(() => this.#cancels.delete(reject))
    return promise
  }
}

const closed = (): Error => new Error('the connections to the cluster are closed')

async function broken(opening: Promise<Wire>): Promise<void> {
  const wire = await opening.catch(() => undefined)
  wire?.close()
}

/** `host:port`, `[::1]:port`. */
export function parseAddress(server: string): BrokerAddress {
  const colon = server.lastIndexOf(':')
  const host = server.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(server.slice(colon + 1)) }
}
