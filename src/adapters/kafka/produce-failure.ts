import { errorCode, errorName } from './problems.ts'

export type ProduceFailureKind =
  /** The topic, or the partition that was asked for, does not exist. */
  | 'unknown-topic'
  | 'authorization'
  /** One record is larger than the topic takes. */
  | 'too-large'
  /** Refused for another reason: sent again as they are, these records are refused again. */
  | 'refused'
  /** Not acknowledged in time. */
  | 'timeout'
  /** The broker lost track of this producer while an answer was missing. */
  | 'in-doubt'
  | 'closed'

/** Why records were not acknowledged. With `timeout`, `in-doubt` and `closed` some or all may be in the topic all the same. */
export class ProduceFailure extends Error {
  readonly kind: ProduceFailureKind

  constructor(kind: ProduceFailureKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ProduceFailure'
    this.kind = kind
  }
}

/**
 * What follows from a broker's answer about one batch.
 *
 * taken     it is in the log
 * again     it may be in the log: the same batch again, to the same broker
 * elsewhere it may be in the log: the same batch again, to the leader that fresh metadata names
 * renew     it is not in the log unless it was before: the broker does not know, or fences, this producer id
 * smaller   it is not in the log, and one of its records is at fault: halves find out which
 * refused   it is not in the log, and none of its records will be
 */
export type ProduceReaction = 'taken' | 'again' | 'elsewhere' | 'renew' | 'smaller' | 'refused'

/** Source of the codes: Errors.java of Apache Kafka and what its producer (Sender, TransactionManager) makes of them. */
export function reactToProduce(code: number): ProduceReaction {
  switch (code) {
    case errorCode.none:
    case errorCode.duplicateSequenceNumber:
      return 'taken'
    // A leader that goes while the copies are awaited says so too, and has appended.
    case errorCode.unknownTopicOrPartition:
    case errorCode.leaderNotAvailable:
    case errorCode.notLeaderOrFollower:
    case errorCode.replicaNotAvailable:
    case errorCode.networkException:
    case errorCode.storageError:
    case errorCode.fencedLeaderEpoch:
    case errorCode.unknownLeaderEpoch:
    case errorCode.unknownTopicId:
      return 'elsewhere'
    case errorCode.unknownServerError:
    case errorCode.corruptMessage:
    case errorCode.requestTimedOut:
    case errorCode.coordinatorLoadInProgress:
    case errorCode.notEnoughReplicas:
    case errorCode.notEnoughReplicasAfterAppend:
    case errorCode.throttlingQuotaExceeded:
      return 'again'
    case errorCode.outOfOrderSequenceNumber:
    case errorCode.invalidProducerEpoch:
    case errorCode.invalidProducerIdMapping:
    case errorCode.unknownProducerId:
    case errorCode.producerFenced:
      return 'renew'
    case errorCode.messageTooLarge:
    case errorCode.recordListTooLarge:
    case errorCode.invalidTimestamp:
    case errorCode.invalidRecord:
      return 'smaller'
    default:
      return 'refused'
  }
}

export const unknownTopic = (topic: string, servers: string): ProduceFailure =>
  new ProduceFailure(
    'unknown-topic',
    `Topic ${topic} does not exist on ${servers}: create it, or name one that exists.`
  )

export function unknownPartition(topic: string, partition: number, count: number): ProduceFailure {
  const existing = count === 1 ? 'it has partition 0 alone' : `its partitions are 0 to ${count - 1}`
  return new ProduceFailure('unknown-topic', `Topic ${topic} has no partition ${partition}: ${existing}.`)
}

/** A refusal that sending again will not change. `message`: the broker's own words, often ''. `bytes`: of the record. */
export function refusal(topic: string, servers: string, code: number, message: string, bytes?: number): ProduceFailure {
  const said = message === '' ? errorName(code) : `${errorName(code)}, ${message}`
  switch (code) {
    case errorCode.topicAuthorizationFailed:
      return new ProduceFailure(
        'authorization',
        `Not allowed to write to topic ${topic} on ${servers} (${said}): the user needs Describe and Write on the topic; with IAM, kafka-cluster:DescribeTopic and kafka-cluster:WriteData.`
      )
    case errorCode.clusterAuthorizationFailed:
      return new ProduceFailure(
        'authorization',
        `Not allowed to write to ${servers} as an idempotent producer (${said}): the user needs Write on topic ${topic}, on Kafka before 2.8 also IdempotentWrite on the cluster; with IAM, kafka-cluster:WriteDataIdempotently.`
      )
    case errorCode.messageTooLarge:
    case errorCode.recordListTooLarge:
      return new ProduceFailure(
        'too-large',
        `A record of ${bytes ?? 'unknown'} bytes is larger than topic ${topic} on ${servers} takes (${said}): raise the topic's max.message.bytes, or send less.`
      )
    case errorCode.invalidTopic:
      return new ProduceFailure(
        'unknown-topic',
        `${JSON.stringify(topic)} cannot be the name of a topic (${said}): 1 to 249 letters, digits, ".", "_" and "-" would do.`
      )
    case errorCode.invalidRecord:
      return new ProduceFailure(
        'refused',
        `Topic ${topic} on ${servers} refuses a record (${said}): a compacted topic takes none without a key, and broker rules may ask for more.`
      )
    case errorCode.invalidTimestamp:
      return new ProduceFailure(
        'refused',
        `Topic ${topic} on ${servers} refuses a record for its timestamp (${said}): see message.timestamp.before.max.ms and message.timestamp.after.max.ms of the topic.`
      )
    default:
      return new ProduceFailure('refused', `Topic ${topic} on ${servers} refuses what is sent to it (${said}).`)
  }
}
