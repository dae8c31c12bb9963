import { protocolErrorsCodesById } from '@platformatic/kafka'
import type { Clock } from '../../ports/clock.ts'
import type { ConsumerProblem, ProblemStage } from '../../ports/consumer.ts'

/** Kafka's error codes that something here decides upon. */
export const errorCode = {
  unknownServerError: -1,
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  requestTimedOut: 7,
  replicaNotAvailable: 9,
  messageTooLarge: 10,
  offsetMetadataTooLarge: 12,
  networkException: 13,
  coordinatorLoadInProgress: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  invalidTopic: 17,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  invalidGroupId: 24,
  unknownMemberId: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  invalidTimestamp: 32,
  unsupportedSaslMechanism: 33,
  illegalSaslState: 34,
  unsupportedVersion: 35,
  outOfOrderSequenceNumber: 45,
  duplicateSequenceNumber: 46,
  invalidProducerEpoch: 47,
  invalidProducerIdMapping: 49,
  storageError: 56,
  saslAuthenticationFailed: 58,
  unknownProducerId: 59,
  transactionalIdAuthorizationFailed: 53,
  delegationTokenAuthorizationFailed: 65,
  groupIdNotFound: 69,
  fetchSessionIdNotFound: 70,
  invalidFetchSessionEpoch: 71,
  listenerNotFound: 72,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  offsetNotAvailable: 78,
  memberIdRequired: 79,
  groupMaxSizeReached: 81,
  fencedInstanceId: 82,
  invalidRecord: 87,
  unstableOffsetCommit: 88,
  throttlingQuotaExceeded: 89,
  producerFenced: 90,
  unknownTopicId: 100,
  fetchSessionTopicIdError: 106,
  fencedMemberEpoch: 110,
  unreleasedInstanceId: 111,
  staleMemberEpoch: 113
} as const

/** Kafka's name of an error code. A code newer than the library's table is named by its number. */
export const errorName = (code: number): string =>
  (protocolErrorsCodesById as Readonly<Record<number, string>>)[code] ?? `error ${code}`

/** A broker's refusal: the request arrived, was read and answered with a code. */
export class KafkaRefusal extends Error {
  readonly code: number
  readonly broker: string | undefined

  constructor(code: number, what: string, broker?: string) {
    super(`${what}: ${errorName(code)}`)
    this.name = 'KafkaRefusal'
    this.code = code
    this.broker = broker
  }
}

export interface UnreachableOptions extends ErrorOptions {
  /** Where opening the connection ended. Absent: it was open, and what it was used for says where. */
  readonly stage?: ProblemStage
  readonly kind?: ConsumerProblem['kind']
}

/** No answer: not found, refused, broken, closed or silent. Trying again later may help. */
export class BrokerUnreachable extends Error {
  readonly broker: string
  readonly reason: string
  readonly stage: ProblemStage | undefined
  readonly kind: ConsumerProblem['kind']

  constructor(broker: string, reason: string, { stage, kind = 'connection', ...options }: UnreachableOptions = {}) {
    super(`broker ${broker}: ${reason}`, options)
    this.name = 'BrokerUnreachable'
    this.broker = broker
    this.reason = reason
    this.stage = stage
    this.kind = kind
  }
}

/** The broker does not believe who we say we are. Trying again with the same may lock the account. */
export class AuthenticationRefused extends BrokerUnreachable {
  constructor(broker: string, reason: string, options?: ErrorOptions) {
    super(broker, reason, { ...options, stage: 'SASL', kind: 'authentication' })
    this.name = 'AuthenticationRefused'
  }
}

/** None of the brokers could be reached: tells of the one that got furthest, and then of the others in their order. */
export class ClusterUnreachable extends BrokerUnreachable {
  constructor(bootstrapServers: string, failures: readonly Error[]) {
    const [first, ...others] = failures.filter(each => each instanceof BrokerUnreachable).sort(furthestFirst)
    if (first === undefined) {
      super(bootstrapServers, `no broker can be reached (${failures.map(each => each.message).join('; ')})`)
    } else {
      const rest = others.map(each => `; ${each.stage ?? ''} ${each.broker}: ${each.reason}`).join('')
      super(first.broker, first.reason + rest, { ...stageOf(first), kind: first.kind, cause: first.cause })
    }
    this.name = 'ClusterUnreachable'
  }
}

const stageOf = ({ stage }: BrokerUnreachable): UnreachableOptions => (stage === undefined ? {} : { stage })

const opening: readonly (ProblemStage | undefined)[] = [
  'DNS',
  'TCP',
  'TLS',
  'API versions',
  'secret',
  'SASL',
  undefined
]

// The order in which they failed changes from try to try: what is told must not.
function furthestFirst(a: BrokerUnreachable, b: BrokerUnreachable): number {
  return opening.indexOf(b.stage) - opening.indexOf(a.stage) || (a.broker < b.broker ? -1 : 1)
}

/** Bytes that are not what the protocol says: the connection they came over is closed. */
export class MalformedResponse extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MalformedResponse'
  }
}

/** A record batch that cannot be what a producer wrote. */
export class CorruptBatch extends Error {
  readonly baseOffset: number

  constructor(baseOffset: number, reason: string, options?: ErrorOptions) {
    super(`the record batch at offset ${baseOffset} ${reason}`, options)
    this.name = 'CorruptBatch'
    this.baseOffset = baseOffset
  }
}

/**
 * What a failure means for the user.
 * @param doing What was being done, say "join group g".
 * @param stage Where it failed, unless the failure knows better.
 */
export function problemOf(error: unknown, doing: string, stage?: ProblemStage): ConsumerProblem {
  const at = stage === undefined ? {} : { stage }
  if (!(error instanceof Error)) return { kind: 'internal', ...at, message: `Cannot ${doing}: ${String(error)}` }
  const chain = [...causes(error)]
  const message = chain.map(each => each.message).join(' <- ')
  for (const each of chain) {
    if (each instanceof KafkaRefusal) return refusal(each, message, doing, stage)
    // Whatever was being done, the connection is what is wrong: one text for it, or it would change with who tells first.
    if (each instanceof BrokerUnreachable) {
      const { kind, broker, reason } = each
      return { kind, ...at, ...stageOf(each), broker, message: reason }
    }
    if (each instanceof CorruptBatch) return { kind: 'corrupt', ...at, message: `Cannot ${doing}: ${message}` }
    if (each instanceof MalformedResponse) return { kind: 'connection', ...at, message: `Cannot ${doing}: ${message}` }
  }
  return { kind: 'internal', ...at, message: `Cannot ${doing}: ${message}` }
}

function refusal(
  refused: KafkaRefusal,
  message: string,
  doing: string,
  stage: ProblemStage | undefined
): ConsumerProblem {
  const kind = kindOfCode(refused.code)
  const at = kind === 'authorization' ? 'authorisation' : kind === 'authentication' ? 'SASL' : stage
  return {
    kind,
    ...(at === undefined ? {} : { stage: at }),
    ...(refused.broker === undefined ? {} : { broker: refused.broker }),
    message: kind === 'authorization' ? message : `Cannot ${doing}: ${message}`
  }
}

function kindOfCode(code: number): ConsumerProblem['kind'] {
  switch (code) {
    case errorCode.topicAuthorizationFailed:
    case errorCode.groupAuthorizationFailed:
    case errorCode.clusterAuthorizationFailed:
    case errorCode.transactionalIdAuthorizationFailed:
    case errorCode.delegationTokenAuthorizationFailed:
      return 'authorization'
    case errorCode.saslAuthenticationFailed:
    case errorCode.unsupportedSaslMechanism:
    case errorCode.illegalSaslState:
      return 'authentication'
    case errorCode.unknownTopicOrPartition:
    case errorCode.unknownTopicId:
      return 'unknown-topic'
    case errorCode.offsetOutOfRange:
      return 'offset-out-of-range'
    case errorCode.corruptMessage:
      return 'corrupt'
    case errorCode.leaderNotAvailable:
    case errorCode.notLeaderOrFollower:
    case errorCode.coordinatorLoadInProgress:
    case errorCode.coordinatorNotAvailable:
    case errorCode.notCoordinator:
    case errorCode.storageError:
    case errorCode.listenerNotFound:
      return 'connection'
    default:
      return 'internal'
  }
}

/** The error, then what it was caused by: library errors hide the reason in `errors` as often as in `cause`. */
function* causes(error: Error, depth = 0): Generator<Error> {
  yield error
  if (depth > 5) return
  const nested: unknown = error.cause ?? (error instanceof AggregateError ? error.errors[0] : undefined)
  if (nested instanceof Error && !error.message.includes(nested.message)) yield* causes(nested, depth + 1)
}

/** What heals by itself, leaders that move and brokers that restart, has healed within this. */
const everydayMs = 1500
const needsHelp: ReadonlySet<ConsumerProblem['kind']> = new Set([
  'server-untrusted',
  'client-refused',
  'client-certificate',
  'secret',
  'permission',
  'role',
  'authentication',
  'authorization',
  'corrupt'
])

interface Suspicion {
  problem: ConsumerProblem
  readonly drop: () => void
}

/**
 * What is wrong at the moment, by where it was met (a broker, a partition, the group): the listener hears the first of
 * them, is told when that changes, and hears `undefined` when nothing is wrong any more.
 */
export class ProblemBoard {
  readonly #problems = new Map<string, ConsumerProblem>()
  readonly #suspicions = new Map<string, Suspicion>()
  readonly #told: (problem: ConsumerProblem | undefined) => void
  readonly #clock: Clock
  readonly #brokers: string | undefined
  #last: string | undefined

  /** @param brokers Who is meant where a problem does not say. */
  constructor(told: (problem: ConsumerProblem | undefined) => void, clock: Clock, brokers?: string) {
    this.#told = told
    this.#clock = clock
    this.#brokers = brokers
  }

  set(place: string, problem: ConsumerProblem): void {
    this.#unsuspect(place)
    this.#problems.set(place, problem)
    this.#tell()
  }

  /** As `set`, but what may be everyday life is told only when it lasts. */
  suspect(place: string, problem: ConsumerProblem): void {
    const before = this.#suspicions.get(place)
    if (needsHelp.has(problem.kind) || this.#problems.has(place)) return this.set(place, problem)
    if (before !== undefined) {
      before.problem = problem
      return
    }
    const drop = this.#clock.after(everydayMs, () => this.set(place, suspicion.problem))
    const suspicion: Suspicion = { problem, drop }
    this.#suspicions.set(place, suspicion)
  }

  clear(place: string): void {
    this.#unsuspect(place)
    if (this.#problems.delete(place)) this.#tell()
  }

  clearAll(): void {
    for (const place of this.#suspicions.keys()) this.#unsuspect(place)
    this.#problems.clear()
    this.#tell()
  }

  #unsuspect(place: string): void {
    this.#suspicions.get(place)?.drop()
    this.#suspicions.delete(place)
  }

  #tell(): void {
    const [first] = this.#problems.values()
    const key = first === undefined ? undefined : `${first.stage} ${first.broker} ${first.message}`
    if (key === this.#last) return
    this.#last = key
    this.#told(first === undefined || this.#brokers === undefined ? first : { broker: this.#brokers, ...first })
  }
}
