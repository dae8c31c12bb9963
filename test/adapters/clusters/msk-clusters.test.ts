import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { AwsCredentialChain } from '../../../src/adapters/aws/credentials.ts'
import { ClusterFinder } from '../../../src/adapters/clusters/cluster-finder.ts'
import { MskClusters } from '../../../src/adapters/clusters/msk-clusters.ts'
import type { SourceAccess } from '../../../src/core/mapping/mapping.ts'
import { problemOfError } from '../../../src/core/mapping/processing-result.ts'
import type { BrokerNetwork } from '../../../src/core/source/broker-choice.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { closedPort, StubAws, testKeys, withEnvironment } from '../../support/stub-aws.ts'
import type { StubAnswer } from '../../support/stub-aws.ts'

const arn = 'arn:aws:kafka:eu-west-1:123456789012:cluster/orders/11111111-1111-1111-1111-111111111111-1'
const connectionArn =
  'arn:aws:kafka:eu-west-1:210987654321:vpc-connection/123456789012/orders/22222222-2222-2222-2222-222222222222-1'
const secret = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:AmazonMSK_a'

const everyBroker = {
  bootstrapBrokerString: 'b-1.vpc:9092',
  bootstrapBrokerStringTls: 'b-1.vpc:9094,b-2.vpc:9094',
  bootstrapBrokerStringSaslScram: 'b-1.vpc:9096',
  bootstrapBrokerStringSaslIam: 'b-1.vpc:9098',
  bootstrapBrokerStringPublicTls: 'b-1.public:9194',
  bootstrapBrokerStringPublicSaslScram: 'b-1.public:9196',
  bootstrapBrokerStringPublicSaslIam: 'b-1.public:9198',
  bootstrapBrokerStringVpcConnectivityTls: 'b-1.connection:14001',
  bootstrapBrokerStringVpcConnectivitySaslScram: 'b-1.connection:14002',
  bootstrapBrokerStringVpcConnectivitySaslIam: 'b-1.connection:14003',
  bootstrapBrokerStringSaslIamIpv6: 'b-1.six:9098'
}
const provisioned = (authentication: object, state = 'ACTIVE') => ({
  clusterInfo: { clusterType: 'PROVISIONED', state, provisioned: { clientAuthentication: authentication } }
})
const everything = provisioned({
  sasl: { scram: { enabled: true }, iam: { enabled: true } },
  tls: { enabled: true },
  unauthenticated: { enabled: true }
})
const serverless = {
  clusterInfo: {
    clusterType: 'SERVERLESS',
    state: 'ACTIVE',
    serverless: { clientAuthentication: { sasl: { iam: { enabled: true } } } }
  }
}

interface Answers {
  cluster?: StubAnswer
  brokers?: StubAnswer
  connection?: StubAnswer
}

async function setup(t: TestContext, answers: Answers = {}, network: Exclude<BrokerNetwork, 'vpc-connection'> = 'vpc') {
  const aws = await StubAws.start(t)
  const told: Required<Answers> = {
    cluster: { body: everything },
    brokers: { body: everyBroker },
    connection: { status: 404, body: {} },
    ...answers
  }
  aws.answer = ({ operation }) =>
    operation.endsWith('/bootstrap-brokers')
      ? told.brokers
      : operation.includes('/vpc-connection/arn')
        ? told.connection
        : told.cluster
  const clock = new FakeClock(Date.now())
  const msk = new MskClusters({ aws: new AwsCredentialChain(clock), clock, network })
  const finder = new ClusterFinder({ clusters: {}, secrets: {}, msk, rules: { allowSaslPlaintext: false } })
  const address = (types: string[] = [], tags: Record<string, string> = {}, source = arn) => {
    const sourceAccess: SourceAccess[] = types.map(Type => ({ Type, URI: secret }))
    return finder.address({ source: { kind: 'msk', arn: source }, sourceAccess, tags })
  }
  return { aws, told, clock, finder, address }
}

const login = { arn: secret, from: { kind: 'secrets-manager', region: 'eu-west-1' } }

describe('reference 9.3 brokers as MSK tells them', () => {
  test('are those of the strongest way, with what connections need to know', async t => {
    const { address, aws } = await setup(t)
    assert.deepEqual(await address(['CLIENT_CERTIFICATE_TLS_AUTH']), {
      bootstrapServers: ['b-1.vpc:9094', 'b-2.vpc:9094'],
      security: { protocol: 'SSL', clientCertificate: login }
    })
    assert.deepEqual(await address(['SASL_SCRAM_512_AUTH']), {
      bootstrapServers: ['b-1.vpc:9096'],
      security: { protocol: 'SASL_SSL', mechanism: 'SCRAM-SHA-512', login }
    })
    assert.deepEqual(await address(), {
      bootstrapServers: ['b-1.vpc:9098'],
      security: { protocol: 'SASL_SSL', mechanism: 'OAUTHBEARER', iam: { region: 'eu-west-1' } }
    })
    assert.deepEqual(aws.operations, [`GET /api/v2/clusters/${arn}`, `GET /v1/clusters/${arn}/bootstrap-brokers`])
    assert.deepEqual(new Set(aws.calls.map(({ region }) => region)), new Set(['eu-west-1']))
  })

  test('without credentials are those of TLS, then plaintext', async t => {
    const open = provisioned({ unauthenticated: { enabled: true } })
    const { bootstrapBrokerString, bootstrapBrokerStringTls } = everyBroker
    const both = await setup(t, {
      cluster: { body: open },
      brokers: { body: { bootstrapBrokerString, bootstrapBrokerStringTls } }
    })
    assert.deepEqual((await both.address()).security, { protocol: 'SSL' })
    const plain = await setup(t, {
      cluster: { body: open },
      brokers: { body: { bootstrapBrokerString, bootstrapBrokerStringTls: '' } }
    })
    assert.deepEqual(await plain.address(), { bootstrapServers: ['b-1.vpc:9092'] })
  })

  for (const [network, host] of [
    ['public', 'b-1.public:9198'],
    ['ipv6', 'b-1.six:9098']
  ] as const)
    test(`are those of the network ${network}, if the configuration says so`, async t => {
      const { address } = await setup(t, {}, network)
      assert.deepEqual((await address()).bootstrapServers, [host])
    })

  test('a serverless cluster takes IAM and no secret', async t => {
    const { bootstrapBrokerStringSaslIam } = everyBroker
    const { address } = await setup(t, {
      cluster: { body: serverless },
      brokers: { body: { bootstrapBrokerStringSaslIam } }
    })
    assert.deepEqual((await address()).bootstrapServers, ['b-1.vpc:9098'])
    await assert.rejects(address(['SASL_SCRAM_512_AUTH']), {
      code: 'MILL_CLUSTER_UNFIT',
      message: `Cluster ${arn} is serverless: it takes IAM only, so name no secret in SourceAccessConfigurations.`
    })
  })

  test('a VPC connection leads to the cluster behind it', async t => {
    const connection = { body: { targetClusterArn: arn, state: 'AVAILABLE', authentication: 'SASL_SCRAM' } }
    const { address, aws, told } = await setup(t, { connection })
    const { bootstrapServers } = await address(['SASL_SCRAM_512_AUTH'], {}, connectionArn)
    assert.deepEqual(bootstrapServers, ['b-1.connection:14002'])
    assert.deepEqual(aws.operations, [
      `GET /v1/vpc-connection/${connectionArn}`,
      `GET /v1/clusters/${arn}/bootstrap-brokers`,
      `GET /api/v2/clusters/${arn}`
    ])
    await assert.rejects(address(['CLIENT_CERTIFICATE_TLS_AUTH'], {}, connectionArn), {
      message: /does not take mutual TLS/
    })
    told.connection = { body: { targetClusterArn: arn, state: 'INACTIVE' } }
  })

  test('a VPC connection is enough where the other account lets nobody look at its cluster', async t => {
    const { address } = await setup(t, {
      connection: { body: { targetClusterArn: arn, state: 'AVAILABLE', authentication: 'SASL_IAM' } },
      cluster: { status: 403, type: 'ForbiddenException', body: { message: 'no' } }
    })
    assert.deepEqual((await address([], {}, connectionArn)).bootstrapServers, ['b-1.connection:14003'])
  })

  test('a VPC connection that is not ready says so, and one to a serverless cluster is refused', async t => {
    const target = { targetClusterArn: arn, authentication: 'SASL_IAM' }
    const making = await setup(t, { connection: { body: { ...target, state: 'CREATING' } } })
    await assert.rejects(making.address([], {}, connectionArn), { code: 'MILL_CLUSTER_BUSY' })
    const rejected = await setup(t, { connection: { body: { ...target, state: 'REJECTED' } } })
    await assert.rejects(rejected.address([], {}, connectionArn), {
      code: 'MILL_CLUSTER_UNFIT',
      message: /in state REJECTED/
    })
    const behind = await setup(t, {
      connection: { body: { ...target, state: 'AVAILABLE' } },
      cluster: { body: serverless }
    })
    await assert.rejects(behind.address([], {}, connectionArn), { message: /takes no mapping by a VPC connection/ })
  })

  test('the role of the mapping asks, reads its secret and signs', async t => {
    const { address, aws, told } = await setup(t)
    const role = { roleArn: 'arn:aws:iam::123456789012:role/kafka', externalId: 'x1' }
    const answer = aws.answer
    aws.answer = call =>
      call.operation === 'AssumeRole'
        ? {
            body: `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${new Date(Date.now() + 3_600_000).toISOString()}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`
          }
        : answer(call)
    const tags = { 'millrace:role-arn': role.roleArn, 'millrace:external-id': role.externalId }
    assert.deepEqual((await address([], tags)).security?.iam, { region: 'eu-west-1', ...role })
    assert.deepEqual((await address(['SASL_SCRAM_512_AUTH'], tags)).security?.login?.from, {
      kind: 'secrets-manager',
      region: 'eu-west-1',
      ...role
    })
    assert.deepEqual(
      aws.calls.map(({ accessKeyId }) => accessKeyId),
      ['AKIATEST', 'ASIAROLE', 'ASIAROLE']
    )
    assert.equal(aws.operations[0], 'AssumeRole')
    assert.ok(told.cluster)
  })
})

describe('what MSK told', () => {
  test('is kept for five minutes, and one question is enough for all who ask at a time', async t => {
    const { address, aws, clock } = await setup(t)
    await Promise.all([address(), address(), address(['SASL_SCRAM_512_AUTH'])])
    assert.equal(aws.calls.length, 2)
    await clock.advance(5 * 60_000)
    await address()
    assert.equal(aws.calls.length, 4)
  })

  test('is asked anew when the brokers are gone', async t => {
    const { address, told, finder } = await setup(t)
    await address()
    told.brokers = { body: { bootstrapBrokerStringSaslIam: 'b-7.vpc:9098' } }
    assert.deepEqual((await address()).bootstrapServers, ['b-1.vpc:9098'])
    finder.gone({ kind: 'msk', arn })
    assert.deepEqual((await address()).bootstrapServers, ['b-7.vpc:9098'])
  })

  test('a failure is not kept', async t => {
    const { address, told } = await setup(t, {
      cluster: { status: 404, type: 'NotFoundException', body: { message: 'none' } }
    })
    await assert.rejects(address(), { code: 'MILL_CLUSTER_UNKNOWN' })
    told.cluster = { body: everything }
    assert.deepEqual((await address()).bootstrapServers, ['b-1.vpc:9098'])
  })
})

describe('what is wrong is named with the ARN', () => {
  const states: [state: string, code: string, message: RegExp, kind: string][] = [
    ['CREATING', 'MILL_CLUSTER_BUSY', /is being made/, 'connection'],
    ['DELETING', 'MILL_CLUSTER_UNFIT', /is being deleted \(state DELETING\)/, 'cluster-unfit'],
    ['FAILED', 'MILL_CLUSTER_UNFIT', /could not be made/, 'cluster-unfit']
  ]
  const answers: [name: string, answers: Answers, code: string, message: RegExp, kind: string][] = [
    ...states.map(
      ([state, code, message, kind]) =>
        [`state ${state}`, { cluster: { body: provisioned({}, state) } }, code, message, kind] as [
          string,
          Answers,
          string,
          RegExp,
          string
        ]
    ),
    [
      'no such cluster',
      { cluster: { status: 404, type: 'NotFoundException', body: { message: 'The resource does not exist.' } } },
      'MILL_CLUSTER_UNKNOWN',
      /is not in the configuration, and MSK does not know it \(The resource does not exist\.\): add it under "clusters"/,
      'cluster-missing'
    ],
    [
      'an ARN that MSK does not like',
      { cluster: { status: 400, type: 'BadRequestException', body: { message: 'Invalid ARN' } } },
      'MILL_CLUSTER_UNKNOWN',
      /MSK says BadRequestException: Invalid ARN/,
      'cluster-missing'
    ],
    [
      'no permission to describe it',
      { cluster: { status: 403, type: 'AccessDeniedException', body: { message: 'User x may not' } } },
      'MILL_AWS_DENIED',
      /please add the permission kafka:DescribeClusterV2\. AWS says: User x may not/,
      'permission'
    ],
    [
      'no permission to ask for brokers',
      { brokers: { status: 403, type: 'ForbiddenException', body: { message: 'User x may not' } } },
      'MILL_AWS_DENIED',
      /please add the permission kafka:GetBootstrapBrokers/,
      'permission'
    ],
    [
      'keys that AWS does not take',
      {
        cluster: {
          status: 403,
          type: 'UnrecognizedClientException',
          body: { message: 'The security token is invalid' }
        }
      },
      'MILL_CLUSTER_UNKNOWN',
      /MSK does not take the AWS credentials/,
      'cluster-missing'
    ],
    [
      'MSK is out of order',
      { brokers: { status: 500, type: 'InternalServerErrorException', body: { message: 'sorry' } } },
      'MILL_AWS_UNREACHABLE',
      /^MSK cannot be asked for the cluster .* at the moment: InternalServerErrorException: sorry/,
      'secret'
    ]
  ]
  for (const [name, told, code, message, kind] of answers)
    test(`${name}: ${code}`, async t => {
      const { address } = await setup(t, told)
      await assert.rejects(address(), (error: Error & { code?: string }) => {
        assert.equal(error.code, code)
        assert.match(error.message, message)
        assert.ok(error.message.includes(arn), error.message)
        assert.equal(problemOfError(error).kind, kind)
        return true
      })
    })

  test('no credentials, and an MSK that is not there', async t => {
    const { address } = await setup(t)
    withEnvironment(t, { AWS_ENDPOINT_URL: `http://127.0.0.1:${await closedPort()}` })
    await assert.rejects(address(), {
      code: 'MILL_CLUSTER_UNKNOWN',
      message: /and MSK cannot be asked: There are no AWS credentials that can be used/
    })
    Object.assign(process.env, testKeys)
    const clock = new FakeClock(Date.now())
    const msk = new MskClusters({ aws: new AwsCredentialChain(clock), clock, network: 'vpc' })
    await assert.rejects(msk.offer(arn, { region: 'eu-west-1' }), {
      code: 'MILL_AWS_UNREACHABLE',
      message: /ECONNREFUSED/
    })
  })
})
