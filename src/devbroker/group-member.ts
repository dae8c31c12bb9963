/** One way of sharing out partitions that a member can do, and what it tells the leader about itself for it. */
export interface MemberProtocol {
  readonly name: string
  readonly metadata: Buffer
}

export interface JoinRequest {
  /** Empty for a member that is new. */
  readonly memberId: string
  /** Set for static members (KIP-345). */
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly MemberProtocol[]
  /** The request's version lets a new member be sent away once to come back with the id it got (KIP-394). */
  readonly mayRequireMemberId: boolean
  /** The request's version lets a leader be told that nothing is to be assigned (KIP-814). */
  readonly maySkipAssignment: boolean
}

export interface JoinAnswer {
  readonly error: number
  readonly generation: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leader: string
  readonly memberId: string
  readonly skipAssignment: boolean
  /** For the leader alone. */
  readonly members: readonly {
    readonly memberId: string
    readonly instanceId: string | null
    readonly metadata: Buffer
  }[]
}

export interface SyncAnswer {
  readonly error: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Buffer
}

const noBytes = Buffer.alloc(0)

export function refusedJoin(error: number, memberId: string): JoinAnswer {
  const none = {
    generation: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: []
  }
  return { error, memberId, ...none }
}

export function refusedSync(error: number): SyncAnswer {
  return { error, protocolType: null, protocolName: null, assignment: noBytes }
}

/** A member of a group: what it said when it joined, what it was given, and the answer it is waiting for. */
export class GroupMember {
  readonly id: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  sessionTimeoutMs = 0
  rebalanceTimeoutMs = 0
  protocols: readonly MemberProtocol[] = []
  assignment: Buffer = noBytes
  #joining: ((answer: JoinAnswer) => void) | undefined
  #syncing: ((answer: SyncAnswer) => void) | undefined
  #session: NodeJS.Timeout | undefined

  constructor(id: string, request: JoinRequest) {
    this.id = id
    this.instanceId = request.instanceId
    this.clientId = request.clientId
    this.clientHost = request.clientHost
    this.update(request)
  }

  get isJoining(): boolean {
    return this.#joining !== undefined
  }

  get isSyncing(): boolean {
    return this.#syncing !== undefined
  }

  update(request: JoinRequest): void {
    this.sessionTimeoutMs = request.sessionTimeoutMs
    this.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    // Views of the request's bytes would keep the whole request in memory.
    this.protocols = request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) }))
  }

  metadataFor(protocolName: string | null): Buffer {
    return this.protocols.find(protocol => protocol.name === protocolName)?.metadata ?? noBytes
  }

  saysTheSame(protocols: readonly MemberProtocol[]): boolean {
    return (
      this.protocols.length === protocols.length &&
      this.protocols.every(
        ({ name, metadata }, i) => name === protocols[i]!.name && metadata.equals(protocols[i]!.metadata)
      )
    )
  }

  /** Waits for the rebalance to complete. A request of the same member that waits already is answered with `superseded`. */
  awaitJoin(superseded: number): Promise<JoinAnswer> {
    this.answerJoin(refusedJoin(superseded, this.id))
    return new Promise(resolve => {
      this.#joining = resolve
    })
  }

  awaitSync(superseded: number): Promise<SyncAnswer> {
    this.answerSync(refusedSync(superseded))
    return new Promise(resolve => {
      this.#syncing = resolve
    })
  }

  answerJoin(answer: JoinAnswer): void {
    const joining = this.#joining
    this.#joining = undefined
    joining?.(answer)
  }

  answerSync(answer: SyncAnswer): void {
    const syncing = this.#syncing
    this.#syncing = undefined
    syncing?.(answer)
  }

  /** Starts the session's clock anew; `expire` is called when it runs out while the broker owes the member no answer. */
  touch(expire: () => void): void {
    clearTimeout(this.#session)
    this.#session = setTimeout(() => {
      if (this.isJoining || this.isSyncing) this.touch(expire)
      else expire()
    }, this.sessionTimeoutMs).unref()
  }

  /** Ends the session: the clock stops, whoever waits is answered with `error`. */
  end(error: number): void {
    clearTimeout(this.#session)
    this.answerJoin(refusedJoin(error, this.id))
    this.answerSync(refusedSync(error))
  }
}
