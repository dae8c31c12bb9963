import { allow, policyDocument } from './iam.ts'
import type { PolicyDocument, Statement } from './iam.ts'
import { placeOf } from './subject.ts'
import type { PolicySubject } from './subject.ts'

/** ARNs of what lies in an MSK cluster. */
export interface ClusterResources {
  readonly cluster: string
  topic(name: string): string
  group(id: string): string
}

/**
 * Names of an MSK cluster's topics and groups for IAM. A VPC connection has a UUID of its own, so that of its cluster in the
 * other account is left open.
 */
export function clusterResources(arn: string): ClusterResources {
  const { partition, region, accountId, resource } = placeOf(arn)
  const [kind, ...parts] = resource.split('/')
  const [account = '', name = '', uuid = ''] =
    kind === 'vpc-connection' ? [parts[0], parts[1], '*'] : [accountId, parts[0], parts[1] ?? '*']
  const of = (type: string, rest = '') => `arn:${partition}:kafka:${region}:${account}:${type}/${name}/${uuid}${rest}`
  return { cluster: of('cluster'), topic: topic => of('topic', `/${topic}`), group: id => of('group', `/${id}`) }
}

/** What IAM must allow whoever reads the topic, and writes to its destination (reference 10.2, 10.4). Empty without an MSK cluster. */
export function dataPlaneStatements({ source, topic, groupId, destination }: PolicySubject): readonly Statement[] {
  if (source.kind !== 'msk') return []
  const resources = clusterResources(source.arn)
  const reading = [
    allow('Cluster', ['kafka-cluster:Connect', 'kafka-cluster:DescribeClusterDynamicConfiguration'], resources.cluster),
    allow('Topic', ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'], resources.topic(topic)),
    allow('Group', ['kafka-cluster:DescribeGroup', 'kafka-cluster:AlterGroup'], resources.group(groupId))
  ]
  if (destination?.kind !== 'kafka') return reading
  return [
    ...reading,
    allow(
      'DestinationCluster',
      ['kafka-cluster:DescribeCluster', 'kafka-cluster:WriteDataIdempotently'],
      resources.cluster
    ),
    allow(
      'DestinationTopic',
      ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData', 'kafka-cluster:WriteData'],
      resources.topic(destination.topic)
    )
  ]
}

export function dataPlanePolicy(subject: PolicySubject): PolicyDocument | undefined {
  const statements = dataPlaneStatements(subject)
  return statements.length === 0 ? undefined : policyDocument(statements)
}
