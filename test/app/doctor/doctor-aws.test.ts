import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, suite, test, type TestContext } from 'node:test'
import { stringify } from 'yaml'
import { runCli } from '../../../src/app/cli/program.ts'
import type { Account } from '../../../src/app/doctor/present.ts'
import { apis } from '../../../src/devbroker/apis.ts'
import { EmbeddedBroker } from '../../../src/devbroker/broker.ts'
import { verifyConnectSignature } from '../../adapters/kafka/security/connect-signature.ts'
import { Authority } from '../../support/kafka/authority.ts'
import { SaslBroker } from '../../support/kafka/sasl-broker.ts'
import { RecordingIo } from '../../support/recording-io.ts'
import { StubAws, testKeys, type StubAnswer } from '../../support/stub-aws.ts'

const cluster = 'arn:aws:kafka:eu-west-1:123456789012:cluster/iam/11111111-1111-1111-1111-111111111111-1'

async function doctor(t: TestContext, config: object, args: readonly string[]) {
  const cwd = await mkdtemp(join(tmpdir(), 'millrace-doctor-'))
  t.after(() => rm(cwd, { recursive: true }))
  await writeFile(join(cwd, 'millrace.yaml'), stringify(config))
  const env = { ...testKeys, AWS_ENDPOINT_URL: process.env['AWS_ENDPOINT_URL'] ?? '' }
  const io = new RecordingIo({ cwd, env })
  const code = await runCli(['doctor', ...args], io)
  assert.ok(!`${io.out}${io.err}`.includes(testKeys.AWS_SECRET_ACCESS_KEY), 'a key is shown')
  const { steps } = JSON.parse(io.out) as Account
  const step = (name: string, about?: string) =>
    steps.find(each => each.step === name && (about === undefined || each.about === about)) ??
    assert.fail(`no step ${name}`)
  return { code, step, failed: steps.filter(({ result }) => result === 'failed').map(each => each.step) }
}

suite('millrace doctor on a cluster that takes IAM (reference 9.5)', () => {
  /** TLS and a door that checks signatures as MSK does; behind it a broker with a topic. */
  async function setup(t: TestContext, secretAccessKey = testKeys.AWS_SECRET_ACCESS_KEY) {
    await StubAws.start(t)
    const authority = await Authority.create()
    const { certificatePem, privateKeyPem } = await authority.issue({ commonName: 'b', names: 'DNS:localhost' })
    const offered = [...apis.values()].map(({ key, versions: [min, max] }) => [key, min, max] as const)
    const mechanisms: string[] = []
    let behind: EmbeddedBroker | undefined
    const door = await SaslBroker.open({
      tls: { cert: certificatePem, key: privateKeyPem },
      mechanisms: ['OAUTHBEARER', 'AWS_MSK_IAM'],
      upstream: { port: () => behind!.port, offered },
      authenticate: (message, mechanism) => {
        mechanisms.push(mechanism)
        try {
          if (mechanism === 'AWS_MSK_IAM')
            verifyConnectSignature(
              JSON.parse(message.toString()) as Record<string, string>,
              'localhost',
              secretAccessKey
            )
          else verifyConnectSignature(signedBy(message), 'kafka.eu-west-1.amazonaws.com', secretAccessKey)
        } catch {
          return { errorCode: 58, errorMessage: 'Access denied' }
        }
        return { lifetimeMs: 0 }
      }
    })
    t.after(() => door.close())
    behind = new EmbeddedBroker({ advertised: { host: 'localhost', port: door.port } })
    await behind.start()
    t.after(() => behind.stop())
    behind.createTopic('orders', { partitions: 1 })
    behind.append('orders', 0, [{ key: null, value: Buffer.from('value') }])
    const folder = await mkdtemp(join(tmpdir(), 'millrace-iam-'))
    t.after(() => rm(folder, { recursive: true }))
    const rootCa = join(folder, 'ca.pem')
    await writeFile(rootCa, authority.pem)
    const config = { clusters: { [cluster]: { saslIam: [`localhost:${door.port}`], rootCa } } }
    const examine = (...more: string[]) =>
      doctor(t, config, ['--cluster-arn', cluster, '--topic', 'orders', '--group', 'readers', ...more])
    return { examine, mechanisms }
  }

  /** The members of a presigned request, of a token. */
  function signedBy(message: Buffer): Record<string, string> {
    const token = message.toString().slice('n,,\x01auth=Bearer '.length, -'\x01\x01'.length)
    const { host, searchParams } = new URL(Buffer.from(token, 'base64url').toString())
    const members = [...searchParams].map(([name, value]) => [name.toLowerCase(), value])
    return { ...(Object.fromEntries(members) as Record<string, string>), host }
  }

  for (const [mechanism, more] of [
    ['OAUTHBEARER', []],
    ['AWS_MSK_IAM', ['--tag', 'millrace:iam-mechanism=AWS_MSK_IAM']]
  ] as const)
    test(`every step is ok by ${mechanism}: keys, clock, TLS, signature, record`, async t => {
      const { examine, mechanisms } = await setup(t)
      const { code, failed, step } = await examine(...more)
      assert.deepEqual([failed, code], [[], 0])
      assert.deepEqual([...new Set(mechanisms)], [mechanism])
      for (const name of ['secret', 'clock', 'TLS', 'API versions', 'SASL', 'metadata', 'topic', 'record'])
        assert.equal(step(name).result, 'ok', name)
      assert.equal(step('cluster').detail.split(':')[0], `SASL_SSL, ${mechanism}`)
      assert.equal(step('secret', 'AWS credentials, eu-west-1').result, 'ok')
      assert.match(step('record').detail, /^partition 0, offset 0, 5 bytes/)
    })

  test('a signature that the brokers do not take fails SASL, with the one thing to do, and nothing before it', async t => {
    const { examine } = await setup(t, 'another key')
    const { code, failed, step } = await examine()
    assert.deepEqual([code, failed], [1, ['SASL']])
    assert.match(step('SASL').detail, /Access denied \(SASL_AUTHENTICATION_FAILED\)/)
    assert.match(step('SASL').advice ?? '', /kafka-cluster:Connect/)
  })
})

describe('a destination at AWS is looked at without writing, and what was not proven is named', () => {
  const queue = 'arn:aws:sqs:us-east-1:123456789012:failed'
  const topic = 'arn:aws:sns:us-east-1:123456789012:failed'
  const bucket = 'arn:aws:s3:::failed'
  const there: Record<string, StubAnswer> = {
    GetQueueUrl: { body: { QueueUrl: 'http://127.0.0.1/123456789012/failed' } },
    GetTopicAttributes: {
      body: '<GetTopicAttributesResponse><GetTopicAttributesResult><Attributes/></GetTopicAttributesResult></GetTopicAttributesResponse>'
    },
    'HEAD /failed': { body: '' }
  }
  const denied: StubAnswer = { status: 403, type: 'AccessDenied', body: { __type: 'AccessDenied', message: 'no' } }
  const examine = async (t: TestContext, destination: string, answers: Readonly<Record<string, StubAnswer>>) => {
    const stub = await StubAws.start(t)
    stub.answer = ({ operation }) => answers[operation.split('?')[0]!.replace(/\/$/, '')] ?? { status: 404, body: {} }
    const { step } = await doctor(t, {}, ['--bootstrap', '127.0.0.1:1', '--destination', destination])
    return { ...step('destination'), operations: stub.operations }
  }

  for (const [arn, looking, writing] of [
    [queue, 'sqs:GetQueueUrl', `sqs:SendMessage on ${queue}`],
    [topic, 'sns:GetTopicAttributes', `sns:Publish on ${topic}`],
    [bucket, 's3:ListBucket', `s3:PutObject on ${bucket}/*`]
  ] as const) {
    test(`${arn} that is there`, async t => {
      const { result, detail, operations } = await examine(t, arn, there)
      assert.deepEqual(
        [result, detail],
        ['ok', `it is there (${looking}); ${writing} was not tried: only a delivery tells whether it is allowed`]
      )
      assert.equal(operations.length, 1, 'it was asked once, and nothing was written')
    })

    test(`${arn} that may not be looked at`, async t => {
      const answers = Object.fromEntries(Object.keys(there).map(name => [name, denied]))
      const xml = {
        status: 403,
        body: '<ErrorResponse><Error><Code>AuthorizationError</Code><Message>no</Message></Error></ErrorResponse>'
      }
      const { result, detail } = await examine(t, arn, { ...answers, GetTopicAttributes: xml })
      assert.equal(result, 'skipped', detail)
      assert.ok(detail.startsWith(`${looking} is not allowed`) && detail.includes(writing), detail)
    })
  }

  test('one that is not there fails, with the one thing to do', async t => {
    const absent = {
      status: 400,
      type: 'AWS.SimpleQueueService.NonExistentQueue',
      body: { __type: 'com.amazonaws.sqs#QueueDoesNotExist', message: 'The specified queue does not exist.' }
    }
    const { result, advice = '' } = await examine(t, queue, { GetQueueUrl: absent })
    assert.equal(result, 'failed')
    assert.match(advice, /^Make the destination/)
  })
})
