import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { EmbeddedBroker } from '../../src/devbroker/broker.ts'
import { awsCliTest, awsLambda, cliApi } from '../support/aws-cli.ts'
import { sdkApi } from '../support/mapping-api.ts'
import { embeddedKafka } from '../support/written-topic.ts'
import { liveThrough } from './lifecycle.ts'
import { clusterArn, LifecycleWorld } from './lifecycle-world.ts'

suite('a mapping on the embedded broker', { concurrency: true }, () => {
  const broker = new EmbeddedBroker()
  before(() => broker.start())
  const world = new LifecycleWorld(() => embeddedKafka(broker))
  after(() => broker.stop())

  awsCliTest('lives through the AWS CLI: self-managed source, HTTP function', async () => {
    const { access, watch, kafka } = world
    const functions = { first: world.function('http'), second: world.function('other') }
    await liveThrough({ api: cliApi(access), watch, kafka, ...functions, topic: 'cli' })
  })

  test('lives through the AWS SDK: MSK source, local Node handler, then an HTTP function', async () => {
    const { access, watch, kafka } = world
    const functions = { first: world.function('local'), second: world.function('other') }
    await liveThrough({ api: sdkApi(access), watch, kafka, clusterArn, ...functions, topic: 'sdk' })
  })

  test('a request without a signature, by an unknown key, or with a wrong secret is refused as AWS does', async () => {
    const unsigned = await fetch(`${world.access.url}/2015-03-31/event-source-mappings/`)
    assert.equal(unsigned.status, 403)
    assert.equal(unsigned.headers.get('x-amzn-errortype'), 'MissingAuthenticationTokenException')
    assert.deepEqual(await unsigned.json(), { message: 'Missing Authentication Token' })
    const stranger = sdkApi({ ...world.access, accessKeyId: 'AKIAIOSFODNN7EXAMPLE' })
    await assert.rejects(stranger.list({}), { code: 'UnrecognizedClientException' })
    const guesser = sdkApi({ ...world.access, secretAccessKey: 'guessed' })
    await assert.rejects(guesser.list({}), { code: 'InvalidSignatureException' })
  })

  awsCliTest('the AWS CLI shows the refusal of a wrong secret and of an unsigned call', async () => {
    const guesser = cliApi({ ...world.access, secretAccessKey: 'guessed' })
    await assert.rejects(guesser.list({}), { code: 'InvalidSignatureException' })
    await assert.rejects(awsLambda(world.access, ['list-event-source-mappings', '--no-sign-request']), {
      code: 'MissingAuthenticationTokenException',
      message: 'Missing Authentication Token'
    })
  })
})
