import type { Tags } from './tags.ts'

export interface AssumedRole {
  readonly roleArn: string
  /** That the role's owner wants to hear. */
  readonly externalId?: string
}

/**
 * The role a mapping's tags name. Whatever is asked of AWS for the mapping (its cluster and secrets, its function, its
 * destination) is asked in it, as AWS asks in the function's execution role.
 */
export function assumedRole(tags: Tags): AssumedRole | undefined {
  const { 'millrace:role-arn': roleArn, 'millrace:external-id': externalId } = tags
  if (roleArn === undefined) return undefined
  return externalId === undefined ? { roleArn } : { roleArn, externalId }
}
