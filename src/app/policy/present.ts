import type { RolePolicy } from '../../core/policy/execution-role.ts'
import type { KafkaPolicy } from '../../core/policy/kafka-acls.ts'
import type { NetworkPolicy } from '../../core/policy/network.ts'
import type { EndpointPolicy } from '../../core/policy/vpc-endpoints.ts'

/** One policy in its two forms. */
export interface PolicyText {
  /** For `--output text`: what a shell, or the AWS CLI, takes as it is. */
  readonly data: string
  /** Told beside it. */
  readonly notes: readonly string[]
  /** For `--output json`. */
  readonly value: unknown
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`
const lines = (texts: readonly string[]): string => texts.map(text => `${text}\n`).join('')

/** What the brokers go by comes first; the other kind follows as comments, for clusters that go by both. */
export function kafkaText(policy: KafkaPolicy): PolicyText {
  const { inForce, acls, commands, iamPolicy, notes } = policy
  const script = lines(acls.flatMap(({ why }, at) => [`# ${why}`, commands[at] ?? '']))
  const data = inForce === 'iam' && iamPolicy !== undefined ? json(iamPolicy) : script
  const other =
    inForce === 'iam'
      ? ['As Kafka ACLs, for a cluster without IAM: --output json has them.']
      : iamPolicy === undefined
        ? []
        : ['As a policy of IAM, for the day the mapping names no secret: --output json has it.']
  return { data, notes: [...notes, ...other], value: policy }
}

export function functionText(policy: RolePolicy): PolicyText {
  return { data: json(policy.policy), notes: policy.notes, value: policy }
}

export function networkText(policy: NetworkPolicy): PolicyText {
  const data = lines(policy.rules.flatMap(({ why }, at) => [`# ${why}`, policy.commands[at] ?? '']))
  return { data, notes: policy.notes, value: policy }
}

export function endpointsText(policy: EndpointPolicy): PolicyText {
  const data = policy.endpoints
    .map(({ serviceName, type, privateDns, policy: document, why }) => {
      const dns = type === 'Interface' ? `, private DNS ${privateDns ? 'on' : 'off'}` : ''
      return `# ${why}: ${type} endpoint ${serviceName}${dns}\n${json(document)}`
    })
    .join('\n')
  return { data, notes: policy.notes, value: policy }
}
