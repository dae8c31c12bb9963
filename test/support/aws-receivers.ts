import { randomUUID } from 'node:crypto'
import { CreateBucketCommand, GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3'
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns'
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { Moto } from './moto.ts'

const account = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'not-a-secret-at-all' }
} as const

/** Something in AWS that takes messages, and what it has taken so far. */
export interface Receiver {
  readonly arn: string
  /** All of them, in the order in which they are handed out. */
  readonly bodies: () => Promise<readonly string[]>
}

/** What `millrace` has to have in its environment to find them. */
export const receiverEnv = (moto: Moto): Readonly<Record<string, string>> => ({
  AWS_ENDPOINT_URL: moto.url,
  AWS_ACCESS_KEY_ID: account.credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: account.credentials.secretAccessKey,
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null'
})

/** Queues, topics and buckets of a moto, looked at past its door. */
export class AwsReceivers implements Disposable {
  readonly #sqs: SQSClient
  readonly #sns: SNSClient
  readonly #s3: S3Client

  constructor(moto: Moto) {
    const client = { ...account, endpoint: moto.directUrl }
    this.#sqs = new SQSClient(client)
    this.#sns = new SNSClient(client)
    this.#s3 = new S3Client({ ...client, forcePathStyle: true })
  }

  async queue(): Promise<Receiver> {
    const name = `q-${randomUUID()}`
    const { QueueUrl } = await this.#sqs.send(new CreateQueueCommand({ QueueName: name }))
    // A queue hands each message out once.
    const taken: string[] = []
    const bodies = async () => {
      for (;;) {
        const command = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 43_200 })
        const { Messages = [] } = await this.#sqs.send(command)
        taken.push(...Messages.map(({ Body = '' }) => Body))
        if (Messages.length === 0) return taken
      }
    }
    return { arn: `arn:aws:sqs:${account.region}:123456789012:${name}`, bodies }
  }

  /** Subscribers get a message as a string in SNS's envelope. */
  async topic(): Promise<Receiver> {
    const { arn: Endpoint, bodies } = await this.queue()
    const { TopicArn: arn = '' } = await this.#sns.send(new CreateTopicCommand({ Name: `t-${randomUUID()}` }))
    await this.#sns.send(new SubscribeCommand({ TopicArn: arn, Protocol: 'sqs', Endpoint }))
    return {
      arn,
      bodies: async () => (await bodies()).map(envelope => (JSON.parse(envelope) as { Message: string }).Message)
    }
  }

  /** With the keys of its objects. */
  async bucket(): Promise<Receiver & { readonly keys: () => Promise<readonly string[]> }> {
    const Bucket = `b-${randomUUID()}`
    await this.#s3.send(new CreateBucketCommand({ Bucket }))
    const keys = async () => {
      const found: string[] = []
      for await (const { Contents = [] } of paginateListObjectsV2({ client: this.#s3 }, { Bucket }))
        found.push(...Contents.map(({ Key = '' }) => Key))
      return found
    }
    const bodies = async () => {
      const texts: string[] = []
      for (const Key of await keys()) {
        const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket, Key }))
        texts.push((await Body?.transformToString()) ?? '')
      }
      return texts
    }
    return { arn: `arn:aws:s3:::${Bucket}`, bodies, keys }
  }

  [Symbol.dispose](): void {
    for (const client of [this.#sqs, this.#sns, this.#s3]) client.destroy()
  }
}
