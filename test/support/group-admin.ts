import {
  Connection,
  consumerGroupDescribeV0,
  consumerGroupHeartbeatV0,
  describeGroupsV5,
  leaveGroupV5
} from '@platformatic/kafka'

/** A member as the group's coordinator knows it; a dead one is known until its session ends. */
export interface GroupMember {
  readonly id: string
  readonly clientId: string
  readonly protocol: 'classic' | 'consumer'
}

/** KIP-848: with this epoch a member says that it leaves. */
const leavingEpoch = -1

/** Members of a group of either protocol, of which the first of these brokers is the coordinator. */
export function groupMembers(bootstrapServers: readonly string[], groupId: string): Promise<GroupMember[]> {
  return withConnection(bootstrapServers, async connection => {
    const classic = await describeGroupsV5.api.async(connection, [groupId], false)
    const members = classic.groups.flatMap(group => group.members)
    if (members.length > 0) {
      return members.map(({ memberId, clientId }) => ({ id: memberId, clientId, protocol: 'classic' }))
    }
    // A group of the other kind has no members for DescribeGroups; one that has none at all is refused here.
    const described = await consumerGroupDescribeV0.api
      .async(connection, [groupId], false)
      .catch(() => ({ groups: [] }))
    return described.groups
      .flatMap(group => group.members)
      .map(({ memberId, clientId }) => ({ id: memberId, clientId, protocol: 'consumer' }))
  })
}

/**
 * Takes the members of these clients out of a group, as the end of their session would: the remedy of an operator who
 * knows that they are dead. A test that killed them need not wait for the 45 seconds of a session then.
 */
export async function expel(
  bootstrapServers: readonly string[],
  groupId: string,
  isDead: (clientId: string) => boolean = () => true
): Promise<GroupMember[]> {
  const dead = (await groupMembers(bootstrapServers, groupId)).filter(({ clientId }) => isDead(clientId))
  await withConnection(bootstrapServers, async connection => {
    for (const { id, protocol } of dead) {
      if (protocol === 'classic') await leaveGroupV5.api.async(connection, groupId, [{ memberId: id }])
      else {
        await consumerGroupHeartbeatV0.api.async(
          connection,
          groupId,
          id,
          leavingEpoch,
          null,
          null,
          0,
          null,
          null,
          null,
          null
        )
      }
    }
  })
  return dead
}

async function withConnection<T>(
  [address]: readonly string[],
  use: (connection: Connection) => Promise<T>
): Promise<T> {
  const { hostname, port } = new URL(`kafka://${address}`)
  const connection = new Connection('millrace-test', { connectTimeout: 5_000, requestTimeout: 5_000 })
  try {
    await connection.connect(hostname, Number(port))
    return await use(connection)
  } finally {
    await connection.close()
  }
}
