import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseDestination, targetText, type DestinationRules } from '../../../src/core/destination/target.ts'
import { MillraceError } from '../../../src/core/errors.ts'

const usual: DestinationRules = { sourceTopic: 'orders', strictAws: false, provisioned: false }
const strict: DestinationRules = { ...usual, strictAws: true }

const read = (text: string, rules: Partial<DestinationRules> = {}) => parseDestination(text, { ...usual, ...rules })

function refusal(text: string, rules: DestinationRules = usual): MillraceError {
  try {
    parseDestination(text, rules)
  } catch (error) {
    assert.ok(error instanceof MillraceError)
    return error
  }
  return assert.fail(`${text} was taken`)
}

describe('reference 8.1: kinds of destination', () => {
  const kinds = [
    {
      kind: 'sqs',
      arn: 'arn:aws:sqs:eu-west-1:123456789012:failed-orders',
      region: 'eu-west-1',
      accountId: '123456789012',
      queueName: 'failed-orders'
    },
    { kind: 'sns', arn: 'arn:aws-cn:sns:cn-north-1:123456789012:failed_orders', region: 'cn-north-1' },
    { kind: 's3', arn: 'arn:aws:s3:::failed.orders-1', bucket: 'failed.orders-1' }
  ] as const
  for (const rules of [usual, strict]) {
    for (const target of kinds) {
      test(`takes ${target.arn}${rules.strictAws ? ' in strict mode' : ''}`, () => {
        assert.deepEqual(parseDestination(target.arn, rules), target)
        assert.equal(targetText(target), target.arn)
      })
    }
  }

  test('takes a topic of the cluster, in strict mode with provisioned pollers alone', () => {
    const topic = { kind: 'kafka', topic: 'orders-failed' } as const
    assert.deepEqual(read('kafka://orders-failed'), topic)
    assert.deepEqual(read('kafka://orders-failed', { strictAws: true, provisioned: true }), topic)
    assert.equal(targetText(topic), 'kafka://orders-failed')
    assert.match(refusal('kafka://orders-failed', strict).message, /provisioned mode only; set ProvisionedPollerConfig/)
  })

  test('takes a file beyond AWS, which strict mode refuses in AWS’s words', () => {
    for (const name of ['orders.jsonl', 'failed', 'team/a_b/orders-1.v2.jsonl', 'a..b.jsonl']) {
      assert.deepEqual(read(`file:${name}`), { kind: 'file', name })
      assert.equal(targetText({ kind: 'file', name }), `file:${name}`)
    }
    const error = refusal('file:orders.jsonl', strict)
    assert.equal(error.aws, 'ValidationException')
    assert.match(
      error.message,
      /^1 validation error detected: Value 'file:orders.jsonl' at 'destinationConfig.onFailure.destination' failed to satisfy constraint: Member must satisfy regular expression pattern: \$\|kafka:/
    )
  })
})

describe('reference 8.1: what is refused at Create', () => {
  const refused = [
    ['arn:aws:sqs:us-east-1:123456789012:orders.fifo', /FIFO queues take no failures .* use a standard queue/],
    ['arn:aws:sns:us-east-1:123456789012:orders.fifo', /FIFO topics take no failures .* use a standard topic/],
    ['arn:aws:lambda:us-east-1:123456789012:function:f', /a function takes no failures .* SQS queue, .* S3 bucket/],
    ['arn:aws:events:us-east-1:123456789012:event-bus/default', /EventBridge takes no failures/],
    ['arn:aws:kinesis:us-east-1:123456789012:stream/s', /the service "kinesis" takes no failures/],
    ['arn:aws:sqs:us-east-1:123456789012:', /arn:aws:sqs:region:account:name/],
    ['arn:aws:sqs:us-east-1::orders', /arn:aws:sqs:region:account:name/],
    ['arn:aws:sqs:us-east-1:123456789012:two words', /arn:aws:sqs:region:account:name/],
    ['arn:aws:sns:us-east-1:123456789012:t:8e5d7b0c-6d1e-4f0e-9d1c-1a2b3c4d5e6f', /arn:aws:sns:region:account:name/],
    ['arn:aws:s3:::bucket/folder', /without a key or an access point/],
    ['arn:aws:s3:us-east-1:123456789012:accesspoint/a', /without a key or an access point/],
    ['kafka://', /1 to 249 letters/],
    ['kafka://..', /1 to 249 letters/],
    [`kafka://${'t'.repeat(250)}`, /1 to 249 letters/],
    ['kafka://a/b', /1 to 249 letters/]
  ] as const
  for (const [text, reason] of refused) {
    test(text.slice(0, 80), () => {
      const error = refusal(text)
      assert.deepEqual([error.status, error.aws], [400, 'InvalidParameterValueException'])
      assert.ok(error.message.includes(`'${text}'`), error.message)
      assert.match(error.message, reason)
    })
  }

  test('what has no known form, in strict mode in AWS’s words', () => {
    for (const text of [
      'orders',
      'https://sqs.us-east-1.amazonaws.com/123456789012/orders',
      ' arn:aws:s3:::b',
      'ARN:aws:s3:::b'
    ]) {
      assert.match(refusal(text).message, /neither an ARN nor kafka:\/\/topic nor file:name\.jsonl; use the ARN of/)
      assert.equal(refusal(text, strict).aws, 'ValidationException')
    }
  })

  test('a malformed ARN in strict mode, where AWS’s model knows its form', () => {
    assert.equal(refusal('arn:aws:sqs:us-east-1:123:orders', strict).aws, 'ValidationException')
    assert.equal(refusal('arn:aws:sqs:us-east-1:123:orders').aws, 'InvalidParameterValueException')
  })

  test('the source topic, whose failures would come back', () => {
    const error = refusal('kafka://orders')
    assert.equal(error.aws, 'InvalidParameterValueException')
    assert.equal(error.message, 'The Kafka on-failure destination topic must differ from the source topic.')
    assert.deepEqual(read('kafka://orders', { sourceTopic: 'Orders' }), { kind: 'kafka', topic: 'orders' })
  })
})

describe('a file destination stays inside its folder', () => {
  for (const name of ['/etc/passwd', '../a.jsonl', 'a/../../b.jsonl', 'a/..', 'C:/a.jsonl', '//a']) {
    test(`refuses file:${name}`, () =>
      assert.match(refusal(`file:${name}`).message, /use a relative name without "\.\."/))
  }
  for (const name of [
    '',
    '.',
    './a.jsonl',
    '.hidden',
    'a/.b',
    'a//b',
    'a/',
    'a\\b',
    'a b',
    'a\0b',
    'ü.jsonl',
    'a'.repeat(201)
  ]) {
    test(`refuses file:${JSON.stringify(name).slice(1, 30)}`, () =>
      assert.match(refusal(`file:${name}`).message, /up to 200 letters, digits/))
  }
  test('refuses the name of a rotated file', () => {
    assert.match(refusal('file:orders.jsonl.1').message, /that of a rotated file/)
  })
})
