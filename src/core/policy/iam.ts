/** One statement of an IAM policy, in the order in which people write its members. */
export interface Statement {
  readonly Sid: string
  readonly Effect: 'Allow'
  readonly Principal?: Readonly<Record<string, string>>
  readonly Action: readonly string[]
  readonly Resource: string | readonly string[]
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>
}

/** A policy of AWS IAM, as `aws iam put-role-policy` takes it. */
export interface PolicyDocument {
  readonly Version: '2012-10-17'
  readonly Statement: readonly Statement[]
}

export const policyDocument = (statements: readonly Statement[]): PolicyDocument => ({
  Version: '2012-10-17',
  Statement: statements
})

/** @param resource One, or several: a list of one is written as that one. */
export function allow(
  Sid: string,
  Action: readonly string[],
  resource: string | readonly string[],
  Condition?: Statement['Condition']
): Statement {
  const Resource = typeof resource === 'string' || resource.length !== 1 ? resource : resource[0]!
  return { Sid, Effect: 'Allow', Action, Resource, ...(Condition === undefined ? {} : { Condition }) }
}
