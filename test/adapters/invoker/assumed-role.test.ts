import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AwsCredentialChain } from '../../../src/adapters/aws/credentials.ts'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { openLambdaInvoker } from '../../../src/adapters/invoker/lambda.ts'
import { anEvent, aRequest } from '../../contracts/invoker.ts'
import { StubAws } from '../../support/stub-aws.ts'

const answer = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`

test('a role is assumed at an STS of our own with its external ID, once, and calls are signed with its keys', async t => {
  const aws = await StubAws.start(t)
  aws.answer = ({ operation }) => ({ body: operation === 'AssumeRole' ? answer : {} })
  const role = { roleArn: 'arn:aws:iam::123456789012:role/caller', externalId: 'their-id' }
  const invoker = openLambdaInvoker(
    {
      kind: 'lambda',
      functionName: 'orders',
      region: 'eu-west-1',
      endpoint: process.env['AWS_ENDPOINT_URL'] ?? '',
      signed: true,
      role,
      timeoutMs: 10_000
    },
    { credentials: new AwsCredentialChain(systemClock), clock: systemClock }
  )
  t.after(() => invoker.close())
  for (let call = 0; call < 2; call++) {
    const reply = await invoker.invoke(anEvent({ do: 'return', value: null }), aRequest())
    assert.equal(reply.kind, 'returned')
  }
  const invoke = ['POST /2015-03-31/functions/orders/invocations', 'ASIAROLE', 'eu-west-1', 'token']
  assert.deepEqual(
    aws.calls.map(({ operation, accessKeyId, region, sessionToken }) => [operation, accessKeyId, region, sessionToken]),
    [['AssumeRole', 'AKIATEST', 'eu-west-1', undefined], invoke, invoke]
  )
  const form = new URLSearchParams(aws.calls[0]?.body)
  assert.deepEqual([form.get('RoleArn'), form.get('ExternalId')], [role.roleArn, 'their-id'])
})
