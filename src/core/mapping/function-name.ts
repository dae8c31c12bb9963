import { MillraceError } from '../errors.ts'
import { brokenConstraint, readOne } from './constraints.ts'
import { functionNameShape } from './fields.ts'

/** Where a deployment's own ARNs live. */
export interface Home {
  readonly region: string
  readonly accountId: string
}

/** A function as somebody wrote it, in any of AWS's forms. */
export interface FunctionReference {
  readonly name: string
  readonly qualifier?: string
  /** What the ARN without qualifier has to be; parts that were not written are those of our home. */
  readonly arn: string
  /** An account, region or partition was written: the function is that one, not whichever has the name. */
  readonly isLocated: boolean
}

const parts =
  /^(?:arn:(?<partition>aws[a-zA-Z-]*)?:lambda:)?(?:(?<region>[a-z]{2,4}(?:-[a-z]+)+-\d):)?(?:(?<account>\d{12}):)?(?:function:)?(?<name>[a-zA-Z0-9-_.]+)(?::(?<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?$/

/** Reads name, name:qualifier, partial ARN and ARN. Throws `MILL_CONSTRAINT`. */
export function parseFunctionName(text: string, home: Home): FunctionReference {
  readOne(functionNameShape, text, 'FunctionName')
  const found = parts.exec(text)?.groups
  const name = found?.['name']
  if (name === undefined) throw new MillraceError('MILL_FUNCTION_NOT_FOUND')
  if (name.length > 64) throw brokenConstraint(text, 'FunctionName', 'Member must have length less than or equal to 64')
  const qualifier = found?.['qualifier']
  const partition = found?.['partition'] ?? partitionOf(home.region)
  const region = found?.['region'] ?? home.region
  const account = found?.['account'] ?? home.accountId
  const arn = `arn:${partition}:lambda:${region}:${account}:function:${name}`
  const isLocated = ['partition', 'region', 'account'].some(part => found?.[part] !== undefined)
  return { name, arn, isLocated, ...(qualifier === undefined ? {} : { qualifier }) }
}

/** FunctionArn keeps the qualifier that was written and gains none (reference 1.4). */
export const withQualifier = (arn: string, qualifier: string | undefined): string =>
  qualifier === undefined ? arn : `${arn}:${qualifier}`

export function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn'
  if (region.startsWith('us-gov-')) return 'aws-us-gov'
  return 'aws'
}
