import { Admin } from '@platformatic/kafka'

/** Ids of the members that the group's coordinator knows, the dead among them until their session ends. */
export function groupMembers(bootstrapServers: readonly string[], groupId: string): Promise<string[]> {
  return withAdmin(bootstrapServers, async admin => {
    const groups = await admin.describeGroups({ groups: [groupId] })
    return [...(groups.get(groupId)?.members.keys() ?? [])]
  })
}

/**
 * Takes members out of a group, as the end of their session would: the remedy of an operator who knows that they are dead.
 * A test that killed them need not wait for the 45 seconds of a session then.
 */
export async function expel(
  bootstrapServers: readonly string[],
  groupId: string,
  memberIds: readonly string[]
): Promise<void> {
  if (memberIds.length === 0) return
  const members = memberIds.map(memberId => ({ memberId, reason: 'killed' }))
  await withAdmin(bootstrapServers, admin => admin.removeMembersFromConsumerGroup({ groupId, members }))
}

async function withAdmin<T>(bootstrapServers: readonly string[], use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin({
    clientId: 'millrace-test',
    bootstrapBrokers: [...bootstrapServers],
    retries: 5,
    retryDelay: 100
  })
  try {
    return await use(admin)
  } finally {
    await admin.close()
  }
}
