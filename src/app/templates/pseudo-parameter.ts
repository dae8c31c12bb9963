import { partitionOf } from '../../core/mapping/function-name.ts'
import { urlSuffix } from './physical.ts'
import type { Place } from './physical.ts'
import { absent } from './resolver.ts'

/** The value of `AWS::Region` and its like; undefined: it is none. */
export function pseudoParameter(name: string, { region, accountId, stackName }: Place): unknown {
  switch (name) {
    case 'AWS::Region':
      return region
    case 'AWS::AccountId':
      return accountId
    case 'AWS::Partition':
      return partitionOf(region)
    case 'AWS::URLSuffix':
      return urlSuffix(region)
    case 'AWS::StackName':
      return stackName
    case 'AWS::StackId':
      return `arn:${partitionOf(region)}:cloudformation:${region}:${accountId}:stack/${stackName}/${stackId}`
    case 'AWS::NotificationARNs':
      return []
    case 'AWS::NoValue':
      return absent
    default:
      return undefined
  }
}

const stackId = '00000000-0000-4000-8000-000000000000'
