import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { networkPolicy } from '../../../src/core/policy/network.ts'
import { endpointPolicy } from '../../../src/core/policy/vpc-endpoints.ts'
import type { PolicySubject } from '../../../src/core/policy/subject.ts'
import { aSubject, ownCluster, scram, secretArn } from './subjects.ts'

const portsOf = (overrides: Partial<PolicySubject>) => {
  const brokers = networkPolicy(aSubject(overrides)).rules.filter(({ why }) => why.startsWith('brokers'))
  return [...new Set(brokers.map(({ fromPort, toPort }) => `${fromPort}-${toPort}`))]
}

describe('reference 10.6: security groups', () => {
  test('the brokers’ port follows from how the mapping proves who it is', () => {
    assert.deepEqual(portsOf({}), ['9098-9098'])
    assert.deepEqual(portsOf({ access: scram }), ['9096-9096'])
    assert.deepEqual(portsOf({ access: [{ Type: 'CLIENT_CERTIFICATE_TLS_AUTH', URI: secretArn }] }), ['9094-9094'])
    assert.deepEqual(portsOf({ source: ownCluster }), ['9093-9093'])
    const arn = 'arn:aws:kafka:eu-west-1:111122223333:vpc-connection/444455556666/shop/cccc-2'
    assert.deepEqual(portsOf({ source: { kind: 'msk', arn } }), ['14001-14100'])
  })

  test('the groups that the mapping names take the place of placeholders, with and without AWS’s prefix', () => {
    const access = [
      { Type: 'VPC_SECURITY_GROUP', URI: 'security_group:sg-1' },
      { Type: 'VPC_SECURITY_GROUP', URI: 'sg-2' },
      { Type: 'VPC_SUBNET', URI: 'subnet:subnet-1' }
    ]
    const { commands, notes } = networkPolicy(aSubject({ source: ownCluster, access }))
    assert.equal(
      commands[0],
      'aws ec2 authorize-security-group-ingress --group-id sg-1 --protocol tcp --port 9093 --source-group sg-1'
    )
    assert.ok(commands.some(command => command.includes('--group-id sg-2')))
    assert.ok(!notes.some(note => note.startsWith('EVENT_SOURCE_GROUP')))
  })

  test('AWS’s endpoints are let be in provisioned mode', () => {
    const ports = (provisioned: boolean) =>
      networkPolicy(aSubject({ provisioned })).rules.map(({ fromPort }) => fromPort)
    assert.ok(ports(false).includes(443))
    assert.ok(!ports(true).includes(443))
    assert.deepEqual(endpointPolicy(aSubject({ provisioned: true })).endpoints, [])
  })
})

describe('reference 10.6: VPC endpoints', () => {
  test('Lambda and STS let in the service, the others the function’s role', () => {
    const destination = { kind: 'sns', arn: 'arn:aws:sns:eu-west-1:111122223333:f', region: 'eu-west-1' } as const
    const { endpoints } = endpointPolicy(aSubject({ access: scram, destination }))
    assert.deepEqual(
      endpoints.map(({ serviceName, policy: { Statement } }) => [
        serviceName,
        Statement[0]?.Action,
        Statement[0]?.Principal,
        Statement[0]?.Resource
      ]),
      [
        ['com.amazonaws.eu-west-1.lambda', ['lambda:InvokeFunction'], { Service: 'lambda.amazonaws.com' }, '*'],
        ['com.amazonaws.eu-west-1.sts', ['sts:AssumeRole'], { Service: 'lambda.amazonaws.com' }, '*'],
        [
          'com.amazonaws.eu-west-1.secretsmanager',
          ['secretsmanager:GetSecretValue'],
          { AWS: 'EXECUTION_ROLE_ARN' },
          secretArn
        ],
        ['com.amazonaws.eu-west-1.sns', ['sns:Publish'], { AWS: 'EXECUTION_ROLE_ARN' }, destination.arn]
      ]
    )
  })

  test('without secrets and destination there are two, and S3 has a gateway', () => {
    assert.equal(endpointPolicy(aSubject()).endpoints.length, 2)
    const destination = { kind: 's3', arn: 'arn:aws:s3:::failures', bucket: 'failures' } as const
    const s3 = endpointPolicy(aSubject({ destination })).endpoints.at(-1)
    assert.deepEqual([s3?.type, s3?.privateDns], ['Gateway', false])
  })
})
