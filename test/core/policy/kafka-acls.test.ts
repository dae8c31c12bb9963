import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { kafkaPolicy } from '../../../src/core/policy/kafka-acls.ts'
import { aSubject, ownCluster, scram } from './subjects.ts'

describe('reference 10.2: rights on the cluster', () => {
  test('Kafka ACLs name topic, group and cluster, and are lines for kafka-acls.sh', () => {
    const policy = kafkaPolicy(aSubject({ source: ownCluster, access: scram }), 'User:reader')
    assert.equal(policy.inForce, 'acls')
    const begin =
      'kafka-acls.sh --bootstrap-server k1.example:9093,k2.example:9093 --command-config admin.properties --add'
    assert.deepEqual(policy.commands, [
      `${begin} --allow-principal User:reader --operation Describe --operation Read --topic orders`,
      `${begin} --allow-principal User:reader --operation Describe --operation Read --group orders-group`,
      `${begin} --allow-principal User:reader --operation DescribeConfigs --cluster`
    ])
    assert.equal(policy.iamPolicy, undefined)
    assert.deepEqual(policy.notes, [])
  })

  test('IAM’s policy has the actions of the contract on this cluster, topic and group', () => {
    const { inForce, iamPolicy } = kafkaPolicy(aSubject())
    assert.equal(inForce, 'iam')
    const base = 'arn:aws:kafka:eu-west-1:111122223333'
    assert.deepEqual(
      iamPolicy?.Statement.map(({ Action, Resource }) => [Action, Resource]),
      [
        [
          ['kafka-cluster:Connect', 'kafka-cluster:DescribeClusterDynamicConfiguration'],
          `${base}:cluster/shop/aaaa-bbbb-1`
        ],
        [['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'], `${base}:topic/shop/aaaa-bbbb-1/orders`],
        [['kafka-cluster:DescribeGroup', 'kafka-cluster:AlterGroup'], `${base}:group/shop/aaaa-bbbb-1/orders-group`]
      ]
    )
  })

  test('a cluster of another account is that of the VPC connection’s owner, with its UUID left open', () => {
    const arn = 'arn:aws:kafka:eu-west-1:111122223333:vpc-connection/444455556666/shop/cccc-2'
    const resources = kafkaPolicy(aSubject({ source: { kind: 'msk', arn } })).iamPolicy?.Statement.map(s => s.Resource)
    assert.deepEqual(resources, [
      'arn:aws:kafka:eu-west-1:444455556666:cluster/shop/*',
      'arn:aws:kafka:eu-west-1:444455556666:topic/shop/*/orders',
      'arn:aws:kafka:eu-west-1:444455556666:group/shop/*/orders-group'
    ])
  })

  test('a name that a shell would take apart is quoted', () => {
    const { commands } = kafkaPolicy(
      aSubject({ source: ownCluster, groupId: 'a*b' }),
      "User:CN=Orders O'Brien,O=Shop & Co"
    )
    assert.match(commands[1] ?? '', /--group 'a\*b'$/)
    assert.match(commands[1] ?? '', /--allow-principal 'User:CN=Orders O'\\''Brien,O=Shop & Co' /)
  })

  for (const [access, principal] of [
    [[], 'User:ANONYMOUS'],
    [scram, 'User:USERNAME'],
    [[{ Type: 'BASIC_AUTH', URI: 's' }], 'User:USERNAME'],
    [[{ Type: 'CLIENT_CERTIFICATE_TLS_AUTH', URI: 's' }], 'User:CN=NAME']
  ] as const)
    test(`without --principal the ACLs are for ${principal} with ${access[0]?.Type ?? 'no secret'}, and a note says so`, () => {
      const { acls, notes } = kafkaPolicy(aSubject({ source: ownCluster, access }))
      assert.deepEqual(new Set(acls.map(acl => acl.principal)), new Set([principal]))
      assert.equal(notes.length, 1)
    })
})

describe('reference 10.4: a Kafka topic as destination', () => {
  const destination = { kind: 'kafka', topic: 'orders-failed' } as const

  test('may be written and described, by ACLs', () => {
    const { acls } = kafkaPolicy(aSubject({ source: ownCluster, destination }))
    const { resourceType, resourceName, operations } = acls.at(-1) ?? assert.fail('no ACL')
    assert.deepEqual([resourceType, resourceName, operations], ['Topic', 'orders-failed', ['Describe', 'Write']])
  })

  test('and by IAM', () => {
    const { iamPolicy } = kafkaPolicy(aSubject({ destination }))
    const actions = iamPolicy?.Statement.filter(({ Sid }) => Sid.startsWith('Destination')).flatMap(s => s.Action)
    assert.deepEqual(actions, [
      'kafka-cluster:DescribeCluster',
      'kafka-cluster:WriteDataIdempotently',
      'kafka-cluster:DescribeTopic',
      'kafka-cluster:ReadData',
      'kafka-cluster:WriteData'
    ])
  })
})
