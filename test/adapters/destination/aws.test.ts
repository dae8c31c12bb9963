import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import {
  S3Client,
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command
} from '@aws-sdk/client-s3'
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns'
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { AwsCredentialChain } from '../../../src/adapters/aws/credentials.ts'
import { openDestination } from '../../../src/adapters/destination/open-destination.ts'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { parseDestination } from '../../../src/core/destination/target.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Destination } from '../../../src/ports/destination.ts'
import { aMessage, destinationContract, type DestinationWorld } from '../../contracts/destination.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { Moto, withMoto } from '../../support/moto.ts'
import { RecordingLog } from '../../support/recording-log.ts'

const region = 'eu-west-1'
const accountId = '123456789012'
const patience = () => AbortSignal.timeout(60_000)

withMoto('SQS, SNS and S3 destinations', () => {
  let moto: Moto
  let aws: { sqs: SQSClient; sns: SNSClient; s3: S3Client }

  before(async () => {
    moto = await Moto.start()
    Object.assign(process.env, {
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'not-a-secret-at-all',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      // One by its own variable, the others by that for all.
      AWS_ENDPOINT_URL_SQS: moto.url,
      AWS_ENDPOINT_URL: moto.url
    })
    const client = { region, endpoint: moto.directUrl }
    aws = {
      sqs: new SQSClient(client),
      sns: new SNSClient(client),
      s3: new S3Client({ ...client, forcePathStyle: true })
    }
  })

  after(async () => {
    for (const client of Object.values(aws)) client.destroy()
    await moto[Symbol.asyncDispose]()
  })

  function open(arn: string, clock: Clock = systemClock): Destination {
    const target = parseDestination(arn, { sourceTopic: 'orders', strictAws: true, provisioned: false })
    assert.ok(target.kind !== 'kafka')
    const aws = { credentials: new AwsCredentialChain(clock) }
    return openDestination(target, { log: new RecordingLog(), clock, aws, region, destinationDir: '/nowhere' })
  }

  function world(arn: string, received: () => Promise<unknown[]>): DestinationWorld {
    const destination = open(arn)
    return {
      destination,
      name: arn,
      received,
      breakDown: () => moto.fail('refuse'),
      heal: () => moto.heal(),
      [Symbol.asyncDispose]: () => destination.close()
    }
  }

  /** Keeps what it has taken, as a queue hands each message out once. */
  async function queue(): Promise<{ name: string; arn: string; url: string; bodies: () => Promise<string[]> }> {
    const name = `q-${randomUUID()}`
    const { QueueUrl: url = '' } = await aws.sqs.send(new CreateQueueCommand({ QueueName: name }))
    const taken: string[] = []
    const bodies = async () => {
      for (;;) {
        const command = new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 })
        const { Messages = [] } = await aws.sqs.send(command)
        taken.push(...Messages.map(({ Body = '' }) => Body))
        if (Messages.length === 0) return taken
      }
    }
    return { name, arn: `arn:aws:sqs:${region}:${accountId}:${name}`, url, bodies }
  }

  async function bucket(): Promise<string> {
    const name = `b-${randomUUID()}`
    await aws.s3.send(
      new CreateBucketCommand({ Bucket: name, CreateBucketConfiguration: { LocationConstraint: region } })
    )
    return name
  }

  async function objects(bucket: string): Promise<{ key: string; body: string }[]> {
    const { Contents = [] } = await aws.s3.send(new ListObjectsV2Command({ Bucket: bucket }))
    return Promise.all(
      Contents.map(async ({ Key: key = '' }) => {
        const { Body } = await aws.s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
        return { key, body: (await Body?.transformToString()) ?? '' }
      })
    )
  }

  const parsed = (bodies: readonly string[]): unknown[] => bodies.map(body => JSON.parse(body) as unknown)

  describe('reference 8.2: SQS', () => {
    destinationContract('SQS', async () => {
      const { arn, bodies } = await queue()
      return world(arn, async () => parsed(await bodies()))
    })

    test('a queue that is not there is said to be missing', async () => {
      const arn = `arn:aws:sqs:${region}:${accountId}:missing`
      await refuses(
        arn,
        /^Destination arn:aws:sqs:[^ ]+:missing took nothing: there is no such queue \(\w+, status 400\)\.$/
      )
    })

    test('a queue that is made after the first try is found', async () => {
      const name = `late-${randomUUID()}`
      const destination = open(`arn:aws:sqs:${region}:${accountId}:${name}`)
      await assert.rejects(destination.deliver([aMessage('early')], patience()), /no such queue/)
      const { QueueUrl } = await aws.sqs.send(new CreateQueueCommand({ QueueName: name }))
      await destination.deliver([aMessage('in time')], patience())
      const { Messages = [] } = await aws.sqs.send(new ReceiveMessageCommand({ QueueUrl }))
      assert.deepEqual(
        Messages.map(({ Body }) => Body),
        ['"in time"']
      )
      await destination.close()
    })

    test('no answer within the time limit rejects', async () => {
      const clock = new FakeClock()
      const { arn, bodies } = await queue()
      const destination = open(arn, clock)
      await moto.fail('silence')
      const rejected = assert.rejects(destination.deliver([aMessage('slow')], patience()), {
        message: `Destination ${arn} did not answer within 30 s.`
      })
      await moto.unanswered()
      await clock.advance(30_000)
      await rejected
      await moto.heal()
      await destination.deliver([aMessage('slow')], patience())
      assert.deepEqual(await bodies(), ['"slow"'])
      assert.equal(clock.waiting, 0)
      await destination.close()
    })
  })

  describe('reference 8.2: SNS', () => {
    async function topic(): Promise<{ arn: string; envelopes: () => Promise<{ Message: string }[]> }> {
      const { arn: queueArn, bodies } = await queue()
      const { TopicArn: arn = '' } = await aws.sns.send(new CreateTopicCommand({ Name: `t-${randomUUID()}` }))
      await aws.sns.send(new SubscribeCommand({ TopicArn: arn, Protocol: 'sqs', Endpoint: queueArn }))
      return { arn, envelopes: async () => parsed(await bodies()) as { Message: string }[] }
    }

    destinationContract('SNS', async () => {
      const { arn, envelopes } = await topic()
      // Subscribers get the document as a string in SNS's envelope.
      return world(arn, async () => parsed((await envelopes()).map(({ Message }) => Message)))
    })

    test('a topic that is not there is said to be missing', async () => {
      await refuses(
        `arn:aws:sns:${region}:${accountId}:missing`,
        /:missing took nothing: there is no such topic \(NotFound/
      )
    })
  })

  describe('reference 8.3: S3', () => {
    destinationContract('S3', async () => {
      const name = await bucket()
      return world(`arn:aws:s3:::${name}`, async () => parsed((await objects(name)).map(({ body }) => body)))
    })

    test('the object has the message’s key and is JSON', async () => {
      const Bucket = await bucket()
      const destination = open(`arn:aws:s3:::${Bucket}`)
      const message = aMessage({ a: 1 })
      await destination.deliver([message], patience())
      await destination.deliver([message], patience())
      assert.deepEqual(await objects(Bucket), [{ key: message.objectKey, body: '{"a":1}' }])
      const { ContentType } = await aws.s3.send(new HeadObjectCommand({ Bucket, Key: message.objectKey }))
      assert.equal(ContentType, 'application/json')
      await destination.close()
    })

    test('an object of 20 MB arrives whole', async () => {
      const name = await bucket()
      const destination = open(`arn:aws:s3:::${name}`)
      await destination.deliver([aMessage('x'.repeat(20_000_000))], patience())
      const [object] = await objects(name)
      assert.equal(object?.body.length, 20_000_002)
      await destination.close()
    })

    test('a bucket that is not there is said to be missing', async () => {
      await refuses(
        'arn:aws:s3:::missing-bucket',
        /missing-bucket took nothing: there is no such bucket \(NoSuchBucket, status 404\)/
      )
    })
  })

  async function refuses(arn: string, message: RegExp): Promise<void> {
    const destination = open(arn)
    await assert.rejects(destination.deliver([aMessage('x')], patience()), { message })
    await destination.close()
  }
})
