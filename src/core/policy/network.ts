import { networkIds, proofOf } from './subject.ts'
import type { PolicySubject } from './subject.ts'

/** A rule of a security group. */
export interface SecurityGroupRule {
  /** Whose rule it is; a name in capitals stands for an id that only AWS knows. */
  readonly group: string
  readonly direction: 'inbound' | 'outbound'
  readonly fromPort: number
  readonly toPort: number
  /** A security group, or a range of addresses. */
  readonly peer: string
  readonly why: string
}

export interface NetworkPolicy {
  readonly rules: readonly SecurityGroupRule[]
  /** A line of shell for each rule. */
  readonly commands: readonly string[]
  readonly notes: readonly string[]
}

/** Security groups where AWS's own pollers read (reference 10.6): the brokers' port, and the way to the endpoints of AWS. */
export function networkPolicy(subject: PolicySubject): NetworkPolicy {
  const given = networkIds(subject, 'VPC_SECURITY_GROUP')
  // Of an MSK cluster AWS takes the groups of its brokers; an own cluster's stand in the mapping.
  const groups = given.length > 0 ? given : ['EVENT_SOURCE_GROUP']
  const ports = portsOf(subject)
  const rules = groups.flatMap(group => rulesOf(group, ports, subject))
  return { rules, commands: rules.map(command), notes: notesOf(subject, given.length > 0) }
}

interface PortRange {
  readonly fromPort: number
  readonly toPort: number
  readonly why: string
}

function rulesOf(group: string, ports: readonly PortRange[], { provisioned }: PolicySubject): SecurityGroupRule[] {
  const brokers = ports.flatMap(({ why, ...port }) => [
    { group, direction: 'inbound' as const, ...port, peer: group, why },
    { group, direction: 'outbound' as const, ...port, peer: group, why }
  ])
  const https = { fromPort: 443, toPort: 443 }
  const outbound = { group, direction: 'outbound' as const, ...https, peer: '0.0.0.0/0', why: 'endpoints of AWS' }
  // AWS's endpoints are not called from here in provisioned mode.
  if (provisioned) return brokers
  const inbound = {
    group: 'ENDPOINT_GROUP',
    direction: 'inbound' as const,
    ...https,
    peer: group,
    why: 'lets the pollers in to the VPC endpoints'
  }
  return [...brokers, outbound, inbound]
}

const mskPorts = { none: 9092, scram: 9096, 'mutual-tls': 9094, iam: 9098, plain: 9096 } as const
const methodNames = {
  none: 'plaintext',
  scram: 'SASL/SCRAM',
  'mutual-tls': 'mutual TLS',
  iam: 'IAM',
  plain: 'SASL/PLAIN'
} as const

function portsOf(subject: PolicySubject): PortRange[] {
  const { source } = subject
  const proof = proofOf(subject)
  if (source.kind === 'self-managed') {
    const ports = source.bootstrapServers.map(server => Number(server.slice(server.lastIndexOf(':') + 1)))
    return [...new Set(ports)].map(port => ({ fromPort: port, toPort: port, why: 'brokers' }))
  }
  if (source.arn.includes(':vpc-connection/'))
    return [{ fromPort: 14_001, toPort: 14_100, why: `brokers behind the VPC connection, ${methodNames[proof]}` }]
  const port = mskPorts[proof]
  return [{ fromPort: port, toPort: port, why: `brokers, ${methodNames[proof]}` }]
}

function command({ group, direction, fromPort, toPort, peer }: SecurityGroupRule): string {
  const verb = direction === 'inbound' ? 'ingress' : 'egress'
  const ports = fromPort === toPort ? String(fromPort) : `${fromPort}-${toPort}`
  if (direction === 'inbound')
    return `aws ec2 authorize-security-group-${verb} --group-id ${group} --protocol tcp --port ${ports} --source-group ${peer}`
  const target = peer.includes('/') ? `CidrIp=${peer}` : `GroupId=${peer}`
  const pairs = peer.includes('/') ? `IpRanges=[{${target}}]` : `UserIdGroupPairs=[{${target}}]`
  return `aws ec2 authorize-security-group-${verb} --group-id ${group} --ip-permissions 'IpProtocol=tcp,FromPort=${fromPort},ToPort=${toPort},${pairs}'`
}

function notesOf(subject: PolicySubject, isGiven: boolean): readonly string[] {
  const { source, provisioned } = subject
  const notes: string[] = []
  if (!isGiven)
    notes.push(
      source.kind === 'msk'
        ? "EVENT_SOURCE_GROUP stands for the security groups of the cluster's brokers: AWS's pollers are given the same."
        : 'EVENT_SOURCE_GROUP stands for a security group that the mapping would name as VPC_SECURITY_GROUP; without one the brokers are reached over the internet.'
    )
  if (proofOf(subject) === 'iam' && source.kind === 'msk' && !source.arn.includes(':vpc-connection/'))
    notes.push('A cluster without IAM is reached at 9094 (TLS) or 9092 (plaintext) instead of 9098.')
  if (source.kind === 'msk') notes.push('The ports that count are those of "aws kafka get-bootstrap-brokers".')
  if (provisioned) notes.push('In provisioned mode AWS needs no way to its own endpoints from this network.')
  else notes.push('ENDPOINT_GROUP stands for the group of the VPC endpoints; a NAT gateway serves instead of them.')
  return notes
}
