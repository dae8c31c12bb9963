import { assumedRole } from '../core/mapping/assumed-role.ts'
import type { Tags } from '../core/mapping/tags.ts'
import type { AwsCredentials, MappingCredentials } from '../ports/aws-credentials.ts'

/** Who asks AWS for something on behalf of a mapping with these tags. */
export function mappingCredentials(credentials: AwsCredentials, tags: Tags): MappingCredentials {
  const role = assumedRole(tags)
  return role === undefined ? { credentials } : { credentials, role }
}
