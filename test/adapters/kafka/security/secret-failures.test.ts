import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { AwsCredentialChain } from '../../../../src/adapters/aws/credentials.ts'
import { systemClock } from '../../../../src/adapters/host/system-clock.ts'
import { openKafkaConsumer } from '../../../../src/adapters/kafka/kafka-consumer.ts'
import { openClusterSecrets } from '../../../../src/adapters/secrets/cluster-secrets.ts'
import { describeProblem } from '../../../../src/core/mapping/processing-result.ts'
import type { ClusterSecurity, SecretReference } from '../../../../src/ports/cluster-security.ts'
import { Authority } from '../../../support/kafka/authority.ts'
import { SaslBroker } from '../../../support/kafka/sasl-broker.ts'
import { eventually } from '../../../support/poll.ts'
import { RecordingLog } from '../../../support/recording-log.ts'
import { closedPort, StubAws, withEnvironment, type StubAnswer } from '../../../support/stub-aws.ts'
import { TestCertificates } from '../../../support/test-certificates.ts'
import { RecordingListener } from '../recording-listener.ts'

const arn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:AmazonMSK_a-AbCdEf'
const here: SecretReference = { arn, from: { kind: 'environment', variable: 'THE_SECRET' } }
const inAws: SecretReference = { arn, from: { kind: 'secrets-manager', region: 'eu-west-1' } }
const roleArn = 'arn:aws:iam::123456789012:role/r'
const byRole: SecretReference = { arn, from: { kind: 'secrets-manager', region: 'eu-west-1', roleArn } }

interface Case {
  readonly reference?: SecretReference
  /** Where `reference` is the environment's. */
  readonly content?: string
  readonly strictAws?: boolean
}

/** What a consumer tells of a secret that cannot be used, as a mapping shows it. */
async function told(t: TestContext, as: 'login' | 'clientCertificate', wish: Case) {
  const { reference = here, content = '', strictAws = false } = wish
  const broker = await SaslBroker.open({ mechanisms: ['PLAIN'] })
  t.after(() => broker.close())
  const address = `127.0.0.1:${broker.port}`
  const security: ClusterSecurity =
    as === 'login'
      ? { protocol: 'SASL_PLAINTEXT', mechanism: 'PLAIN', login: reference }
      : { protocol: 'SSL', clientCertificate: reference }
  const listener = new RecordingListener()
  const consumer = openKafkaConsumer(
    {
      cluster: { bootstrapServers: [address], security },
      topic: 'orders',
      groupId: 'readers',
      clientId: 'test',
      startingPosition: { kind: 'TRIM_HORIZON' },
      groupProtocol: 'classic',
      drainMs: 100
    },
    {
      clock: systemClock,
      log: new RecordingLog(),
      secrets: openClusterSecrets({
        aws: new AwsCredentialChain(systemClock),
        clock: systemClock,
        environment: { THE_SECRET: content },
        strictAws
      })
    }
  )
  t.after(() => consumer.stop())
  consumer.start(listener)
  const problem = await eventually(() => listener.problemNow, { describe: 'a problem', timeoutMs: 5_000 })
  const { text, reason } = describeProblem(problem)
  return { text, reason, start: (sentence: string) => `${sentence} Details: secret ${address}: ` }
}

const invalid = 'PROBLEM: Provided certificate or private key is invalid.'
const unreachable =
  'PROBLEM: Connection error. Your event source VPC must be able to connect to Lambda and STS, Secrets Manager (if event source authentication is required), and the OnFailure Destination (if one is configured).'
const noRole =
  'PROBLEM: Lambda failed to assume your function execution role. Please check if the role trust Lambda service principal, and make sure it does not require setting source identity to be assumed.'
const noRight = 'PROBLEM: Lambda does not have enough permission to process your event source.'

function assertTold(
  { text, reason, start }: Awaited<ReturnType<typeof told>>,
  sentence: string,
  wanted: string | undefined,
  detail: RegExp
): void {
  assert.ok(text.startsWith(start(sentence)), text)
  assert.match(text.slice(start(sentence).length), detail)
  assert.equal(reason, wanted)
}

describe('reference 9.6 certificates and keys that cannot be used', () => {
  const cases: [
    what: string,
    make: (certificates: TestCertificates) => Promise<Case & { content: string }>,
    detail: RegExp
  ][] = [
    ['no PEM', async () => ({ content: '{"certificate":"x","privateKey":"y"}' }), /there is no PEM block/],
    [
      'an encrypted key without its password',
      async made => ({ content: await encrypted(made, '-v2 aes-256-cbc', undefined) }),
      /the private key is encrypted, and there is no privateKeyPassword\.$/
    ],
    [
      'a wrong password',
      async made => ({ content: await encrypted(made, '-v2 aes-256-cbc', 'wrong') }),
      /the private key cannot be decrypted: privateKeyPassword is wrong\.$/
    ],
    [
      'PBES2, where AWS’s rules are strict',
      async made => ({ content: await encrypted(made, '-v2 aes-256-cbc', 'sesam'), strictAws: true }),
      /the private key is encrypted by PBES2, which AWS does not take/
    ],
    [
      'a key of another certificate',
      async made => {
        await made.make('other')
        return { content: secret(await made.read('client.pem'), await made.read('other.key')) }
      },
      /the private key does not fit the certificate\.$/
    ],
    [
      'a certificate that has expired',
      async () => {
        const authority = await Authority.create()
        const { certificatePem, privateKeyPem } = await authority.issue({ commonName: 'client', days: -1 })
        return { content: secret(certificatePem, privateKeyPem) }
      },
      /the certificate CN=client has expired on 20/
    ]
  ]
  for (const [what, make, detail] of cases)
    test(what, async t => {
      await using made = await TestCertificates.open()
      await made.make('client')
      assertTold(await told(t, 'clientCertificate', await make(made)), invalid, 'ESM_CONFIG_NOT_VALID', detail)
    })

  test('PBES1 is taken in both modes, PBES2 where they are not strict', async t => {
    await using made = await TestCertificates.open()
    await made.make('client')
    for (const [algorithm, strictAws] of [
      ['-v1 PBE-SHA1-3DES', true],
      ['-v1 PBE-SHA1-3DES', false],
      ['-v2 aes-256-cbc', false]
    ] as const) {
      const { text } = await told(t, 'clientCertificate', {
        content: await encrypted(made, algorithm, 'sesam'),
        strictAws
      })
      assert.match(text, /Details: TLS /, 'the secret is behind it')
    }
  })
})

describe('reference 9.6 secrets, rights and roles', () => {
  const answers: [what: string, answer: StubAnswer, sentence: string, reason: string | undefined, detail: RegExp][] = [
    [
      'a secret that does not exist',
      { status: 400, type: 'ResourceNotFoundException', body: { message: "can't find the specified secret." } },
      unreachable,
      undefined,
      /can't find the specified secret/
    ],
    [
      'a secret that may not be read',
      { status: 400, type: 'AccessDeniedException', body: { message: 'User x is not authorized' } },
      noRight,
      'EVENT_SOURCE_AUTHZ_ERROR',
      /please add the permission secretsmanager:GetSecretValue/
    ],
    [
      'a secret without a password',
      { body: { SecretString: '{"username":"u"}' } },
      'PROBLEM: SASL authentication failed.',
      'EVENT_SOURCE_AUTHN_ERROR',
      /password/
    ]
  ]
  for (const [what, answer, sentence, reason, detail] of answers)
    test(what, async t => {
      const aws = await StubAws.start(t)
      aws.answer = () => answer
      assertTold(await told(t, 'login', { reference: inAws }), sentence, reason, detail)
    })

  test('a role that may not be assumed', async t => {
    const aws = await StubAws.start(t)
    const error =
      '<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>x may not sts:AssumeRole</Message></Error>'
    aws.answer = () => ({
      status: 403,
      body: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${error}</ErrorResponse>`
    })
    assertTold(
      await told(t, 'login', { reference: byRole }),
      noRole,
      'ESM_CONFIG_NOT_VALID',
      /x may not sts:AssumeRole/
    )
  })

  test('a Secrets Manager that cannot be reached', async t => {
    const keys = { AWS_ACCESS_KEY_ID: 'AKIATEST', AWS_SECRET_ACCESS_KEY: 'x' }
    withEnvironment(t, { ...keys, AWS_ENDPOINT_URL: `http://127.0.0.1:${await closedPort()}` })
    assertTold(await told(t, 'login', { reference: inAws }), unreachable, undefined, /ECONNREFUSED/)
  })

  test('no AWS credentials', async t => {
    withEnvironment(t, { AWS_ENDPOINT_URL: `http://127.0.0.1:${await closedPort()}` })
    assertTold(await told(t, 'login', { reference: inAws }), unreachable, undefined, /credentials/i)
  })
})

const secret = (certificate: string, privateKey: string, privateKeyPassword?: string): string =>
  JSON.stringify({ certificate, privateKey, privateKeyPassword })

/** The client's certificate with its key encrypted under `sesam`, and this password beside them. */
async function encrypted(made: TestCertificates, algorithm: string, password: string | undefined): Promise<string> {
  await made.openssl(`pkcs8 -topk8 ${algorithm} -in client.key -passout pass:sesam -out encrypted.key`)
  return secret(await made.read('client.pem'), await made.read('encrypted.key'), password)
}
