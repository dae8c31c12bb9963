import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { executionRolePolicy } from '../../../src/core/policy/execution-role.ts'
import type { PolicySubject } from '../../../src/core/policy/subject.ts'
import { aSubject, clusterArn, ownCluster, scram, secretArn } from './subjects.ts'

const statementsOf = (overrides: Partial<PolicySubject>) =>
  new Map(executionRolePolicy(aSubject(overrides)).policy.Statement.map(each => [each.Sid, each]))

describe('reference 10.1: the execution role', () => {
  test('of an MSK mapping has AWS’s lists, on this function’s log and this cluster', () => {
    const statements = statementsOf({})
    const resources = Object.fromEntries([...statements].map(([sid, { Resource }]) => [sid, Resource]))
    assert.deepEqual(
      [resources['LogGroup'], resources['Logs'], resources['MskCluster'], resources['Network']],
      [
        'arn:aws:logs:eu-west-1:111122223333:*',
        'arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/orders:*',
        clusterArn,
        '*'
      ]
    )
    assert.deepEqual(statements.get('MskCluster')?.Action, [
      'kafka:DescribeCluster',
      'kafka:DescribeClusterV2',
      'kafka:GetBootstrapBrokers'
    ])
    assert.equal(statements.get('Network')?.Action.length, 6)
    assert.ok(statements.has('Topic'), 'without a secret AWS goes by IAM')
  })

  test('of an own cluster needs the network’s actions only where subnets are named', () => {
    assert.deepEqual([...statementsOf({ source: ownCluster }).keys()], ['LogGroup', 'Logs'])
    const access = [{ Type: 'VPC_SUBNET', URI: 'subnet:subnet-1' }]
    assert.ok(statementsOf({ source: ownCluster, access }).has('Network'))
  })

  test('reads each secret once, with the keys of its account, and lists SCRAM secrets of MSK', () => {
    const access = [...scram, { Type: 'SERVER_ROOT_CA_CERTIFICATE', URI: secretArn }]
    const statements = statementsOf({ access })
    assert.equal(statements.get('Secrets')?.Resource, secretArn)
    assert.equal(statements.get('SecretsKey')?.Resource, 'arn:aws:kms:eu-west-1:111122223333:key/*')
    assert.deepEqual(statements.get('SecretsKey')?.Condition, {
      StringEquals: { 'kms:ViaService': 'secretsmanager.eu-west-1.amazonaws.com' }
    })
    assert.equal(statements.get('ScramSecrets')?.Resource, clusterArn)
    assert.ok(!statements.has('Topic'), 'with a secret the brokers go by ACLs')
  })

  test('describes the VPC connection of a cluster in another account', () => {
    const arn = 'arn:aws:kafka:eu-west-1:111122223333:vpc-connection/444455556666/shop/cccc-2'
    const statements = statementsOf({ source: { kind: 'msk', arn } })
    assert.equal(statements.get('MskConnection')?.Resource, arn)
    assert.equal(statements.get('MskCluster')?.Resource, 'arn:aws:kafka:eu-west-1:444455556666:cluster/shop/*')
  })

  test('may be assumed by Lambda, and every statement has a name of its own', () => {
    const destination = { kind: 's3', arn: 'arn:aws:s3:::failures', bucket: 'failures' } as const
    const { trustPolicy, policy } = executionRolePolicy(aSubject({ access: scram, destination }))
    assert.equal(trustPolicy.Statement[0].Principal.Service, 'lambda.amazonaws.com')
    const sids = policy.Statement.map(({ Sid }) => Sid)
    assert.equal(new Set(sids).size, sids.length)
    assert.ok(
      sids.every(sid => /^[A-Za-z0-9]+$/.test(sid)),
      'IAM takes letters and digits only'
    )
  })
})

describe('reference 10.3: destinations', () => {
  const sqs = (account: string) => ({
    kind: 'sqs' as const,
    arn: `arn:aws:sqs:eu-west-1:${account}:failed`,
    region: 'eu-west-1',
    accountId: account,
    queueName: 'failed'
  })

  test('a queue is sent to; across accounts its key is described too', () => {
    const near = statementsOf({ destination: sqs('111122223333') })
    assert.deepEqual(near.get('Destination')?.Action, ['sqs:SendMessage'])
    assert.deepEqual(near.get('DestinationKey')?.Action, ['kms:Decrypt', 'kms:GenerateDataKey'])
    const far = statementsOf({ destination: sqs('444455556666') }).get('DestinationKey')
    assert.deepEqual(far?.Action, ['kms:Decrypt', 'kms:GenerateDataKey', 'kms:DescribeKey', 'kms:ReEncrypt*'])
    assert.equal(far?.Resource, 'arn:aws:kms:eu-west-1:444455556666:key/*')
  })

  test('a topic is published to', () => {
    const arn = 'arn:aws:sns:eu-west-1:111122223333:failed'
    const statements = statementsOf({ destination: { kind: 'sns', arn, region: 'eu-west-1' } })
    assert.deepEqual(
      [statements.get('Destination')?.Action, statements.get('Destination')?.Resource],
      [['sns:Publish'], arn]
    )
  })

  test('a bucket is listed, and its objects are put', () => {
    const statements = statementsOf({ destination: { kind: 's3', arn: 'arn:aws:s3:::failures', bucket: 'failures' } })
    assert.equal(statements.get('DestinationBucket')?.Resource, 'arn:aws:s3:::failures')
    assert.equal(statements.get('Destination')?.Resource, 'arn:aws:s3:::failures/*')
    assert.deepEqual(statements.get('DestinationKey')?.Action, ['kms:GenerateDataKey'])
  })
})
