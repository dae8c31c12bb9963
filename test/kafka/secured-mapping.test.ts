import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { SourceAccessType } from '@aws-sdk/client-lambda'
import { MillraceWorld } from '../e2e/millrace-world.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import { users } from '../support/kafka/server-properties.ts'
import type { ListenerName } from '../support/kafka/server-properties.ts'
import { mappingWhen } from '../support/mapping-api.ts'
import { realKafka } from '../support/written-topic.ts'

const secretArn = (name: string): string => `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}`
const clusterArn = 'arn:aws:kafka:us-east-1:000000000000:cluster/secured/33333333-3333-3333-3333-333333333333-1'
const access = (...types: SourceAccessType[]) => types.map(Type => ({ Type, URI: secretArn(Type) }))

await kafkaSuite('a mapping on a cluster that wants proof', () => {
  const kafka = kafkaForSuite({ listeners: ['tls', 'mtls', 'sasl', 'sasl_plaintext'] })

  /** A server whose secrets are files, by the type of access. */
  async function setup(t: TestContext, config: Record<string, unknown> = {}) {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-secured-'))
    t.after(() => rm(folder, { recursive: true }))
    const { ca, clientCert, clientKey } = kafka.certificates
    const pem = async (file: string) => (await readFile(file, 'utf8')).replaceAll('\n', '\\n')
    const login = { username: 'alice', password: users.alice }
    const secrets: Record<string, object> = {
      SERVER_ROOT_CA_CERTIFICATE: { certificate: await pem(ca) },
      CLIENT_CERTIFICATE_TLS_AUTH: { certificate: await pem(clientCert), privateKey: await pem(clientKey) },
      SASL_SCRAM_512_AUTH: login,
      SASL_SCRAM_256_AUTH: login,
      BASIC_AUTH: login
    }
    const write = (type: string, content: object) => writeFile(join(folder, `${type}.json`), JSON.stringify(content))
    for (const [type, content] of Object.entries(secrets)) await write(type, content)
    const world = await MillraceWorld.open(t, realKafka(kafka))
    const millrace = await world.serve({
      config: {
        secrets: Object.fromEntries(
          Object.keys(secrets).map(type => [secretArn(type), { file: join(folder, `${type}.json`) }])
        ),
        ...config
      }
    })
    const at = (listener: ListenerName) => ({
      SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrap(listener) } }
    })
    return { world, millrace, at, write }
  }

  const ways: [name: string, listener: ListenerName, types: SourceAccessType[]][] = [
    ['TLS', 'tls', []],
    ['mutual TLS', 'mtls', ['CLIENT_CERTIFICATE_TLS_AUTH']],
    ['SCRAM-SHA-512', 'sasl', ['SASL_SCRAM_512_AUTH']],
    ['SCRAM-SHA-256', 'sasl', ['SASL_SCRAM_256_AUTH']],
    ['PLAIN', 'sasl', ['BASIC_AUTH']]
  ]
  test('takes records over every kind of access that its API knows', async t => {
    const { world, millrace, at } = await setup(t)
    for (const [name, listener, types] of ways)
      await t.test(name, async () => {
        const topic = await world.topic(`secured-${name.replaceAll(' ', '-')}`, 1)
        await topic.write(5)
        const before = world.audit.succeeded
        await world.map(millrace, topic.name, {
          ...at(listener),
          SourceAccessConfigurations: access('SERVER_ROOT_CA_CERTIFICATE', ...types)
        })
        await world.succeeded(before + 5)
        world.assertSound(topic)
      })
  })

  test('an MSK cluster of the configuration is reached by its brokers for the mapping’s secret', async t => {
    const { world, millrace } = await setup(t, {
      clusters: {
        [clusterArn]: {
          plaintext: ['127.0.0.1:1'],
          saslScram: kafka.bootstrap('sasl'),
          rootCa: kafka.certificates.ca
        }
      }
    })
    const topic = await world.topic('secured-msk', 1)
    await topic.write(5)
    await world.map(millrace, topic.name, {
      SelfManagedEventSource: undefined,
      EventSourceArn: clusterArn,
      SourceAccessConfigurations: access('SASL_SCRAM_512_AUTH')
    })
    await world.succeeded(5)
  })

  test('SASL without TLS needs the configuration’s leave', async t => {
    const on = { Tags: { 'millrace:sasl-plaintext': 'on' }, SourceAccessConfigurations: access('SASL_SCRAM_512_AUTH') }
    const closed = await setup(t)
    await assert.rejects(closed.world.map(closed.millrace, 'any', { ...closed.at('sasl_plaintext'), ...on }), {
      message: /needs allowSaslPlaintext: true in the configuration/
    })
    const { world, millrace, at } = await setup(t, { allowSaslPlaintext: true })
    const topic = await world.topic('secured-bare', 1)
    await topic.write(5)
    await world.map(millrace, topic.name, { ...at('sasl_plaintext'), ...on })
    await world.succeeded(5)
  })

  test('a wrong password is said, goes away with the right one, and neither is ever shown', async t => {
    const { world, millrace, at, write } = await setup(t)
    await write('SASL_SCRAM_512_AUTH', { username: 'alice', password: 'CANARY-wrong' })
    const topic = await world.topic('secured-rotated', 1)
    await topic.write(5)
    const api = await world.api(millrace)
    const uuid = await world.map(millrace, topic.name, {
      ...at('sasl'),
      SourceAccessConfigurations: access('SERVER_ROOT_CA_CERTIFICATE', 'SASL_SCRAM_512_AUTH')
    })
    const failed = await mappingWhen(api, uuid, 'told of the password', ({ LastProcessingResult: text = '' }) =>
      text.startsWith('PROBLEM: SASL authentication failed. Details: ')
    )
    assert.equal(failed.StateTransitionReason, 'EVENT_SOURCE_AUTHN_ERROR')
    const curedAtMs = performance.now()
    await write('SASL_SCRAM_512_AUTH', { username: 'alice', password: users.alice })
    await world.succeeded(5)
    assert.ok(performance.now() - curedAtMs < 5_000, `healed after ${Math.round(performance.now() - curedAtMs)} ms`)
    await mappingWhen(api, uuid, 'well', ({ LastProcessingResult: text }) => text === 'OK')
    const shown = JSON.stringify([millrace.log, millrace.said, failed])
    for (const secret of ['CANARY-wrong', users.alice]) assert.ok(!shown.includes(secret), `${secret} is shown`)
  })
})
