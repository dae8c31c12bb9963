import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { AwsCredentialChain } from '../../../src/adapters/aws/credentials.ts'
import { openDestination } from '../../../src/adapters/destination/open-destination.ts'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { parseDestination } from '../../../src/core/destination/target.ts'
import { aMessage } from '../../contracts/destination.ts'
import { RecordingLog } from '../../support/recording-log.ts'
import { StubAws, type StubAnswer, type StubCall } from '../../support/stub-aws.ts'

const role = { roleArn: 'arn:aws:iam::123456789012:role/orders', externalId: 'their-id' }

const assumed: StubAnswer = {
  body: `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
    <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
    <Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`
}

/** SQS, SNS and S3, as far as one message needs them. */
function taken({ operation, body }: StubCall): StubAnswer {
  switch (operation) {
    case 'GetQueueUrl':
      return { body: { QueueUrl: 'http://unreachable.invalid/123456789012/failed' } }
    case 'SendMessageBatch': {
      const [entry] = (JSON.parse(body) as { Entries: { MessageBody: string }[] }).Entries
      const md5 = createHash('md5')
        .update(entry?.MessageBody ?? '')
        .digest('hex')
      return { body: { Successful: [{ Id: '0', MessageId: '0', MD5OfMessageBody: md5 }], Failed: [] } }
    }
    case 'PublishBatch':
      return {
        body: `<PublishBatchResponse><PublishBatchResult><Successful><member><Id>0</Id><MessageId>0</MessageId></member>
          </Successful></PublishBatchResult></PublishBatchResponse>`
      }
    default:
      return { body: '' }
  }
}

async function deliver(arn: string, aws: StubAws, whose: { readonly role?: typeof role }): Promise<string[][]> {
  const target = parseDestination(arn, { sourceTopic: 'orders', strictAws: false, provisioned: false })
  assert.ok(target.kind !== 'kafka')
  await using opened = {
    destination: openDestination(target, {
      log: new RecordingLog(),
      clock: systemClock,
      aws: { credentials: new AwsCredentialChain(systemClock), ...whose },
      region: 'eu-west-1',
      destinationDir: '/nowhere'
    }),
    [Symbol.asyncDispose]() {
      return this.destination.close()
    }
  }
  await opened.destination.deliver([aMessage('lost')], AbortSignal.timeout(30_000))
  return aws.calls.map(({ operation, accessKeyId, region }) => [operation.split(' ')[0] ?? '', accessKeyId, region])
}

for (const [arn, region, ...operations] of [
  ['arn:aws:sqs:us-east-1:123456789012:failed', 'us-east-1', 'GetQueueUrl', 'SendMessageBatch'],
  ['arn:aws:sns:us-east-1:123456789012:failed', 'us-east-1', 'PublishBatch'],
  ['arn:aws:s3:::failed', 'eu-west-1', 'PUT']
] as const) {
  test(`${arn} is delivered to in the role of the mapping, which is assumed with its external id`, async t => {
    const aws = await StubAws.start(t)
    aws.answer = call => (call.operation === 'AssumeRole' ? assumed : taken(call))
    assert.deepEqual(await deliver(arn, aws, { role }), [
      ['AssumeRole', 'AKIATEST', region],
      ...operations.map(operation => [operation, 'ASIAROLE', region])
    ])
    const form = new URLSearchParams(aws.calls[0]?.body)
    assert.deepEqual([form.get('RoleArn'), form.get('ExternalId')], [role.roleArn, role.externalId])
  })
}

test('without a role it is delivered to with the credentials of the process', async t => {
  const aws = await StubAws.start(t)
  aws.answer = taken
  assert.deepEqual(await deliver('arn:aws:s3:::failed', aws, {}), [['PUT', 'AKIATEST', 'eu-west-1']])
})

test('a role that may not be assumed is why nothing was delivered', async t => {
  const aws = await StubAws.start(t)
  aws.answer = () => ({
    status: 403,
    body: '<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not for you</Message></Error></ErrorResponse>'
  })
  const arn = 'arn:aws:sqs:us-east-1:123456789012:failed'
  await assert.rejects(deliver(arn, aws, { role }), {
    message: `Destination ${arn} took nothing: The role ${role.roleArn} cannot be assumed: not for you`
  })
})
