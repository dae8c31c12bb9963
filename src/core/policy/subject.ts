import type { DestinationTarget } from '../destination/target.ts'
import { partitionOf } from '../mapping/function-name.ts'
import type { EventSource, SourceAccess } from '../mapping/mapping.ts'
import { accessUri } from '../source/security-plan.ts'

/** What of a mapping decides which rights it needs, and from whom. */
export interface PolicySubject {
  readonly uuid: string
  /** With the qualifier, where there is one. */
  readonly functionArn: string
  readonly source: EventSource
  readonly topic: string
  /** The one that is in use: the mapping's UUID, unless it names another. */
  readonly groupId: string
  readonly access: readonly SourceAccess[]
  readonly destination?: DestinationTarget
  /** AWS polls from a network of its own then (reference 10.6). */
  readonly provisioned: boolean
}

/** The parts of an ARN that say where something lives. */
export interface ArnPlace {
  readonly partition: string
  readonly service: string
  readonly region: string
  readonly accountId: string
  /** All behind the account. */
  readonly resource: string
}

/** `arn:partition:service:region:account:resource…`; parts that are not there are empty. */
export function placeOf(arn: string): ArnPlace {
  const [, partition = '', service = '', region = '', accountId = '', ...rest] = arn.split(':')
  return { partition: partition || partitionOf(region), service, region, accountId, resource: rest.join(':') }
}

export type Proof = 'none' | 'iam' | 'scram' | 'plain' | 'mutual-tls'

/** By what the brokers know who asks. An MSK cluster without a secret: by IAM where it takes it (reference 9.3). */
export function proofOf({ source, access }: PolicySubject): Proof {
  if (accessUri(access, 'SASL_SCRAM_512_AUTH') !== undefined || accessUri(access, 'SASL_SCRAM_256_AUTH') !== undefined)
    return 'scram'
  if (accessUri(access, 'BASIC_AUTH') !== undefined) return 'plain'
  if (accessUri(access, 'CLIENT_CERTIFICATE_TLS_AUTH') !== undefined) return 'mutual-tls'
  return source.kind === 'msk' ? 'iam' : 'none'
}

/** ARNs of the secrets that the mapping names, each once; what is no ARN (a subnet, a security group) is none. */
export function secretArns({ access }: PolicySubject): readonly string[] {
  return [...new Set(access.map(({ URI }) => URI).filter(uri => /^arn:[^:]+:secretsmanager:/.test(uri)))]
}

/** Ids of subnets or security groups, with and without AWS's prefix (reference 9.1). */
export function networkIds({ access }: PolicySubject, type: 'VPC_SUBNET' | 'VPC_SECURITY_GROUP'): readonly string[] {
  return access.filter(({ Type }) => Type === type).map(({ URI }) => URI.replace(/^(subnet|security_group):/, ''))
}
