import type { Slot } from './uniform-assignor.ts'

/** What a member says with a heartbeat of KIP-848. `null`: unchanged since it last said so. */
export interface ConsumerHeartbeat {
  readonly memberId: string
  /** 0 to join, −1 to leave, −2 to leave for a moment (static members). */
  readonly memberEpoch: number
  readonly instanceId: string | null
  readonly rackId: string | null
  /** −1: unchanged. */
  readonly rebalanceTimeoutMs: number
  readonly topics: readonly string[] | null
  readonly owned: ReadonlySet<Slot> | null
  readonly clientId: string
  readonly clientHost: string
}

/** Epoch of a static member that has left and may come back within its session. */
export const awayEpoch = -2

/**
 * stable      has all that its epoch's target gives it                          → unrevoked, unreleased
 * unrevoked   must first report that it has given up what goes                  → stable, unreleased
 * unreleased  waits for partitions that others have not given up yet            → stable, unrevoked
 */
export type ReconciliationState = 'stable' | 'unrevoked' | 'unreleased'

/** A member of a group of KIP-848: what it said, what it was given, and what it has still to give up. */
export class ConsumerGroupMember {
  readonly id: string
  readonly instanceId: string | null
  clientId = ''
  clientHost = ''
  rackId: string | null = null
  rebalanceTimeoutMs = 0
  topics: ReadonlySet<string> = new Set()
  /** Before its first heartbeat was answered 0. */
  epoch = 0
  previousEpoch = 0
  state: ReconciliationState = 'stable'
  assigned: ReadonlySet<Slot> = new Set()
  /** Assigned no longer, but not reported as given up. */
  revoking: ReadonlySet<Slot> = new Set()
  #session: NodeJS.Timeout | undefined
  #revocation: NodeJS.Timeout | undefined

  constructor(id: string, instanceId: string | null) {
    this.id = id
    this.instanceId = instanceId
  }

  holds(slot: Slot): boolean {
    return this.assigned.has(slot) || this.revoking.has(slot)
  }

  /** Takes what is new in a heartbeat. True when it subscribes to other topics than before. */
  update(said: ConsumerHeartbeat): boolean {
    this.clientId = said.clientId
    this.clientHost = said.clientHost
    this.rackId = said.rackId ?? this.rackId
    if (said.rebalanceTimeoutMs >= 0) this.rebalanceTimeoutMs = said.rebalanceTimeoutMs
    const topics = new Set(said.topics ?? this.topics)
    const changed = topics.symmetricDifference(this.topics).size > 0
    this.topics = topics
    return changed
  }

  enter(epoch: number): void {
    if (epoch === this.epoch) return
    this.previousEpoch = this.epoch
    this.epoch = epoch
  }

  /** A static member that came back: it has what its predecessor had, and begins with epoch 0. */
  succeed(predecessor: ConsumerGroupMember): void {
    this.topics = predecessor.topics
    this.assigned = predecessor.assigned
    this.rackId = predecessor.rackId
    this.rebalanceTimeoutMs = predecessor.rebalanceTimeoutMs
  }

  /** Starts the session's clock anew. */
  touch(sessionTimeoutMs: number, expire: () => void): void {
    clearTimeout(this.#session)
    this.#session = setTimeout(expire, sessionTimeoutMs).unref()
  }

  /** Call with every change of state: `expire` is called when what goes was not given up within the rebalance timeout. */
  watchRevocation(expire: () => void): void {
    clearTimeout(this.#revocation)
    if (this.state === 'unrevoked') this.#revocation = setTimeout(expire, this.rebalanceTimeoutMs).unref()
  }

  end(): void {
    clearTimeout(this.#session)
    clearTimeout(this.#revocation)
  }
}
