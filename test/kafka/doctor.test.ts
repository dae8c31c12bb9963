import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, test, type TestContext } from 'node:test'
import { stringify } from 'yaml'
import { runCli } from '../../src/app/cli/program.ts'
import type { StepReport } from '../../src/app/doctor/checkup.ts'
import type { Account } from '../../src/app/doctor/present.ts'
import { grant, revoke, type Acl } from '../support/kafka/acls.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import { SecuredWorld } from '../support/kafka/secured-world.ts'
import { users } from '../support/kafka/server-properties.ts'
import { eventually } from '../support/poll.ts'
import { RecordingIo } from '../support/recording-io.ts'

const topic = 'orders'
const group = 'readers'
const principal = 'User:alice'
const arn = (name: string): string => `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}`

const readTopic: Acl = { principal, operation: 'read', resource: 'topic', name: topic }
const readGroup: Acl = { principal, operation: 'read', resource: 'group', name: group }
const describeConfigs: Acl = { principal, operation: 'describeConfigs', resource: 'cluster', name: 'kafka-cluster' }

await kafkaSuite('millrace doctor on a cluster that wants proof', () => {
  const kafka = kafkaForSuite({
    listeners: ['tls', 'mtls', 'sasl'],
    serverProperties: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS'
    }
  })
  let world: SecuredWorld
  let superUser: string

  before(async () => {
    world = await SecuredWorld.of(kafka)
    superUser = kafka.bootstrap()[0]!
    await kafka.createTopic(topic, { partitions: 2 })
    await kafka.produce(topic, [{ value: 'CANARY-value' }])
    await grant(superUser, [readTopic, readGroup, describeConfigs])
  })

  interface Wish {
    readonly login?: { readonly username: string; readonly password: string }
    readonly client?: { readonly clientId: string; readonly clientSecret: string }
    readonly more?: readonly string[]
  }

  /** `millrace doctor` in a folder whose configuration knows the secrets; results by step, and by what it is about. */
  async function examine(
    t: TestContext,
    server: string,
    access: readonly string[],
    { login = { username: 'alice', password: users.alice }, client = kafka.issuer.client, more = [] }: Wish = {}
  ) {
    const cwd = await mkdtemp(join(tmpdir(), 'millrace-doctor-'))
    t.after(() => rm(cwd, { recursive: true }))
    const { ca, clientCert, clientKey } = kafka.certificates
    const held = {
      SERVER_ROOT_CA_CERTIFICATE: { certificate: await readFile(ca, 'utf8') },
      CLIENT_CERTIFICATE_TLS_AUTH: {
        certificate: await readFile(clientCert, 'utf8'),
        privateKey: await readFile(clientKey, 'utf8')
      },
      SASL_SCRAM_512_AUTH: login,
      BASIC_AUTH: client
    }
    for (const [name, content] of Object.entries(held)) await writeFile(join(cwd, name), JSON.stringify(content))
    const secrets = Object.fromEntries(Object.keys(held).map(name => [arn(name), { file: `./${name}` }]))
    await writeFile(join(cwd, 'millrace.yaml'), stringify({ secrets }))
    const io = new RecordingIo({ cwd })
    const named = access.flatMap(type => ['--access', `${type}=${arn(type)}`])
    const code = await runCli(
      ['doctor', '--bootstrap', server, '--topic', topic, '--group', group, ...named, ...more],
      io
    )
    const { steps } = JSON.parse(io.out) as Account
    for (const secret of ['CANARY-value', login.password, client.clientSecret, users.alice])
      assert.ok(!`${io.out}${io.err}`.includes(secret), `${secret} is shown`)
    const step = (name: string, about?: string): StepReport =>
      steps.find(each => each.step === name && (about === undefined || each.about === about)) ??
      assert.fail(`no step ${name} ${about ?? ''}`)
    const failed = steps.filter(({ result }) => result === 'failed').map(each => each.step)
    return { code, steps, step, failed }
  }

  const scram = ['SERVER_ROOT_CA_CERTIFICATE', 'SASL_SCRAM_512_AUTH'] as const

  test('every step is ok with SCRAM and all rights; the certificate is described', async t => {
    const { code, step, failed } = await examine(t, kafka.bootstrap('sasl')[0]!, scram)
    assert.deepEqual([failed, code], [[], 0])
    for (const name of ['TLS', 'SASL', 'metadata', 'topic', 'ACL Read', 'record', 'ACL DescribeConfigs'])
      assert.equal(step(name).result, 'ok', name)
    assert.match(step('TLS').detail, /for .*127\.0\.0\.1.*until 20\d\d-/)
    assert.match(step('record').detail, /^partition \d, offset 0, 12 bytes/)
    // A name that nobody was given: what counts is that the mapping's own is allowed.
    assert.deepEqual([step('group join').result, step('ACL Read', `group ${group}`).result], ['skipped', 'ok'])
  })

  test('a token of an issuer: that it is given, that the brokers believe it, and what to do when either fails', async t => {
    const { issuer } = kafka
    issuer.subject = 'alice'
    const endpoint = ['--tag', `millrace:oidc-token-endpoint=${issuer.tokenUrl}`]
    const tokens = ['SERVER_ROOT_CA_CERTIFICATE', 'BASIC_AUTH']
    const server = kafka.bootstrap('sasl')[0]!
    const about = `${arn('BASIC_AUTH')} at ${issuer.tokenUrl}`
    const more = [...endpoint, '--tag', 'millrace:oidc-extensions=logicalCluster=lkc-1,identityPoolId=pool-2']
    const well = await examine(t, server, tokens, { more })
    assert.deepEqual([well.failed, well.code], [[], 0])
    assert.match(well.step('secret', about).detail, /^a token was given, good for \d\d s$/)
    assert.equal(well.step('clock').about, new URL(issuer.tokenUrl).host)
    assert.deepEqual([well.step('SASL').about, well.step('SASL').result], ['OAUTHBEARER', 'ok'])

    const stranger = { ...issuer.client, clientSecret: 'CANARY-wrong' }
    const unknown = await examine(t, server, tokens, { client: stranger, more: endpoint })
    assert.deepEqual(unknown.failed, ['secret', 'SASL'])
    assert.match(unknown.step('secret', about).detail, /HTTP 401, invalid_client$/)
    assert.match(unknown.step('secret', about).advice ?? '', /^Correct clientId and clientSecret/)

    issuer.lifeMs = -60_000
    const expired = await examine(t, server, tokens, { more: endpoint })
    issuer.lifeMs = 60_000
    assert.deepEqual(expired.failed, ['SASL'])
    assert.match(expired.step('SASL').advice ?? '', /^Have the issuer give tokens as the brokers expect them/)
  })

  test('mutual TLS is looked at with the certificate, and the lack of one is told', async t => {
    const server = kafka.bootstrap('mtls')[0]!
    const certificate = ['SERVER_ROOT_CA_CERTIFICATE', 'CLIENT_CERTIFICATE_TLS_AUTH']
    const known = await examine(t, server, certificate)
    assert.deepEqual([known.step('TLS').result, known.step('API versions').result], ['ok', 'ok'])
    const unknown = await examine(t, server, ['SERVER_ROOT_CA_CERTIFICATE'])
    const { result, advice } = unknown.step('API versions')
    assert.equal(result, 'failed')
    assert.match(advice ?? '', /CLIENT_CERTIFICATE_TLS_AUTH/)
  })

  test('a wrong password fails SASL and nothing before it', async t => {
    const wrong = { username: 'alice', password: 'CANARY-wrong' }
    const { code, failed, step } = await examine(t, kafka.bootstrap('sasl')[0]!, scram, { login: wrong })
    assert.deepEqual([code, failed], [1, ['SASL']])
    assert.equal(step('API versions').result, 'ok')
    assert.match(step('SASL').advice ?? '', /Correct the credentials in the secret/)
  })

  test('an unknown authority and an expired certificate are told apart, with what the broker shows', async t => {
    const server = await world.through(
      t,
      '127.0.0.1',
      'tls',
      await world.stranger.issue({ commonName: 'broker', names: 'IP:127.0.0.1' })
    )
    const strange = (await examine(t, server, ['SERVER_ROOT_CA_CERTIFICATE'])).step('TLS')
    assert.equal(strange.result, 'failed')
    assert.match(strange.detail, /CN=broker/)
    assert.match(strange.advice ?? '', /SERVER_ROOT_CA_CERTIFICATE/)
    const old = await world.authority.issue({ commonName: 'broker', names: 'IP:127.0.0.1', days: -1 })
    const expired = (
      await examine(t, await world.through(t, '127.0.0.1', 'tls', old), ['SERVER_ROOT_CA_CERTIFICATE'])
    ).step('TLS')
    assert.match(
      `${expired.result} ${expired.detail}`,
      /^failed certificate has expired \(it shows CN=broker; .* until 20/
    )
    assert.match(expired.advice ?? '', /renewed/)
    const none = (await examine(t, kafka.bootstrap()[0]!, ['SERVER_ROOT_CA_CERTIFICATE'])).step('TLS')
    assert.match(none.advice ?? '', /speaks TLS/)
  })

  for (const [acl, name, about] of [
    [readTopic, 'topic', topic],
    [readGroup, 'ACL Describe', `group ${group}`]
  ] as const)
    test(`without the right to read the ${acl.resource} that is what fails, with the command that gives it`, async t => {
      await revoke(superUser, [acl])
      t.after(() => grant(superUser, [acl]))
      const report = await eventually(
        async () => {
          const { step } = await examine(t, kafka.bootstrap('sasl')[0]!, scram)
          return step(name, about).result === 'failed' && step(name, about)
        },
        { describe: () => 'the right has gone', timeoutMs: 15_000, intervalMs: 200 }
      )
      assert.match(report.advice ?? '', new RegExp(`kafka-acls\\.sh .*--${acl.resource} ${acl.name}`))
    })

  test('what only AWS’s own pollers need is no failure where it is denied', async t => {
    await revoke(superUser, [describeConfigs])
    t.after(() => grant(superUser, [describeConfigs]))
    const { detail } = await eventually(
      async () => {
        const { step, failed } = await examine(t, kafka.bootstrap('sasl')[0]!, scram)
        assert.deepEqual(failed, [])
        return step('ACL DescribeConfigs').result === 'skipped' && step('ACL DescribeConfigs')
      },
      { describe: () => 'the right has gone', timeoutMs: 15_000, intervalMs: 200 }
    )
    assert.match(detail, /^not allowed; AWS's own pollers need it, Millrace does not/)
  })

  test('a destination topic that may be read and not written is told before anything is lost', async t => {
    const failed = 'orders-failed'
    await kafka.createTopic(failed, { partitions: 1 })
    await grant(superUser, [{ ...readTopic, name: failed }])
    const report = await eventually(
      async () => {
        const { step } = await examine(t, kafka.bootstrap('sasl')[0]!, scram, {
          more: ['--destination', `kafka://${failed}`]
        })
        return step('destination').result === 'ok' && step('ACL Write')
      },
      { describe: () => 'the topic is seen', timeoutMs: 15_000, intervalMs: 200 }
    )
    assert.equal(report.result, 'failed')
    assert.match(report.advice ?? '', /--operation Write --topic orders-failed/)
  })
})
