import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
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
  options: SaslBrokerOptions
) {
  const broker = await SaslBroker.open({ mechanisms: ['PLAIN', 'OAUTHBEARER', 'AWS_MSK_IAM'], ...options })
  t.after(() => broker.close())
  const world = connectorWorld(t, security, held)
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
    await Promise.all(Array.from({ length: 8 }, () => assert.rejects(connect(), refused)))
    assert.equal(broker.handshakes, 1, 'one try, whoever else asked')
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
    assert.equal(tokens, broker.authentications, 'each time with a token of its own')
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
