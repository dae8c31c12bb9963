import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock } from '../../../../src/adapters/host/system-clock.ts'
import type { ConnectorDeps } from '../../../../src/adapters/kafka/broker-connector.ts'
import { LoginDesk } from '../../../../src/adapters/kafka/security/login-desk.ts'
import { MillraceError } from '../../../../src/core/errors.ts'
import type { ClusterSecurity } from '../../../../src/ports/cluster-security.ts'
import type { FakeSecrets } from '../../../support/kafka/fake-secrets.ts'
import { secret } from '../../../support/kafka/fake-secrets.ts'
import { SaslBroker } from '../../../support/kafka/sasl-broker.ts'
import type { SaslBrokerOptions, SaslReply } from '../../../support/kafka/sasl-broker.ts'
import { eventually } from '../../../support/poll.ts'
import { verifyConnectSignature } from './connect-signature.ts'
import { connectorWorld, echo } from './connector-world.ts'

const byPassword: ClusterSecurity = { protocol: 'SASL_PLAINTEXT', mechanism: 'PLAIN', login: secret('LOGIN') }
const byToken: ClusterSecurity = {
  protocol: 'SASL_PLAINTEXT',
  mechanism: 'OAUTHBEARER',
  oidc: { tokenEndpoint: 'http://127.0.0.1/token', client: secret('CLIENT') }
}
const login = { username: 'alice', password: 'right' }

/** Believes whoever says `password`. */
const knows =
  (password: () => string, lifetimeMs = 0) =>
  (message: Buffer): SaslReply =>
    message.toString() === `\0alice\0${password()}`
      ? { lifetimeMs }
      : { errorCode: 58, errorMessage: 'Authentication failed: Invalid username or password' }

async function setup(
  t: TestContext,
  security: ClusterSecurity,
  held: FakeSecrets['current'],
  options: SaslBrokerOptions,
  deps: Partial<ConnectorDeps> = {}
) {
  const broker = await SaslBroker.open({ mechanisms: ['PLAIN', 'OAUTHBEARER', 'AWS_MSK_IAM'], ...options })
  t.after(() => broker.close())
  const world = connectorWorld(t, security, held, deps)
  return { broker, ...world, connect: () => world.open(broker.port) }
}

const until = (check: () => boolean, describe: string) => eventually(check, { describe, intervalMs: 5 })

suite('authentication by SASL (reference 9.1)', () => {
  test('comes before the first request', async t => {
    const { broker, connect } = await setup(t, byPassword, { login }, { authenticate: knows(() => 'right') })
    assert.equal(await echo(await connect(), 'hello'), 'hello')
    assert.equal(broker.violations, 0)
  })

  test('that is refused tells the broker’s words, has the secret read anew, and is tried again only with another', async t => {
    let password = 'right'
    const { broker, connect, secrets } = await setup(
      t,
      byPassword,
      { login: { ...login, password: 'wrong' } },
      { authenticate: knows(() => password) }
    )
    const refused = {
      name: 'AuthenticationRefused',
      kind: 'authentication',
      stage: 'SASL',
      broker: `127.0.0.1:${broker.port}`,
      reason: 'Authentication failed: Invalid username or password (SASL_AUTHENTICATION_FAILED)'
    }
    const connecting = Array.from({ length: 8 }, () => assert.rejects(connect(), refused))
    await Promise.race(connecting)
    assert.equal(broker.handshakes, 1, 'one try, whoever else asked')
    await Promise.all(connecting)
    assert.ok(broker.handshakes <= 2, 'and who came too late to hear of it waited for the next')
    assert.ok(secrets.refusals.includes(secret('LOGIN').arn))
    password = 'rotated'
    secrets.current.login = { ...login, password: 'rotated' }
    assert.equal(await echo(await connect(), 'hello'), 'hello')
  })

  test('by a mechanism that the broker does not take names those that it takes', async t => {
    const { connect } = await setup(t, byPassword, { login }, { mechanisms: ['SCRAM-SHA-512', 'OAUTHBEARER'] })
    await assert.rejects(connect(), {
      kind: 'authentication',
      reason: 'the broker does not take PLAIN here, but SCRAM-SHA-512, OAUTHBEARER'
    })
  })

  test('tells a secret that cannot be had as such', async t => {
    const { connect } = await setup(t, byPassword, {}, {})
    await assert.rejects(connect(), {
      kind: 'secret',
      stage: 'secret',
      reason: `${secret('LOGIN').arn} does not answer`
    })
  })

  test('does not hang at a secret that does not come', async t => {
    const { connect, secrets } = await setup(t, byPassword, { login }, {})
    secrets.login = () => new Promise(() => undefined)
    await assert.rejects(connect(), {
      kind: 'secret',
      stage: 'secret',
      reason: 'the credentials did not come within 1000 ms'
    })
  })

  test('by a token tells why that was refused', async t => {
    const answers: SaslReply[] = [
      { bytes: '{"status":"invalid_token"}' },
      { errorCode: 58, errorMessage: 'the token expired' }
    ]
    const { connect } = await setup(t, byToken, { token: () => 't' }, { authenticate: () => answers.shift() ?? {} })
    await assert.rejects(connect(), {
      kind: 'authentication',
      reason: 'the broker refuses the token: invalid_token: the token expired (SASL_AUTHENTICATION_FAILED)'
    })
  })

  test('by a token shows extensions beside it, byte for byte (KIP-342)', async t => {
    const messages: string[] = []
    const authenticate = (message: Buffer) => {
      messages.push(message.toString('latin1'))
      return { lifetimeMs: 0 }
    }
    const extensions = [
      ['logicalCluster', 'lkc-1'],
      ['identityPoolId', 'pool-2']
    ] as const
    const security: ClusterSecurity = { ...byToken, oidc: { ...byToken.oidc!, extensions } }
    const { connect } = await setup(t, security, { token: () => 'the-token' }, { authenticate })
    await connect()
    assert.deepEqual(messages, [
      'n,,\x01auth=Bearer the-token\x01logicalCluster=lkc-1\x01identityPoolId=pool-2\x01\x01'
    ])
  })

  test('asks a token endpoint that refuses once, however many connections want a token', async t => {
    let asked = 0
    const token = () => {
      asked++
      throw new MillraceError('MILL_TOKEN_REFUSED', ['http://127.0.0.1/token', 'HTTP 401, invalid_client'])
    }
    const { broker, connect } = await setup(t, byToken, { token }, {})
    const refused = {
      kind: 'authentication',
      stage: 'secret',
      reason: 'The token endpoint http://127.0.0.1/token gave no token: HTTP 401, invalid_client'
    }
    const connecting = Array.from({ length: 8 }, () => assert.rejects(connect(), refused))
    await Promise.race(connecting)
    assert.equal(asked, 1)
    await Promise.all(connecting)
    assert.ok(asked <= 2, 'who came too late to hear of it waited for the next')
    assert.equal(broker.handshakes, 0)
  })

  test('is taken in turns by all who show the same to the same cluster, and by nobody else', async t => {
    const logins = new LoginDesk(systemClock)
    const refuse = () => ({ errorCode: 58, errorMessage: 'no' })
    const wrong = { login: { ...login, password: 'wrong' } }
    const one = await setup(t, byPassword, wrong, { authenticate: refuse }, { logins })
    const other = connectorWorld(t, byPassword, wrong, { logins })
    const another = connectorWorld(t, byPassword, { login }, { logins })
    await assert.rejects(one.connect(), { kind: 'authentication', reason: 'no (SASL_AUTHENTICATION_FAILED)' })
    await assert.rejects(other.open(one.broker.port), { kind: 'authentication' })
    assert.equal(one.broker.handshakes, 1, 'the second heard it from the first')
    await assert.rejects(another.open(one.broker.port), { kind: 'authentication' })
    assert.equal(one.broker.handshakes, 2, 'another password is another matter')
    const elsewhere = connectorWorld(t, byPassword, wrong, { logins }, ['elsewhere:1'])
    await assert.rejects(elsewhere.open(one.broker.port), { kind: 'authentication' })
    assert.equal(one.broker.handshakes, 3, 'and so is another cluster')
  })

  test('by AWS_MSK_IAM shows a signature for this broker; by OAUTHBEARER a signed token', async t => {
    const awsKeys = { accessKeyId: 'AKID', secretAccessKey: 'key', sessionToken: 'session' }
    const messages: Buffer[] = []
    const authenticate = (message: Buffer) => {
      messages.push(Buffer.from(message))
      return { lifetimeMs: 0 }
    }
    const iam = { region: 'eu-west-1' }
    for (const mechanism of ['AWS_MSK_IAM', 'OAUTHBEARER'] as const) {
      const security = { protocol: 'SASL_PLAINTEXT', mechanism, iam } as const
      await (await setup(t, security, { awsKeys }, { authenticate })).connect()
    }
    const [signed, token] = messages.map(String)
    verifyConnectSignature(JSON.parse(signed!) as Record<string, string>, '127.0.0.1', 'key')
    const url = Buffer.from(/^n,,.auth=Bearer ([\w-]+)/.exec(token!)![1]!, 'base64url').toString()
    assert.match(
      url,
      /^https:\/\/kafka\.eu-west-1\.amazonaws\.com\/\?Action=kafka-cluster%3AConnect&User-Agent=millrace/
    )
  })
})

suite('authentication on a living connection (KIP-368)', () => {
  test('is renewed before the broker’s deadline, while requests go on and none is lost', async t => {
    let tokens = 0
    const { broker, connect } = await setup(
      t,
      byToken,
      { token: () => `token-${tokens++}` },
      { authenticate: () => ({ lifetimeMs: 100 }), workMs: 3 }
    )
    const wire = await connect()
    let answered = 0
    while (broker.authentications < 6) {
      const texts = Array.from({ length: 5 }, (_, index) => `request ${answered + index}`)
      assert.deepEqual(await Promise.all(texts.map(text => echo(wire, text))), texts)
      answered += texts.length
    }
    assert.equal(broker.connections, 1)
    assert.equal(broker.violations, 0, 'nothing was sent in between')
    // The next may have begun.
    const ahead = tokens - broker.authentications
    assert.ok(ahead === 0 || ahead === 1, `each time with a token of its own: ${ahead} ahead`)
    assert.equal(broker.echoes, answered)
  })

  test('that fails ends the connection, so that it is made anew', async t => {
    let password = 'right'
    const { broker, connect, log } = await setup(
      t,
      byPassword,
      { login },
      { authenticate: message => knows(() => password, 100)(message) }
    )
    const wire = await connect()
    password = 'changed'
    await wire.ended
    await assert.rejects(echo(wire, 'late'), /its authentication could not be renewed/)
    assert.equal(broker.handshakes, 2)
    assert.deepEqual(log.messages('warn'), ['the broker did not take a renewed authentication: connecting anew'])
  })

  test('waits for an issuer that is down, and the connection serves on', async t => {
    const { broker, connect, secrets, log } = await setup(
      t,
      byToken,
      { token: () => 'first' },
      { authenticate: () => ({ lifetimeMs: 60 }) }
    )
    const wire = await connect()
    delete secrets.current.token
    await until(() => log.messages('warn').length === 1, 'the renewal could not begin')
    assert.equal(await echo(wire, 'hello'), 'hello')
    assert.equal(broker.handshakes, 1)
    secrets.current.token = () => 'second'
    await until(() => broker.authentications === 2, 'it was renewed')
    assert.equal(await echo(wire, 'hello again'), 'hello again')
    assert.equal(broker.connections, 1)
  })
})
