import { dataPlanePolicy } from './data-plane.ts'
import type { PolicyDocument } from './iam.ts'
import { proofOf } from './subject.ts'
import type { PolicySubject } from './subject.ts'

/** Rights on one resource of a cluster, in the words of `kafka-acls.sh`. */
export interface KafkaAcl {
  readonly resourceType: 'Topic' | 'Group' | 'Cluster'
  readonly resourceName: string
  readonly operations: readonly ('Read' | 'Write' | 'Describe' | 'DescribeConfigs')[]
  /** As Kafka names it: `User:…`. */
  readonly principal: string
  readonly why: string
}

export interface KafkaPolicy {
  /** Which of the two the brokers go by, as far as the mapping tells. */
  readonly inForce: 'acls' | 'iam'
  readonly acls: readonly KafkaAcl[]
  /** A line of shell for each ACL. */
  readonly commands: readonly string[]
  /** Of an MSK cluster that takes IAM. */
  readonly iamPolicy?: PolicyDocument
  readonly notes: readonly string[]
}

/** What the brokers must allow for this mapping to be read (reference 10.2), and its destination topic to be written (10.4). */
export function kafkaPolicy(subject: PolicySubject, principal = principalOf(subject)): KafkaPolicy {
  const acls = aclsOf(subject, principal)
  const iamPolicy = dataPlanePolicy(subject)
  const inForce = proofOf(subject) === 'iam' ? 'iam' : 'acls'
  return {
    inForce,
    acls,
    commands: acls.map(acl => command(acl, subject)),
    ...(iamPolicy === undefined ? {} : { iamPolicy }),
    notes: notesOf(subject, principal)
  }
}

/** Brokers name whoever logs in after the secret's content, which nobody reads for this. */
const principals = {
  none: 'User:ANONYMOUS',
  iam: 'User:ANONYMOUS',
  scram: 'User:USERNAME',
  plain: 'User:USERNAME',
  'mutual-tls': 'User:CN=NAME'
} as const

const principalOf = (subject: PolicySubject): string => principals[proofOf(subject)]

function aclsOf({ topic, groupId, destination }: PolicySubject, principal: string): readonly KafkaAcl[] {
  return [
    {
      resourceType: 'Topic',
      resourceName: topic,
      operations: ['Describe', 'Read'],
      principal,
      why: 'finds the partitions and reads their records'
    },
    {
      resourceType: 'Group',
      resourceName: groupId,
      operations: ['Describe', 'Read'],
      principal,
      why: 'joins the consumer group and commits offsets'
    },
    {
      resourceType: 'Cluster',
      resourceName: 'kafka-cluster',
      operations: ['DescribeConfigs'],
      principal,
      why: "AWS's pollers ask for it; Millrace's do not"
    },
    ...(destination?.kind === 'kafka'
      ? [
          {
            resourceType: 'Topic',
            resourceName: destination.topic,
            operations: ['Describe', 'Write'],
            principal,
            why: 'delivers what is given up'
          } as const
        ]
      : [])
  ]
}

function command({ resourceType, resourceName, operations, principal }: KafkaAcl, { source }: PolicySubject): string {
  const servers = source.kind === 'msk' ? '"$BOOTSTRAP_SERVERS"' : quoted(source.bootstrapServers.join(','))
  const resource = resourceType === 'Cluster' ? '--cluster' : `--${resourceType.toLowerCase()} ${quoted(resourceName)}`
  return [
    `kafka-acls.sh --bootstrap-server ${servers} --command-config admin.properties --add`,
    `--allow-principal ${quoted(principal)}`,
    ...operations.map(operation => `--operation ${operation}`),
    resource
  ].join(' ')
}

function notesOf(subject: PolicySubject, principal: string): readonly string[] {
  const proof = proofOf(subject)
  const notes: string[] = []
  if (proof === 'scram' || proof === 'plain')
    notes.push(`USERNAME stands for the name in the secret; --principal User:NAME writes it.`)
  if (proof === 'mutual-tls')
    notes.push(
      "CN=NAME stands for the whole subject of the client certificate, or what the brokers' ssl.principal.mapping.rules make of it; --principal writes it."
    )
  if (proof === 'iam')
    notes.push(
      'The mapping names no secret: where the cluster takes IAM, its policy counts, else the ACLs of User:ANONYMOUS.'
    )
  if (proof === 'none') notes.push('Brokers know who comes without credentials as User:ANONYMOUS.')
  if (subject.source.kind === 'msk')
    notes.push('BOOTSTRAP_SERVERS is what "aws kafka get-bootstrap-brokers" tells of the cluster.')
  if (subject.destination?.kind === 'kafka')
    notes.push('Brokers older than Kafka 2.8 want --operation IdempotentWrite --cluster too: records are written once.')
  return principal.includes('USERNAME') || principal.includes('CN=NAME')
    ? notes
    : notes.filter(note => !note.includes('stands for'))
}

/** For a POSIX shell. */
const quoted = (text: string): string =>
  /^[\w.,:/=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
