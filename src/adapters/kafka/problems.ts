import { protocolErrorsCodesById } from '@platformatic/kafka'
import type { ConsumerProblem } from '../../ports/consumer.ts'

/** Kafka's error codes that something here decides upon. */
export const errorCode = {
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  requestTimedOut: 7,
  replicaNotAvailable: 9,
  offsetMetadataTooLarge: 12,
  coordinatorLoadInProgress: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  invalidGroupId: 24,
  unknownMemberId: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  unsupportedVersion: 35,
  storageError: 56,
  saslAuthenticationFailed: 58,
  groupIdNotFound: 69,
  listenerNotFound: 72,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  offsetNotAvailable: 78,
  memberIdRequired: 79,
  groupMaxSizeReached: 81,
  fencedInstanceId: 82,
  unstableOffsetCommit: 88,
  unknownTopicId: 100,
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

  constructor(code: number, what: string) {
    super(`${what}: ${errorName(code)}`)
    this.name = 'KafkaRefusal'
    this.code = code
  }
}

/** No answer: refused, broken, closed or silent. Trying again later may help. */
export class BrokerUnreachable extends Error {
  constructor(address: string, reason: string, options?: ErrorOptions) {
    super(`broker ${address}: ${reason}`, options)
    this.name = 'BrokerUnreachable'
  }
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

/** What a failure means for the user. `what` says what was being done, say "join group g". */
export function problemOf(error: unknown, what: string): ConsumerProblem {
  if (!(error instanceof Error)) return { kind: 'internal', message: `Cannot ${what}: ${String(error)}` }
  const chain = [...causes(error)]
  const message = `Cannot ${what}: ${chain.map(each => each.message).join(' <- ')}`
  for (const each of chain) {
    if (each instanceof KafkaRefusal) return { kind: kindOfCode(each.code), message }
    if (each instanceof CorruptBatch) return { kind: 'corrupt', message }
    if (each instanceof BrokerUnreachable || each instanceof MalformedResponse) return { kind: 'connection', message }
  }
  return { kind: 'internal', message }
}

function kindOfCode(code: number): ConsumerProblem['kind'] {
  switch (code) {
    case errorCode.topicAuthorizationFailed:
    case errorCode.groupAuthorizationFailed:
    case errorCode.clusterAuthorizationFailed:
      return 'authorization'
    case errorCode.saslAuthenticationFailed:
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

/**
 * What is wrong at the moment, by where it was met (a broker, a partition, the group): the listener hears the first of
 * them, is told when that changes, and hears `undefined` when nothing is wrong any more.
 */
export class ProblemBoard {
  readonly #problems = new Map<string, ConsumerProblem>()
  readonly #told: (problem: ConsumerProblem | undefined) => void
  #last: string | undefined

  constructor(told: (problem: ConsumerProblem | undefined) => void) {
    this.#told = told
  }

  set(place: string, problem: ConsumerProblem): void {
    this.#problems.set(place, problem)
    this.#tell()
  }

  clear(place: string): void {
    if (this.#problems.delete(place)) this.#tell()
  }

  clearAll(): void {
    this.#problems.clear()
    this.#tell()
  }

  #tell(): void {
    const [first] = this.#problems.values()
    if (first?.message === this.#last) return
    this.#last = first?.message
    this.#told(first)
  }
}
