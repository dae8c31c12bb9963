import { dataPlaneStatements } from './data-plane.ts'
import { allow, policyDocument } from './iam.ts'
import type { PolicyDocument, Statement } from './iam.ts'
import { networkIds, placeOf, proofOf, secretArns } from './subject.ts'
import type { PolicySubject } from './subject.ts'

/** What the function's execution role needs where AWS's own pollers read for it. */
export interface RolePolicy {
  /** Who may assume the role. */
  readonly trustPolicy: typeof trustPolicy
  readonly policy: PolicyDocument
  readonly notes: readonly string[]
}

const trustPolicy = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }]
} as const

const networkActions = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeVpcs',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeSubnets',
  'ec2:DescribeSecurityGroups'
]

/** Reference 10.1 to 10.4, with the resources of this mapping. */
export function executionRolePolicy(subject: PolicySubject): RolePolicy {
  const { destination } = subject
  return {
    trustPolicy,
    policy: policyDocument([
      ...logs(subject),
      ...cluster(subject),
      ...network(subject),
      ...secrets(subject),
      ...(proofOf(subject) === 'iam' ? dataPlaneStatements(subject) : []),
      ...destinationStatements(subject)
    ]),
    notes: [
      ...(subject.source.kind === 'msk'
        ? [
            'The managed policy AWSLambdaMSKExecutionRole holds the statements Logs, LogGroup, MskCluster and Network on every resource.'
          ]
        : []),
      ...(proofOf(subject) === 'iam'
        ? ['Cluster, Topic and Group count where the cluster takes IAM; leave them out where it does not.']
        : ['The brokers go by their ACLs: see "millrace policy kafka".']),
      ...(secretArns(subject).length > 0 || isAws(destination)
        ? ['Statements that end in Key count for customer managed KMS keys; put the ARN of yours in place of key/*.']
        : []),
      ...(destination?.kind === 'file' ? ['AWS delivers to no file: name another destination there.'] : [])
    ]
  }
}

const isAws = (destination: PolicySubject['destination']): boolean =>
  destination?.kind === 'sqs' || destination?.kind === 'sns' || destination?.kind === 's3'

function logs({ functionArn }: PolicySubject): Statement[] {
  const { partition, region, accountId, resource } = placeOf(functionArn)
  const name = resource.split(':')[1] ?? resource
  const base = `arn:${partition}:logs:${region}:${accountId}`
  return [
    allow('LogGroup', ['logs:CreateLogGroup'], `${base}:*`),
    allow('Logs', ['logs:CreateLogStream', 'logs:PutLogEvents'], `${base}:log-group:/aws/lambda/${name}:*`)
  ]
}

function cluster({ source }: PolicySubject): Statement[] {
  if (source.kind !== 'msk') return []
  const { partition, region, resource } = placeOf(source.arn)
  const asked = ['kafka:DescribeCluster', 'kafka:DescribeClusterV2', 'kafka:GetBootstrapBrokers']
  const [kind, account = '', name = ''] = resource.split('/')
  if (kind !== 'vpc-connection') return [allow('MskCluster', asked, source.arn)]
  return [
    allow('MskConnection', ['kafka:DescribeVpcConnection'], source.arn),
    allow('MskCluster', asked, `arn:${partition}:kafka:${region}:${account}:cluster/${name}/*`)
  ]
}

/** An own cluster is reached over the internet, unless the mapping names subnets. */
function network(subject: PolicySubject): Statement[] {
  const isPlaced = subject.source.kind === 'msk' || networkIds(subject, 'VPC_SUBNET').length > 0
  // AWS knows no narrower resource for most of them.
  return isPlaced ? [allow('Network', networkActions, '*')] : []
}

function secrets(subject: PolicySubject): Statement[] {
  const arns = secretArns(subject)
  const { source } = subject
  return [
    ...(arns.length === 0 ? [] : [allow('Secrets', ['secretsmanager:GetSecretValue'], arns)]),
    ...[...new Set(arns.map(arn => keysBeside(arn)))].map((keys, at) =>
      allow(`Secrets${at === 0 ? '' : at + 1}Key`, ['kms:Decrypt'], keys, viaService(keys, 'secretsmanager'))
    ),
    ...(source.kind === 'msk' && proofOf(subject) === 'scram'
      ? [allow('ScramSecrets', ['kafka:ListScramSecrets'], source.arn)]
      : [])
  ]
}

function destinationStatements({ destination, functionArn }: PolicySubject): Statement[] {
  switch (destination?.kind) {
    case 'sqs':
      return [
        allow('Destination', ['sqs:SendMessage'], destination.arn),
        allow(
          'DestinationKey',
          messageKeyActions(destination.arn, functionArn),
          keysBeside(destination.arn),
          viaService(destination.arn, 'sqs')
        )
      ]
    case 'sns':
      return [
        allow('Destination', ['sns:Publish'], destination.arn),
        allow(
          'DestinationKey',
          messageKeyActions(destination.arn, functionArn),
          keysBeside(destination.arn),
          viaService(destination.arn, 'sns')
        )
      ]
    case 's3': {
      const { partition, region, accountId } = placeOf(functionArn)
      // A bucket's ARN says neither region nor account: those of the function are the likely ones.
      const keys = `arn:${partition}:kms:${region}:${accountId}:key/*`
      return [
        allow('DestinationBucket', ['s3:ListBucket'], destination.arn),
        allow('Destination', ['s3:PutObject'], `${destination.arn}/*`),
        allow('DestinationKey', ['kms:GenerateDataKey'], keys, viaService(keys, 's3'))
      ]
    }
    // A topic's rights are those of its cluster.
    case 'kafka':
    case 'file':
    case undefined:
      return []
    default:
      throw new Error(`no rights for ${JSON.stringify(destination satisfies never)}`)
  }
}

/** Across accounts the key has to be asked about first (reference 10.3). */
const messageKeyActions = (arn: string, functionArn: string): readonly string[] => [
  'kms:Decrypt',
  'kms:GenerateDataKey',
  ...(placeOf(arn).accountId === placeOf(functionArn).accountId ? [] : ['kms:DescribeKey', 'kms:ReEncrypt*'])
]

function keysBeside(arn: string): string {
  const { partition, region, accountId } = placeOf(arn)
  return `arn:${partition}:kms:${region}:${accountId}:key/*`
}

function viaService(arn: string, service: string): NonNullable<Statement['Condition']> {
  const { partition, region } = placeOf(arn)
  const domain = partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com'
  return { StringEquals: { 'kms:ViaService': `${service}.${region}.${domain}` } }
}
