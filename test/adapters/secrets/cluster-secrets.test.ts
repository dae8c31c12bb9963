import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { inspect } from 'node:util'
import { AwsCredentialChain } from '../../../src/adapters/aws/credentials.ts'
import { openClusterSecrets } from '../../../src/adapters/secrets/cluster-secrets.ts'
import { problemOfError } from '../../../src/core/mapping/processing-result.ts'
import type { ClusterSecurity, SecretReference } from '../../../src/ports/cluster-security.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { closedPort, StubAws, withEnvironment } from '../../support/stub-aws.ts'
import type { StubAnswer } from '../../support/stub-aws.ts'
import { TestCertificates } from '../../support/test-certificates.ts'

const arn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:AmazonMSK_a-AbCdEf'
const inAws: SecretReference = { arn, from: { kind: 'secrets-manager', region: 'eu-west-1' } }
const inEnvironment: SecretReference = { arn, from: { kind: 'environment', variable: 'THE_SECRET' } }
const login = { username: 'u', password: 'p' }

interface Setup {
  readonly strictAws?: boolean
  readonly environment?: Record<string, string>
}

function setup({ strictAws = false, environment = {} }: Setup = {}) {
  // The SDK signs with the real time, so that time begins there.
  const clock = new FakeClock(Date.now())
  const secrets = openClusterSecrets({ aws: new AwsCredentialChain(clock), clock, environment, strictAws })
  return { clock, environment, secrets }
}

describe('reference 9.2 secrets in Secrets Manager', () => {
  test('SecretString is read, in the region of the ARN, once for all who ask', async t => {
    const aws = await StubAws.start(t)
    aws.answer = () => ({ body: { SecretString: JSON.stringify(login), VersionId: 'v1' } })
    const { secrets } = setup()
    assert.deepEqual(await Promise.all([secrets.login(inAws), secrets.login(inAws)]), [login, login])
    assert.deepEqual(
      aws.calls.map(({ operation, region, accessKeyId }) => [operation, region, accessKeyId]),
      [['GetSecretValue', 'eu-west-1', 'AKIATEST']]
    )
    assert.deepEqual(JSON.parse(aws.calls[0]?.body ?? ''), { SecretId: arn })
  })

  test('SecretBinary is read where there is no SecretString', async t => {
    const aws = await StubAws.start(t)
    aws.answer = () => ({ body: { SecretBinary: Buffer.from(JSON.stringify(login)).toString('base64') } })
    assert.deepEqual(await setup().secrets.login(inAws), login)
  })

  test('a new version is read once the broker has refused the old one', async t => {
    const aws = await StubAws.start(t)
    let version = 1
    aws.answer = () => ({ body: { SecretString: JSON.stringify({ ...login, password: `p${version}` }) } })
    const { secrets } = setup()
    assert.equal((await secrets.login(inAws)).password, 'p1')
    version = 2
    assert.equal((await secrets.login(inAws)).password, 'p1')
    secrets.refused(inAws)
    assert.equal((await secrets.login(inAws)).password, 'p2')
  })

  const failures: [name: string, answer: StubAnswer, code: string, message: RegExp, kind: string][] = [
    [
      'no such secret',
      { status: 400, type: 'ResourceNotFoundException', body: { message: "can't find the specified secret." } },
      'MILL_SECRET_UNREADABLE',
      new RegExp(`^Secret ${arn} cannot be read: .*can't find the specified secret`),
      'secret'
    ],
    [
      'no permission',
      { status: 400, type: 'AccessDeniedException', body: { message: 'User x is not authorized' } },
      'MILL_AWS_DENIED',
      new RegExp(`the secret ${arn}: please add the permission secretsmanager:GetSecretValue. AWS says: User x is not`),
      'permission'
    ],
    [
      'keys that AWS does not take',
      { status: 400, type: 'UnrecognizedClientException', body: { message: 'The security token is invalid.' } },
      'MILL_AWS_CREDENTIALS',
      /UnrecognizedClientException: The security token is invalid/,
      'secret'
    ],
    [
      'being deleted',
      { status: 400, type: 'InvalidRequestException', body: { message: 'it was marked for deletion.' } },
      'MILL_SECRET_UNREADABLE',
      /it was marked for deletion/,
      'secret'
    ],
    ['a secret without content', { body: {} }, 'MILL_SECRET_UNREADABLE', /it is empty/, 'secret'],
    [
      'AWS is out of order',
      { status: 500, type: 'InternalServiceError', body: { message: 'sorry' } },
      'MILL_AWS_UNREACHABLE',
      new RegExp(`^Secrets Manager cannot be asked for the secret ${arn} at the moment`),
      'secret'
    ]
  ]
  for (const [name, answer, code, message, kind] of failures)
    test(`${name}: ${code}`, async t => {
      const aws = await StubAws.start(t)
      aws.answer = () => answer
      await assert.rejects(setup().secrets.login(inAws), (error: Error & { code?: string }) => {
        assert.equal(error.code, code)
        assert.match(error.message, message)
        assert.equal(problemOfError(error).kind, kind)
        return true
      })
    })

  test('an endpoint that is not there, and no credentials at all', async t => {
    const port = await closedPort()
    withEnvironment(t, { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` })
    await assert.rejects(setup().secrets.login(inAws), { code: 'MILL_AWS_CREDENTIALS' })
    process.env['AWS_ACCESS_KEY_ID'] = 'AKIATEST'
    process.env['AWS_SECRET_ACCESS_KEY'] = 'x'
    await assert.rejects(setup().secrets.login(inAws), {
      code: 'MILL_AWS_UNREACHABLE',
      message: new RegExp(`at the moment: .*ECONNREFUSED 127.0.0.1:${port}`)
    })
  })
})

describe('secrets in files and in the environment', () => {
  test('a file is read, and what is wrong with it is named', async t => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-secrets-'))
    t.after(() => rm(folder, { recursive: true }))
    const inFile = (name: string): SecretReference => ({ arn, from: { kind: 'file', path: join(folder, name) } })
    await writeFile(join(folder, 'good.json'), JSON.stringify(login))
    await writeFile(join(folder, 'empty.json'), ' \n')
    await writeFile(join(folder, 'large.json'), ' '.repeat(70_000))
    const { secrets } = setup()
    assert.deepEqual(await secrets.login(inFile('good.json')), login)
    for (const [name, why] of [
      ['missing.json', 'ENOENT'],
      ['empty.json', 'is empty'],
      ['large.json', 'is larger than 65536 bytes'],
      ['', 'EISDIR']
    ] as const)
      await assert.rejects(secrets.login(inFile(name)), { code: 'MILL_SECRET_UNREADABLE', message: new RegExp(why) })
  })

  test('a variable is read when it is asked for, and a missing one is named', async () => {
    const { secrets, environment, clock } = setup()
    await assert.rejects(secrets.login(inEnvironment), {
      message: `Secret ${arn} cannot be read: the environment variable THE_SECRET is not set`
    })
    environment['THE_SECRET'] = JSON.stringify(login)
    await clock.advance(4_000)
    assert.deepEqual(await secrets.login(inEnvironment), login)
  })
})

test('certificate, key and authorities are read, decrypted and put in order', async t => {
  await using made = await TestCertificates.open()
  await made.make('root')
  await made.make('middle', 'root')
  await made.make('client', 'middle')
  await made.make('expired', 'middle', '-days -1')
  await made.openssl('pkcs8 -topk8 -v1 PBE-SHA1-3DES -in client.key -passout pass:sesam -out pbes1.key')
  await made.openssl('pkcs8 -topk8 -v2 aes-256-cbc -in client.key -passout pass:sesam -out pbes2.key')
  const chain = (await made.read('middle.pem')) + (await made.read('client.pem'))
  const secretWith = async (key: string, certificate = chain, privateKeyPassword = 'sesam') => ({
    THE_SECRET: JSON.stringify({ certificate, privateKey: await made.read(key), privateKeyPassword })
  })
  const ask = (environment: Record<string, string>, strictAws = false) =>
    setup({ environment, strictAws }).secrets.clientCertificate(inEnvironment)

  for (const key of ['pbes1.key', 'pbes2.key']) {
    const found = await ask(await secretWith(key))
    assert.match(found.privateKeyPem, /^-----BEGIN PRIVATE KEY-----\n/)
    assert.equal(found.certificatePem, (await made.read('client.pem')) + (await made.read('middle.pem')))
  }
  assert.equal(
    await setup({ environment: { THE_SECRET: await made.read('root.pem') } }).secrets.serverRootCa(inEnvironment),
    await made.read('root.pem')
  )

  const refusals: [environment: Record<string, string>, strict: boolean, message: RegExp][] = [
    [await secretWith('pbes1.key', chain, 'CANARY'), false, /privateKeyPassword is wrong/],
    [await secretWith('expired.key'), false, /the private key does not fit the certificate/],
    [await secretWith('expired.key', await made.read('expired.pem')), false, /CN=expired has expired on/],
    [await secretWith('pbes2.key'), true, /PBES2, which AWS does not take/]
  ]
  for (const [environment, strict, message] of refusals)
    await t.test(`named: ${message.source}`, async () => {
      await assert.rejects(ask(environment, strict), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'MILL_CERTIFICATE_INVALID')
        assert.match(error.message, message)
        assert.ok(error.message.includes(arn))
        assert.equal(problemOfError(error).kind, 'client-certificate')
        return true
      })
    })

  await t.test('an expired one is read anew: its successor counts at once', async () => {
    const { secrets, environment } = setup({
      environment: await secretWith('expired.key', await made.read('expired.pem'))
    })
    await assert.rejects(secrets.clientCertificate(inEnvironment), { code: 'MILL_CERTIFICATE_INVALID' })
    Object.assign(environment, await secretWith('client.key'))
    assert.match((await secrets.clientCertificate(inEnvironment)).certificatePem, /BEGIN CERTIFICATE/)
  })
})

/** A token endpoint; `answer` gets what was asked. */
async function tokenEndpoint(
  t: TestContext,
  answer: (form: URLSearchParams, authorization: string) => { status: number; body: unknown }
): Promise<string> {
  const server = createServer((request, response) => {
    void textOf(request).then(body => {
      const { status, body: sent } = answer(new URLSearchParams(body), request.headers.authorization ?? '')
      response.writeHead(status).end(typeof sent === 'string' ? sent : JSON.stringify(sent))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    return new Promise(resolve => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
}

const oidcSecurity = (endpoint: string): ClusterSecurity => ({
  protocol: 'SASL_SSL',
  mechanism: 'OAUTHBEARER',
  oidc: { tokenEndpoint: endpoint, client: inEnvironment, scope: 'kafka all' }
})
const client = { THE_SECRET: '{"clientId":"i:d","clientSecret":"CANARY"}' }

describe('tokens of an OpenID endpoint', () => {
  test('are asked for by client credentials, anew for each authentication', async t => {
    let n = 0
    const asked: string[] = []
    const endpoint = await tokenEndpoint(t, (form, authorization) => {
      asked.push(`${form.toString()} ${Buffer.from(authorization.slice(6), 'base64').toString()}`)
      return { status: 200, body: { access_token: `t${++n}`, expires_in: 60 } }
    })
    const { secrets, clock } = setup({ environment: client })
    assert.deepEqual(await secrets.token(oidcSecurity(endpoint)), { value: 't1', expiresAtMs: clock.now() + 60_000 })
    assert.equal((await secrets.token(oidcSecurity(endpoint))).value, 't2')
    assert.equal(asked[0], 'grant_type=client_credentials&scope=kafka+all i%3Ad:CANARY')
  })

  const refusals: [body: unknown, status: number, message: RegExp][] = [
    [{ error: 'invalid_client', error_description: 'CANARY' }, 401, /HTTP 401, invalid_client$/],
    [{ error: 'CANARY is wrong' }, 400, /HTTP 400$/],
    ['CANARY', 500, /HTTP 500$/],
    ['CANARY', 200, /its answer has no access_token$/],
    [{ access_token: 'CAN ARY' }, 200, /its answer has no access_token$/],
    ['C'.repeat(2 * 1024 * 1024), 200, /its answer is too large$/]
  ]
  for (const [body, status, message] of refusals)
    test(`a refusal says ${message.source} and nothing of what was sent or answered`, async t => {
      const endpoint = await tokenEndpoint(t, () => ({ status, body }))
      await assert.rejects(setup({ environment: client }).secrets.token(oidcSecurity(endpoint)), (error: Error) => {
        assert.match(error.message, message)
        assert.match(error.message, /^The token endpoint http:/)
        assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /CANARY/)
        return true
      })
    })

  test('are shown again while the endpoint is down, as long as they are good; not when it says no', async t => {
    const answers: { status: number; body: unknown }[] = []
    const given = { status: 200, body: { access_token: 't1', expires_in: 60 } }
    const endpoint = await tokenEndpoint(t, () => answers.shift() ?? { status: 503, body: '' })
    const { secrets, clock } = setup({ environment: client })
    const token = () => secrets.token(oidcSecurity(endpoint)).then(({ value }) => value)
    await assert.rejects(token(), /HTTP 503$/)
    answers.push(given)
    assert.deepEqual([await token(), await token()], ['t1', 't1'])
    await clock.advance(49_000)
    assert.equal(await token(), 't1')
    await clock.advance(1_000)
    await assert.rejects(token(), /HTTP 503$/)
    answers.push(given, { status: 401, body: { error: 'invalid_client' } })
    assert.equal(await token(), 't1')
    await assert.rejects(token(), /HTTP 401, invalid_client$/)
    await assert.rejects(token(), /HTTP 503$/)
  })

  test('of a client that was refused are asked for with what the secret holds then', async t => {
    const environment: Record<string, string> = { THE_SECRET: '{"clientId":"i","clientSecret":"old"}' }
    const endpoint = await tokenEndpoint(t, (_form, authorization) =>
      Buffer.from(authorization.slice(6), 'base64').toString() === 'i:new'
        ? { status: 200, body: { access_token: 't1' } }
        : { status: 401, body: { error: 'invalid_client' } }
    )
    const { secrets } = setup({ environment })
    await assert.rejects(secrets.token(oidcSecurity(endpoint)), /invalid_client/)
    environment['THE_SECRET'] = '{"clientId":"i","clientSecret":"new"}'
    assert.equal((await secrets.token(oidcSecurity(endpoint))).value, 't1')
  })

  test('an endpoint where a cloud gives away credentials is not asked', async () => {
    for (const host of ['169.254.169.254', '[fd00:ec2::254]', '[::ffff:169.254.169.254]'])
      await assert.rejects(setup({ environment: client }).secrets.token(oidcSecurity(`http://${host}/token`)), {
        code: 'MILL_TOKEN_REFUSED',
        message: /must not be reached/
      })
  })

  test('an endpoint that is not there is named', async () => {
    const endpoint = `http://127.0.0.1:${await closedPort()}/token`
    await assert.rejects(setup({ environment: client }).secrets.token(oidcSecurity(endpoint)), {
      code: 'MILL_TOKEN_REFUSED',
      message: /ECONNREFUSED/
    })
  })
})

test('no error shows anything of a secret, whatever is wrong with it', async t => {
  await using made = await TestCertificates.open()
  await made.make('client')
  const certificate = await made.read('client.pem')
  const key = await made.read('client.key')
  const keyBody = key.split('\n')[1] ?? ''
  const contents = [
    'CANARY',
    '{"username":"CANARY","password":CANARY}',
    '{"username":"","password":"CANARY"}',
    '{"certificate":"CANARY","privateKey":"CANARY"}',
    '-----BEGIN CERTIFICATE-----CANARY-----END CERTIFICATE-----',
    JSON.stringify({ certificate, privateKey: `-----BEGIN PRIVATE KEY-----${keyBody}-----END PRIVATE KEY-----` }),
    JSON.stringify({
      certificate,
      privateKey: key.replace('BEGIN', 'BEGIN ENCRYPTED').replace('END', 'END ENCRYPTED'),
      privateKeyPassword: 'CANARY'
    }),
    JSON.stringify({ certificate: key, privateKey: certificate, privateKeyPassword: { CANARY: 1 } })
  ]
  const aws = await StubAws.start(t, {
    AWS_ACCESS_KEY_ID: 'AKIATEST',
    AWS_SECRET_ACCESS_KEY: 'CANARY',
    AWS_SESSION_TOKEN: 'CANARY'
  })
  let told = 0
  for (const content of contents)
    for (const status of [200, 400, 500]) {
      aws.answer = () => ({ status, type: 'SomethingNew', body: { SecretString: content } })
      const { secrets } = setup()
      for (const ask of [secrets.login, secrets.clientCertificate, secrets.serverRootCa])
        await ask(inAws).then(
          () => undefined,
          (error: unknown) => {
            told++
            const shown = inspect(error, { depth: 9, showHidden: true })
            assert.doesNotMatch(shown, /CANARY/)
            assert.ok(!shown.includes(keyBody))
          }
        )
    }
  assert.ok(told > 40, `${told} errors were provoked`)
})
