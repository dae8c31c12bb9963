import { defineApi } from '../api.ts'
import { errorCodes } from '../error-codes.ts'
import type { Group } from '../group.ts'
import { noOperations } from './metadata.ts'
import * as s from '../wire-schema.ts'

const describedMember = s.struct({
  memberId: s.string,
  groupInstanceId: s.since(4, s.nullableString),
  clientId: s.string,
  clientHost: s.string,
  memberMetadata: s.bytes,
  memberAssignment: s.bytes
})

const describedGroup = s.struct({
  errorCode: s.int16,
  errorMessage: s.since(6, s.nullableString),
  groupId: s.string,
  groupState: s.string,
  protocolType: s.string,
  protocolData: s.string,
  members: s.array(describedMember),
  authorizedOperations: s.since(3, s.int32, noOperations)
})

const nobody = { groupState: 'Dead', protocolType: '', protocolData: '', members: [] }

function describe(groupId: string, group: Group): s.Writing<typeof describedGroup> {
  return {
    errorCode: errorCodes.NONE,
    groupId,
    groupState: group.state,
    protocolType: group.protocolType,
    protocolData: group.protocolName,
    members: group.members.map(member => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: member.metadataFor(group.protocolName),
      memberAssignment: member.assignment
    }))
  }
}

export const describeGroups = defineApi({
  key: 15,
  name: 'DescribeGroups',
  versions: [0, 6],
  flexibleFrom: 5,
  request: s.struct({ groups: s.array(s.string), includeAuthorizedOperations: s.since(3, s.bool) }),
  response: s.struct({ throttleTimeMs: s.since(1, s.int32), groups: s.array(describedGroup) }),
  handle: ({ groups }, { broker, version }) => ({
    groups: groups.map(groupId => {
      const group = broker.groups.classic(groupId)
      if (group !== undefined) return describe(groupId, group)
      // Until version 6 an unknown group, or one of another protocol, was described as a dead one (KIP-1043).
      if (version < 6) return { errorCode: errorCodes.NONE, groupId, ...nobody }
      return {
        errorCode: errorCodes.GROUP_ID_NOT_FOUND,
        errorMessage: `there is no classic group ${groupId}`,
        groupId,
        ...nobody
      }
    })
  }),
  refuse: ({ groups }, errorCode) => ({ groups: groups.map(groupId => ({ errorCode, groupId, ...nobody })) })
})

/** A filter that is empty lets everything through. */
function isIn(filter: readonly string[], value: string): boolean {
  return filter.length === 0 || filter.some(wanted => wanted.toLowerCase() === value.toLowerCase())
}

export const listGroups = defineApi({
  key: 16,
  name: 'ListGroups',
  versions: [0, 5],
  flexibleFrom: 3,
  request: s.struct({ statesFilter: s.since(4, s.array(s.string)), typesFilter: s.since(5, s.array(s.string)) }),
  response: s.struct({
    throttleTimeMs: s.since(1, s.int32),
    errorCode: s.int16,
    groups: s.array(
      s.struct({
        groupId: s.string,
        protocolType: s.string,
        groupState: s.since(4, s.string),
        groupType: s.since(5, s.string)
      })
    )
  }),
  handle({ statesFilter, typesFilter }, { broker }) {
    const all = broker.groups.all().map(([groupId, group]) => {
      return { groupId, protocolType: group.protocolType, groupState: group.state, groupType: group.type }
    })
    return {
      errorCode: errorCodes.NONE,
      groups: all.filter(({ groupState, groupType }) => isIn(statesFilter, groupState) && isIn(typesFilter, groupType))
    }
  },
  refuse: (_request, errorCode) => ({ errorCode, groups: [] })
})

export const deleteGroups = defineApi({
  key: 42,
  name: 'DeleteGroups',
  versions: [0, 2],
  flexibleFrom: 2,
  request: s.struct({ groupsNames: s.array(s.string) }),
  response: s.struct({
    throttleTimeMs: s.defaulting(s.int32, 0),
    results: s.array(s.struct({ groupId: s.string, errorCode: s.int16 }))
  }),
  handle: ({ groupsNames }, { broker }) => ({
    results: groupsNames.map(groupId => ({ groupId, errorCode: broker.groups.delete(groupId) }))
  }),
  refuse: ({ groupsNames }, errorCode) => ({ results: groupsNames.map(groupId => ({ groupId, errorCode })) })
})
