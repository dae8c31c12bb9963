import { defineApi } from '../api.ts'
import { nodeId } from '../broker-state.ts'
import { errorCodes } from '../error-codes.ts'
import { refusedJoin, refusedSync } from '../group-member.ts'
import type { JoinAnswer, SyncAnswer } from '../group-member.ts'
import * as s from '../wire-schema.ts'

/** Kafka's upper bound (group.max.session.timeout.ms). It has a lower one too, 6 s, which tests would only wait for. */
const maxSessionTimeoutMs = 1_800_000

const coordinator = s.struct({
  key: s.string,
  nodeId: s.int32,
  host: s.string,
  port: s.int32,
  errorCode: s.int16,
  errorMessage: s.nullableString
})

export const findCoordinator = defineApi({
  key: 10,
  name: 'FindCoordinator',
  versions: [0, 6],
  flexibleFrom: 3,
  request: s.struct({
    key: s.until(3, s.string),
    keyType: s.since(1, s.int8),
    coordinatorKeys: s.since(4, s.array(s.string))
  }),
  response: s.struct({
    throttleTimeMs: s.since(1, s.int32),
    errorCode: s.until(3, s.int16),
    errorMessage: s.between(1, 3, s.nullableString),
    nodeId: s.until(3, s.int32),
    host: s.until(3, s.string),
    port: s.until(3, s.int32),
    coordinators: s.since(4, s.array(coordinator))
  }),
  handle({ keyType, coordinatorKeys }, { advertised }) {
    // 0 groups, 1 transactions, 2 share groups. There is one broker, so it coordinates whatever it knows.
    const errorCode = keyType === 0 || keyType === 1 ? errorCodes.NONE : errorCodes.INVALID_REQUEST
    const found = { errorCode, nodeId, ...advertised }
    return { ...found, coordinators: coordinatorKeys.map(key => ({ key, errorMessage: null, ...found })) }
  },
  refuse({ coordinatorKeys }, errorCode) {
    const nowhere = { errorCode, nodeId: -1, host: '', port: -1 }
    return { ...nowhere, coordinators: coordinatorKeys.map(key => ({ key, errorMessage: null, ...nowhere })) }
  }
})

const joinResponse = s.struct({
  throttleTimeMs: s.since(2, s.int32),
  errorCode: s.int16,
  generationId: s.int32,
  protocolType: s.since(7, s.nullableString),
  protocolName: s.nullableString,
  leader: s.string,
  skipAssignment: s.since(9, s.bool),
  memberId: s.string,
  members: s.array(s.struct({ memberId: s.string, groupInstanceId: s.since(5, s.nullableString), metadata: s.bytes }))
})

function toJoinResponse(answer: JoinAnswer, version: number): s.Writing<typeof joinResponse> {
  return {
    errorCode: answer.error,
    generationId: answer.generation,
    protocolType: answer.protocolType,
    // The name may be null from version 7 on; before, "none" was an empty string.
    protocolName: answer.protocolName ?? (version < 7 ? '' : null),
    leader: answer.leader,
    skipAssignment: answer.skipAssignment,
    memberId: answer.memberId,
    members: answer.members.map(({ memberId, instanceId, metadata }) => {
      return { memberId, groupInstanceId: instanceId, metadata }
    })
  }
}

export const joinGroup = defineApi({
  key: 11,
  name: 'JoinGroup',
  versions: [0, 9],
  flexibleFrom: 6,
  groupProtocol: 'classic',
  request: s.struct({
    groupId: s.string,
    sessionTimeoutMs: s.int32,
    rebalanceTimeoutMs: s.since(1, s.int32, -1),
    memberId: s.string,
    groupInstanceId: s.since(5, s.nullableString),
    protocolType: s.string,
    protocols: s.array(s.struct({ name: s.string, metadata: s.bytes })),
    reason: s.since(8, s.nullableString)
  }),
  response: joinResponse,
  async handle(request, { broker, version, clientId, clientHost }) {
    const { groupId, memberId, sessionTimeoutMs, rebalanceTimeoutMs } = request
    const refuse = (error: number) => toJoinResponse(refusedJoin(error, memberId), version)
    if (groupId === '') return refuse(errorCodes.INVALID_GROUP_ID)
    if (sessionTimeoutMs < 1 || sessionTimeoutMs > maxSessionTimeoutMs)
      return refuse(errorCodes.INVALID_SESSION_TIMEOUT)
    const answer = await broker.groups.openClassic(groupId).join({
      ...request,
      instanceId: request.groupInstanceId,
      clientId,
      clientHost,
      rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
      mayRequireMemberId: version >= 4,
      maySkipAssignment: version >= 9
    })
    return toJoinResponse(answer, version)
  },
  refuse: ({ memberId }, error, { version }) => toJoinResponse(refusedJoin(error, memberId), version)
})

const syncResponse = s.struct({
  throttleTimeMs: s.since(1, s.int32),
  errorCode: s.int16,
  protocolType: s.since(5, s.nullableString),
  protocolName: s.since(5, s.nullableString),
  assignment: s.bytes
})

function toSyncResponse({ error, ...rest }: SyncAnswer): s.Writing<typeof syncResponse> {
  return { errorCode: error, ...rest }
}

export const syncGroup = defineApi({
  key: 14,
  name: 'SyncGroup',
  versions: [0, 5],
  flexibleFrom: 4,
  groupProtocol: 'classic',
  request: s.struct({
    groupId: s.string,
    generationId: s.int32,
    memberId: s.string,
    groupInstanceId: s.since(3, s.nullableString),
    protocolType: s.since(5, s.nullableString),
    protocolName: s.since(5, s.nullableString),
    assignments: s.array(s.struct({ memberId: s.string, assignment: s.bytes }))
  }),
  response: syncResponse,
  async handle(request, { broker }) {
    const { groupId, groupInstanceId: instanceId, generationId: generation } = request
    if (groupId === '') return toSyncResponse(refusedSync(errorCodes.INVALID_GROUP_ID))
    const group = broker.groups.classic(groupId)
    if (group === undefined) return toSyncResponse(refusedSync(errorCodes.UNKNOWN_MEMBER_ID))
    return toSyncResponse(await group.sync({ ...request, instanceId, generation }))
  },
  refuse: (_request, error) => toSyncResponse(refusedSync(error))
})

export const heartbeat = defineApi({
  key: 12,
  name: 'Heartbeat',
  versions: [0, 4],
  flexibleFrom: 4,
  groupProtocol: 'classic',
  request: s.struct({
    groupId: s.string,
    generationId: s.int32,
    memberId: s.string,
    groupInstanceId: s.since(3, s.nullableString)
  }),
  response: s.struct({ throttleTimeMs: s.since(1, s.int32), errorCode: s.int16 }),
  handle({ groupId, generationId: generation, memberId, groupInstanceId: instanceId }, { broker }) {
    if (groupId === '') return { errorCode: errorCodes.INVALID_GROUP_ID }
    const group = broker.groups.classic(groupId)
    return { errorCode: group?.heartbeat({ memberId, instanceId, generation }) ?? errorCodes.UNKNOWN_MEMBER_ID }
  },
  refuse: (_request, errorCode) => ({ errorCode })
})

export const leaveGroup = defineApi({
  key: 13,
  name: 'LeaveGroup',
  versions: [0, 5],
  flexibleFrom: 4,
  groupProtocol: 'classic',
  request: s.struct({
    groupId: s.string,
    memberId: s.until(2, s.string),
    members: s.since(
      3,
      s.array(s.struct({ memberId: s.string, groupInstanceId: s.nullableString, reason: s.since(5, s.nullableString) }))
    )
  }),
  response: s.struct({
    throttleTimeMs: s.since(1, s.int32),
    errorCode: s.int16,
    members: s.since(
      3,
      s.array(s.struct({ memberId: s.string, groupInstanceId: s.nullableString, errorCode: s.int16 }))
    )
  }),
  handle({ groupId, memberId, members }, { broker, version }) {
    if (groupId === '') return { errorCode: errorCodes.INVALID_GROUP_ID }
    const leave = (memberId: string, instanceId: string | null) =>
      broker.groups.classic(groupId)?.leave(memberId, instanceId) ?? errorCodes.UNKNOWN_MEMBER_ID
    if (version < 3) return { errorCode: leave(memberId, null) }
    return {
      errorCode: errorCodes.NONE,
      members: members.map(member => {
        const { memberId, groupInstanceId } = member
        return { memberId, groupInstanceId, errorCode: leave(memberId, groupInstanceId) }
      })
    }
  },
  refuse: (_request, errorCode) => ({ errorCode })
})
