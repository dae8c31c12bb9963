import type { PolicySubject } from '../../../src/core/policy/subject.ts'

export const clusterArn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/shop/aaaa-bbbb-1'
export const secretArn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:AmazonMSK_orders-AbCdEf'

export function aSubject(overrides: Partial<PolicySubject> = {}): PolicySubject {
  return {
    uuid: '5a62c4f1-e52c-447d-a5c7-3f88eae05c5b',
    functionArn: 'arn:aws:lambda:eu-west-1:111122223333:function:orders:live',
    source: { kind: 'msk', arn: clusterArn },
    topic: 'orders',
    groupId: 'orders-group',
    access: [],
    provisioned: false,
    ...overrides
  }
}

export const ownCluster = { kind: 'self-managed', bootstrapServers: ['k1.example:9093', 'k2.example:9093'] } as const
export const scram = [{ Type: 'SASL_SCRAM_512_AUTH', URI: secretArn }]
