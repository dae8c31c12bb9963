import { codeOf, defineApi } from '../api.ts'
import type { RequestContext } from '../api.ts'
import type { BrokerState } from '../broker-state.ts'
import type { ConsumerGroup } from '../consumer-group.ts'
import { awayEpoch } from '../consumer-group-member.ts'
import { errorCodes, KafkaError } from '../error-codes.ts'
import type { Slot } from '../uniform-assignor.ts'
import * as s from '../wire-schema.ts'
import { noOperations } from './metadata.ts'

/** The only one here. Kafka has `range` too. */
const assignorName = 'uniform'

const topicPartitions = s.struct({ topicId: s.uuid, partitions: s.array(s.int32) })

const heartbeatRequest = s.struct({
  groupId: s.string,
  memberId: s.string,
  memberEpoch: s.int32,
  instanceId: s.nullableString,
  rackId: s.nullableString,
  rebalanceTimeoutMs: s.int32,
  subscribedTopicNames: s.nullableArray(s.string),
  subscribedTopicRegex: s.since(1, s.nullableString),
  serverAssignor: s.nullableString,
  topicPartitions: s.nullableArray(topicPartitions)
})

const heartbeatResponse = s.struct({
  throttleTimeMs: s.defaulting(s.int32, 0),
  errorCode: s.int16,
  errorMessage: s.nullableString,
  memberId: s.nullableString,
  memberEpoch: s.int32,
  heartbeatIntervalMs: s.int32,
  assignment: s.nullable(s.struct({ topicPartitions: s.array(topicPartitions) }))
})

type HeartbeatRequest = s.Reading<typeof heartbeatRequest>

function refuseHeartbeat(errorCode: number, errorMessage: string | null = null): s.Writing<typeof heartbeatResponse> {
  const nothing = { memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0, assignment: null }
  return { errorCode, errorMessage, ...nothing }
}

const invalid = (message: string) => new KafkaError('INVALID_REQUEST', message)

/** Throws what Kafka answers to a request that cannot be meant. */
function check(request: HeartbeatRequest): void {
  const { groupId, memberId, memberEpoch, instanceId, rackId, serverAssignor, topicPartitions } = request
  if (groupId === '') throw invalid('GroupId is empty.')
  if (instanceId === '') throw invalid('InstanceId is empty.')
  if (rackId === '') throw invalid('RackId is empty.')
  if (memberId === '' && memberEpoch !== 0) throw invalid('MemberId is empty.')
  if (memberEpoch < awayEpoch) throw invalid(`MemberEpoch is ${memberEpoch}; it must be −2 or more.`)
  if (memberEpoch === awayEpoch && instanceId === null) throw invalid('InstanceId is null.')
  if (request.subscribedTopicRegex !== null && request.subscribedTopicRegex !== '') {
    throw new KafkaError('INVALID_REGULAR_EXPRESSION', 'This broker knows topics by name only.')
  }
  if (serverAssignor !== null && serverAssignor !== '' && serverAssignor !== assignorName) {
    throw new KafkaError(
      'UNSUPPORTED_ASSIGNOR',
      `ServerAssignor is ${serverAssignor}; this broker has ${assignorName}.`
    )
  }
  if (memberEpoch !== 0) return
  if (request.rebalanceTimeoutMs < 0) throw invalid('RebalanceTimeoutMs must be given to join.')
  if (!request.subscribedTopicNames?.length) throw invalid('SubscribedTopicNames must be given to join.')
  if (topicPartitions?.length !== 0) throw invalid('TopicPartitions must be empty to join.')
}

function handleHeartbeat(request: HeartbeatRequest, { broker, clientId, clientHost }: RequestContext) {
  check(request)
  const { groupId, memberEpoch, subscribedTopicNames: topics, topicPartitions } = request
  const group = memberEpoch === 0 ? broker.groups.openConsumer(groupId) : broker.groups.consumer(groupId)
  const owned = topicPartitions?.flatMap(({ topicId, partitions }) => partitions.map(each => `${topicId}/${each}`))
  const answer = group.heartbeat({
    ...request,
    topics,
    owned: owned === undefined ? null : new Set(owned),
    clientId,
    clientHost
  })
  const { assignment } = answer
  return {
    ...answer,
    errorCode: errorCodes.NONE,
    errorMessage: null,
    assignment: assignment === null ? null : { topicPartitions: byTopic(assignment) }
  }
}

export const consumerGroupHeartbeat = defineApi({
  key: 68,
  name: 'ConsumerGroupHeartbeat',
  versions: [0, 1],
  flexibleFrom: 0,
  groupProtocol: 'consumer',
  request: heartbeatRequest,
  response: heartbeatResponse,
  handle(request, context) {
    try {
      return handleHeartbeat(request, context)
    } catch (error) {
      if (error instanceof KafkaError) return refuseHeartbeat(codeOf(error), error.message)
      throw error
    }
  },
  refuse: (_request, error) => refuseHeartbeat(error)
})

function byTopic(slots: ReadonlySet<Slot>): { topicId: string; partitions: number[] }[] {
  const found = new Map<string, number[]>()
  for (const slot of slots) {
    const [topicId = '', partition] = slot.split('/')
    const partitions = found.get(topicId) ?? []
    found.set(topicId, [...partitions, Number(partition)])
  }
  return [...found].map(([topicId, partitions]) => ({ topicId, partitions: partitions.sort((a, b) => a - b) }))
}

const describedAssignment = s.struct({
  topicPartitions: s.array(s.struct({ topicId: s.uuid, topicName: s.string, partitions: s.array(s.int32) }))
})

const describedGroup = s.struct({
  errorCode: s.int16,
  errorMessage: s.nullableString,
  groupId: s.string,
  groupState: s.string,
  groupEpoch: s.int32,
  assignmentEpoch: s.int32,
  assignorName: s.string,
  members: s.array(
    s.struct({
      memberId: s.string,
      instanceId: s.nullableString,
      rackId: s.nullableString,
      memberEpoch: s.int32,
      clientId: s.string,
      clientHost: s.string,
      subscribedTopicNames: s.array(s.string),
      subscribedTopicRegex: s.nullableString,
      assignment: describedAssignment,
      targetAssignment: describedAssignment,
      /** 1: it speaks the protocol `consumer`. */
      memberType: s.since(1, s.int8, -1)
    })
  ),
  authorizedOperations: s.defaulting(s.int32, noOperations)
})

function describe(groupId: string, group: ConsumerGroup, broker: BrokerState): s.Writing<typeof describedGroup> {
  const nameOf = (topicId: string) => broker.topics.byId(topicId)?.name ?? ''
  const named = (slots: ReadonlySet<Slot>) => ({
    topicPartitions: byTopic(slots).map(({ topicId, partitions }) => {
      return { topicId, topicName: nameOf(topicId), partitions }
    })
  })
  return {
    errorCode: errorCodes.NONE,
    errorMessage: null,
    groupId,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.epoch,
    assignorName,
    members: group.members.map(member => ({
      memberId: member.id,
      instanceId: member.instanceId,
      rackId: member.rackId,
      memberEpoch: member.epoch,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.topics],
      subscribedTopicRegex: null,
      assignment: named(member.assigned),
      targetAssignment: named(group.target(member.id)),
      memberType: 1
    }))
  }
}

function notDescribed(groupId: string, errorCode: number, errorMessage: string | null) {
  const nothing = { groupState: 'Dead', groupEpoch: 0, assignmentEpoch: 0, assignorName: '', members: [] }
  return { groupId, errorCode, errorMessage, ...nothing }
}

export const consumerGroupDescribe = defineApi({
  key: 69,
  name: 'ConsumerGroupDescribe',
  versions: [0, 1],
  flexibleFrom: 0,
  groupProtocol: 'consumer',
  request: s.struct({ groupIds: s.array(s.string), includeAuthorizedOperations: s.bool }),
  response: s.struct({ throttleTimeMs: s.defaulting(s.int32, 0), groups: s.array(describedGroup) }),
  handle: ({ groupIds }, { broker }) => ({
    groups: groupIds.map(groupId => {
      try {
        return describe(groupId, broker.groups.consumer(groupId), broker)
      } catch (error) {
        if (error instanceof KafkaError) return notDescribed(groupId, error.code, error.message)
        throw error
      }
    })
  }),
  refuse: ({ groupIds }, error) => ({ groups: groupIds.map(groupId => notDescribed(groupId, error, null)) })
})
