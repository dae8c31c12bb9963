import { Connection, createAclsV3, deleteAclsV3 } from '@platformatic/kafka'

const resourceTypes = { topic: 2, group: 3, cluster: 4 } as const
const operations = { read: 3, describe: 8, describeConfigs: 10 } as const
const literal = 3 as const
const allow = 3 as const

/** What a principal may do, say `User:alice` may `read` the topic `orders`. The only cluster is `kafka-cluster`. */
export interface Acl {
  readonly principal: string
  readonly operation: keyof typeof operations
  readonly resource: keyof typeof resourceTypes
  /** `*`: any. */
  readonly name: string
}

const wire = (acl: Acl) => ({
  resourceType: resourceTypes[acl.resource],
  resourceName: acl.name,
  resourcePatternType: literal,
  principal: acl.principal,
  host: '*',
  operation: operations[acl.operation],
  permissionType: allow
})

/** Takes effect a moment later. `address` is that of a listener where we are a super user. */
export function grant(address: string, acls: readonly Acl[]): Promise<unknown> {
  return over(address, connection => createAclsV3.api.async(connection, acls.map(wire)))
}

export function revoke(address: string, acls: readonly Acl[]): Promise<unknown> {
  return over(address, connection => deleteAclsV3.api.async(connection, acls.map(wire)))
}

async function over<Result>(address: string, ask: (connection: Connection) => Promise<Result>): Promise<Result> {
  const { hostname, port } = new URL(`kafka://${address}`)
  const connection = new Connection('millrace-test', { connectTimeout: 2_000, requestTimeout: 5_000 })
  try {
    await connection.connect(hostname, Number(port))
    return await ask(connection)
  } finally {
    await connection.close()
  }
}
