import { createHash } from 'node:crypto'
import { partitionOf } from '../../core/mapping/function-name.ts'

/** Where the resources of a template would be. */
export interface Place {
  readonly region: string
  readonly accountId: string
  readonly stackName: string
}

/** One resource, with the name it has or gets. */
export interface Named {
  readonly place: Place
  readonly logicalId: string
  readonly name: string
  /** Text of another property, or undefined. */
  readonly property: (name: string) => string | undefined
}

type Value = (resource: Named) => string | undefined

/** What `Ref` and `Fn::GetAtt` give for a type of resource, as AWS documents it for the type. */
interface Kind {
  /** The property that names it; absent: nobody can name it. */
  readonly nameProperty?: string
  readonly ref: Value
  readonly attributes: Readonly<Record<string, Value>>
}

const arn =
  (service: string, rest: (resource: Named) => string): Value =>
  resource =>
    `arn:${partitionOf(resource.place.region)}:${service}:${home(resource)}:${rest(resource)}`
const home = ({ place }: Named): string => `${place.region}:${place.accountId}`
const name: Value = resource => resource.name

/** Looks random and is the same every time. */
function digest({ place, logicalId, name }: Named, ...salt: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify([place.stackName, logicalId, name, ...salt]))
    .digest('hex')
}

function uuid(resource: Named): string {
  const hex = digest(resource, 'uuid')
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-'
  )
}

const ec2Id =
  (prefix: string): Value =>
  resource =>
    `${prefix}-${digest(resource, prefix).slice(0, 17)}`
const ec2 = (prefix: string, attribute: string): Kind => ({
  ref: ec2Id(prefix),
  attributes: { [attribute]: ec2Id(prefix) }
})

const mskArn = (generation: string) => arn('kafka', r => `cluster/${r.name}/${uuid(r)}-${generation}`)
const msk = (generation: string): Kind => ({
  nameProperty: 'ClusterName',
  ref: mskArn(generation),
  attributes: { Arn: mskArn(generation) }
})
const vpcConnectionArn = arn('kafka', r => {
  const cluster = /:cluster\/([^/]+)\//.exec(r.property('TargetClusterArn') ?? '')?.[1] ?? r.name
  return `vpc-connection/${r.place.accountId}/${cluster}/${uuid(r)}-1`
})

const functionArn = arn('lambda', r => `function:${r.name}`)
const lambda: Kind = { nameProperty: 'FunctionName', ref: name, attributes: { Arn: functionArn } }

const queueUrl: Value = ({ place, name }) =>
  `https://sqs.${place.region}.${urlSuffix(place.region)}/${place.accountId}/${name}`
const bucketArn: Value = ({ place, name }) => `arn:${partitionOf(place.region)}:s3:::${name}`
const tableArn = arn('dynamodb', r => `table/${r.name}`)
const table: Kind = { nameProperty: 'TableName', ref: name, attributes: { Arn: tableArn } }
const secretArn = arn('secretsmanager', r => `secret:${r.name}-${digest(r, 'secret').slice(0, 6)}`)
const topicArn = arn('sns', r => r.name)
const keyArn = arn('kms', r => `key/${uuid(r)}`)
const roleArn: Value = resource =>
  `arn:${partitionOf(resource.place.region)}:iam::${resource.place.accountId}:role${resource.property('Path') ?? '/'}${resource.name}`
const registryArn = arn('glue', r => `registry/${r.name}`)

const kinds: ReadonlyMap<string, Kind> = new Map(
  Object.entries({
    'AWS::Serverless::Function': lambda,
    'AWS::Lambda::Function': lambda,
    'AWS::MSK::Cluster': msk('1'),
    'AWS::MSK::ServerlessCluster': msk('s1'),
    'AWS::MSK::VpcConnection': { ref: vpcConnectionArn, attributes: { Arn: vpcConnectionArn } },
    'AWS::SQS::Queue': {
      nameProperty: 'QueueName',
      ref: queueUrl,
      attributes: { Arn: arn('sqs', r => r.name), QueueName: name, QueueUrl: queueUrl }
    },
    'AWS::SNS::Topic': {
      nameProperty: 'TopicName',
      ref: topicArn,
      attributes: { TopicArn: topicArn, TopicName: name }
    },
    'AWS::S3::Bucket': {
      nameProperty: 'BucketName',
      ref: name,
      attributes: {
        Arn: bucketArn,
        DomainName: ({ place, name }) => `${name}.s3.${urlSuffix(place.region)}`,
        RegionalDomainName: ({ place, name }) => `${name}.s3.${place.region}.${urlSuffix(place.region)}`
      }
    },
    'AWS::DynamoDB::Table': table,
    'AWS::DynamoDB::GlobalTable': table,
    'AWS::Serverless::SimpleTable': table,
    'AWS::SecretsManager::Secret': { nameProperty: 'Name', ref: secretArn, attributes: { Id: secretArn } },
    'AWS::KMS::Key': { ref: uuid, attributes: { Arn: keyArn, KeyId: uuid } },
    'AWS::KMS::Alias': { nameProperty: 'AliasName', ref: name, attributes: {} },
    'AWS::IAM::Role': { nameProperty: 'RoleName', ref: name, attributes: { Arn: roleArn } },
    'AWS::Logs::LogGroup': {
      nameProperty: 'LogGroupName',
      ref: name,
      attributes: { Arn: arn('logs', r => `log-group:${r.name}:*`) }
    },
    'AWS::SSM::Parameter': {
      nameProperty: 'Name',
      ref: name,
      attributes: { Value: r => r.property('Value'), Type: r => r.property('Type') }
    },
    'AWS::Events::EventBus': {
      nameProperty: 'Name',
      ref: name,
      attributes: { Arn: arn('events', r => `event-bus/${r.name}`), Name: name }
    },
    'AWS::Kinesis::Stream': {
      nameProperty: 'Name',
      ref: name,
      attributes: { Arn: arn('kinesis', r => `stream/${r.name}`) }
    },
    'AWS::Glue::Registry': { nameProperty: 'Name', ref: registryArn, attributes: { Arn: registryArn } },
    'AWS::EC2::Subnet': ec2('subnet', 'SubnetId'),
    'AWS::EC2::SecurityGroup': ec2('sg', 'GroupId'),
    'AWS::EC2::VPC': ec2('vpc', 'VpcId')
  } satisfies Record<string, Kind>)
)

/** The types of resource whose values are known without AWS. */
export const knownTypes: readonly string[] = [...kinds.keys()]

export const isKnownType = (type: string): boolean => kinds.has(type)

/** The property that names a resource of the type. */
export const namePropertyOf = (type: string): string | undefined => kinds.get(type)?.nameProperty

/** What `Ref` (no attribute) or `Fn::GetAtt` gives; undefined: nothing is known of it here. */
export function physicalValue(type: string, resource: Named, attribute?: string): string | undefined {
  const kind = kinds.get(type)
  if (kind === undefined || attribute === undefined) return kind?.ref(resource)
  return Object.hasOwn(kind.attributes, attribute) ? kind.attributes[attribute]?.(resource) : undefined
}

/** What CloudFormation would make up, less the random part: `local-DeadLetters`. */
export function generatedName(type: string, { stackName }: Place, logicalId: string, isFifo: boolean): string {
  if (type === 'AWS::S3::Bucket') return `${stackName}-${logicalId}`.toLowerCase().slice(0, 63)
  if (type === 'AWS::KMS::Alias') return `alias/${stackName}-${logicalId}`
  return `${stackName}-${logicalId}${isFifo ? '.fifo' : ''}`
}

export const urlSuffix = (region: string): string => (region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com')
