import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { AwsCredentialChain } from '../../../src/adapters/aws/credentials.ts'
import { openDestination } from '../../../src/adapters/destination/open-destination.ts'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { parseDestination } from '../../../src/core/destination/target.ts'
import { aMessage } from '../../contracts/destination.ts'
import { RecordingLog } from '../../support/recording-log.ts'

const secret = 'do-not-tell-this-to-anybody'
Object.assign(process.env, {
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: secret,
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null'
})
const queueArn = 'arn:aws:sqs:us-east-1:123456789012:failed'
const topicArn = 'arn:aws:sns:us-east-1:123456789012:failed'
const bucketArn = 'arn:aws:s3:::failed'
const patience = () => AbortSignal.timeout(30_000)

interface Request {
  /** Of the JSON protocol. */
  readonly operation: string
  readonly headers: IncomingHttpHeaders
  readonly path: string
  readonly body: string
}
interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** An AWS that answers as `script` says. */
async function setup(arn: string, script: (request: Request) => Answer) {
  const requests: Request[] = []
  const server = createServer((request, response) => {
    void buffer(request).then(bytes => {
      const { headers, url: path = '' } = request
      const operation =
        String(headers['x-amz-target'] ?? '')
          .split('.')
          .at(-1) ?? ''
      const seen = { operation, headers, path, body: bytes.toString() }
      requests.push(seen)
      const answer = script(seen)
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/x-amz-json-1.0', ...answer.headers })
      response.end(answer.body ?? '{}')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.env['AWS_ENDPOINT_URL'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const target = parseDestination(arn, { sourceTopic: 'orders', strictAws: false, provisioned: false })
  assert.ok(target.kind !== 'kafka')
  const log = new RecordingLog()
  const destination = openDestination(target, {
    log,
    clock: systemClock,
    aws: { credentials: new AwsCredentialChain(systemClock) },
    region: 'us-east-1',
    destinationDir: '/nowhere'
  })
  return {
    destination,
    requests,
    log,
    deliver: (...contents: unknown[]) => destination.deliver(contents.map(aMessage), patience()),
    async [Symbol.asyncDispose]() {
      await destination.close()
      server.closeAllConnections()
      server.close()
    }
  }
}

const queueUrl: Answer = { body: JSON.stringify({ QueueUrl: 'http://unreachable.invalid/123456789012/failed' }) }
const denied: Answer = { status: 400, body: '{"__type":"com.amazonaws.sqs#AccessDeniedException","Message":"no"}' }

interface Batch {
  readonly QueueUrl: string
  readonly Entries: readonly { readonly Id: string; readonly MessageBody: string }[]
}
const batchOf = ({ body }: Request): Batch => JSON.parse(body) as Batch
const md5 = (text: string): string => createHash('md5').update(text).digest('hex')

/** Takes what `takes` says, and refuses the others with `code`. */
function batchAnswer(request: Request, takes: (body: string) => boolean = () => true, code = 'InternalError'): Answer {
  const entries = batchOf(request).Entries
  const taken = entries.filter(({ MessageBody }) => takes(MessageBody))
  return {
    body: JSON.stringify({
      Successful: taken.map(({ Id, MessageBody }) => ({ Id, MessageId: Id, MD5OfMessageBody: md5(MessageBody) })),
      Failed: entries.filter(entry => !taken.includes(entry)).map(({ Id }) => ({ Id, Code: code, SenderFault: false }))
    })
  }
}

test('SQS: what lanes give up at the same time goes out in batches of ten, after one question for the queue’s URL', async () => {
  await using world = await setup(queueArn, request =>
    request.operation === 'GetQueueUrl' ? queueUrl : batchAnswer(request)
  )
  await Promise.all(Array.from({ length: 25 }, (_, n) => world.deliver(n)))
  const batches = world.requests.filter(({ operation }) => operation === 'SendMessageBatch').map(batchOf)
  assert.deepEqual(
    batches.map(({ Entries }) => Entries.length),
    [10, 10, 5]
  )
  assert.deepEqual(
    batches.flatMap(({ Entries }) => Entries.map(({ MessageBody }) => Number(MessageBody))).toSorted((a, b) => a - b),
    Array.from({ length: 25 }, (_, n) => n)
  )
  assert.equal(world.requests.filter(({ operation }) => operation === 'GetQueueUrl').length, 1)
  const [asked] = world.requests
  assert.deepEqual(JSON.parse(asked!.body), { QueueName: 'failed', QueueOwnerAWSAccountId: '123456789012' })
})

test('SQS: a message that is refused fails its own delivery and no other', async () => {
  await using world = await setup(queueArn, request =>
    request.operation === 'GetQueueUrl' ? queueUrl : batchAnswer(request, body => body !== '"bad"')
  )
  const [first, second, third] = await Promise.allSettled([
    world.deliver('good'),
    world.deliver('fine', 'bad'),
    world.deliver('well')
  ])
  assert.deepEqual([first.status, second.status, third.status], ['fulfilled', 'rejected', 'fulfilled'])
  assert.equal(
    second.status === 'rejected' && (second.reason as Error).message,
    `Destination ${queueArn} took nothing: it has a fault of its own (InternalError).`
  )
})

test('SQS: a batch that is refused for one of its messages is sent one by one', async () => {
  await using world = await setup(queueArn, request => {
    if (request.operation === 'GetQueueUrl') return queueUrl
    const isBad = batchOf(request).Entries.some(({ MessageBody }) => MessageBody === '"bad"')
    return isBad
      ? { status: 400, body: '{"__type":"com.amazonaws.sqs#InvalidMessageContents","message":"no"}' }
      : batchAnswer(request)
  })
  const ended = await Promise.allSettled(['a', 'bad', 'b'].map(content => world.deliver(content)))
  assert.deepEqual(
    ended.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled']
  )
})

test('SQS: without the right to ask for the queue’s URL it is made from the ARN (reference 10.3)', async () => {
  await using world = await setup(queueArn, request =>
    request.operation === 'GetQueueUrl' ? denied : batchAnswer(request)
  )
  await world.deliver('x')
  assert.equal(batchOf(world.requests.at(-1)!).QueueUrl, 'https://sqs.us-east-1.amazonaws.com/123456789012/failed')
  assert.match(world.log.messages('debug').join(), /URL is made from its ARN/)
})

test('SQS: a missing right to send is told by AWS’s name, without AWS’s text', async () => {
  await using world = await setup(queueArn, ({ operation }) => (operation === 'GetQueueUrl' ? queueUrl : denied))
  await assert.rejects(world.deliver('x'), {
    message: `Destination ${queueArn} took nothing: the credentials do not allow it (AccessDeniedException, status 400).`
  })
})

test('SQS: a message without an answer is not taken for delivered', async () => {
  await using world = await setup(queueArn, ({ operation }) =>
    operation === 'GetQueueUrl' ? queueUrl : { body: '{}' }
  )
  await assert.rejects(world.deliver('x'), /took nothing: it failed \(no answer for a message\)/)
})

test('SNS: what is refused fails alone', async () => {
  const entry = (id: string) => `<member><Id>${id}</Id><MessageId>m</MessageId></member>`
  await using world = await setup(topicArn, () => ({
    headers: { 'content-type': 'text/xml' },
    body: `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Failed><member><Id>1</Id><Code>KMSDisabled</Code><SenderFault>true</SenderFault></member></Failed><Successful>${entry('0')}${entry('2')}</Successful></PublishBatchResult></PublishBatchResponse>`
  }))
  const ended = await Promise.allSettled(['a', 'bad', 'b'].map(content => world.deliver(content)))
  assert.deepEqual(
    ended.map(result => (result.status === 'rejected' ? (result.reason as Error).message : 'there')),
    ['there', `Destination ${topicArn} took nothing: its KMS key is disabled (KMSDisabled).`, 'there']
  )
  assert.equal(world.requests.length, 1)
})

test('S3: a bucket of another region is followed there', async () => {
  const scopes: string[] = []
  await using world = await setup(bucketArn, ({ headers }) => {
    const [, region = ''] = /Credential=[^/]+\/\d+\/([a-z0-9-]+)\/s3/.exec(headers.authorization ?? '') ?? []
    scopes.push(region)
    if (region === 'eu-central-1') return { body: '' }
    return {
      status: 301,
      headers: { 'x-amz-bucket-region': 'eu-central-1', 'content-type': 'application/xml' },
      body: '<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>'
    }
  })
  await world.deliver('x')
  assert.equal(scopes[0], 'us-east-1')
  assert.equal(scopes.at(-1), 'eu-central-1')
})

test('S3: neither secrets nor AWS’s text, which quotes the request, are told', async () => {
  const said = `The request signature we calculated does not match x-amz-security-token:${secret}`
  await using world = await setup(bucketArn, () => ({
    status: 403,
    headers: { 'content-type': 'application/xml' },
    body: `<Error><Code>SignatureDoesNotMatch</Code><Message>${said}</Message></Error>`
  }))
  await assert.rejects(world.deliver('x'), {
    message: `Destination ${bucketArn} took nothing: the secret access key does not belong to the access key (SignatureDoesNotMatch, status 403).`
  })
})

test('an answer of 500 is asked for once more, then told', async () => {
  await using world = await setup(bucketArn, () => ({
    status: 503,
    headers: { 'content-type': 'application/xml' },
    body: '<Error><Code>SlowDown</Code><Message>slow</Message></Error>'
  }))
  await assert.rejects(world.deliver('x'), /it is throttling \(SlowDown, status 503\)/)
  assert.equal(world.requests.length, 2)
})
