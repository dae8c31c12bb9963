import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, test } from 'node:test'
import { failed, HttpFunction, never, returned, type Answer, type Script } from '../support/http-function.ts'
import { mappingWhen } from '../support/mapping-api.ts'
import { eventually } from '../support/poll.ts'
import { EmbeddedWorld } from './embedded-world.ts'
import { offsetsOf, quick, runChecks, toldTo, upTo, type FailureCheck } from './failure-checks.ts'

const status = (code: number, headers: Readonly<Record<string, string>> = {}, body = '{}'): Answer => ({
  kind: 'status',
  status: code,
  headers,
  body
})
const saying = (body: string): Answer => status(200, {}, body)
const item = (offset: number, partition = 'check-0') => ({ itemIdentifier: { partition, offset } })
const reporting = (...items: readonly object[]): Answer => saying(JSON.stringify({ batchItemFailures: items }))
const busy = status(429, { 'x-amzn-errortype': 'TooManyRequestsException' })

/** The first `count` calls are answered so, the others succeed. */
const first =
  (count: number, answer: Answer): Script =>
  ({ number }) =>
    number <= count ? answer : returned
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)
const noRetry = { MaximumRetryAttempts: 0 }
const reports = { FunctionResponseTypes: ['ReportBatchItemFailures' as const] }
const bisects = { BisectBatchOnFunctionError: true }
const exhausted = { condition: 'RetryAttemptsExhausted', response: 'Unhandled' } as const

describe('what each result of a call means, end to end (reference 5.1 to 5.4)', () => {
  const uncounted: [string, Answer, 'http' | 'lambda'][] = [
    ['429', busy, 'http'],
    ['429', busy, 'lambda'],
    ['403, the permission is missing', status(403, { 'x-amzn-errortype': 'AccessDeniedException' }), 'lambda'],
    ['404, the function is deleted', status(404, { 'x-amzn-errortype': 'ResourceNotFoundException' }), 'lambda'],
    ['502 of KMS, EC2, ENI', status(502, { 'x-amzn-errortype': 'KMSAccessDeniedException' }), 'lambda'],
    ['500, the service failed', status(500, { 'x-amzn-errortype': 'ServiceException' }), 'lambda'],
    ['400, a loop was stopped', status(400, { 'x-amzn-errortype': 'RecursiveInvocationException' }), 'lambda'],
    ['a connection that breaks', { kind: 'break' }, 'lambda'],
    ['a connection that breaks', { kind: 'break' }, 'http'],
    ['502', status(502), 'http']
  ]
  const checks: FailureCheck[] = [
    ...uncounted.map(([title, answer, by]) => ({
      title: `${by}: ${title} spends no retry, however often`,
      by,
      input: noRetry,
      script: first(12, answer),
      calls: times(13, [0])
    })),
    {
      title: 'a body means nothing unless item failures are reported',
      input: noRetry,
      records: 2,
      script: () => reporting(item(0)),
      calls: [[0, 1]]
    },
    ...(['http', 'lambda'] as const).map(by => ({
      title: `${by}: a function error has the whole batch again; N retries are N+1 calls`,
      by,
      input: { MaximumRetryAttempts: 3 },
      records: 3,
      script: () => failed,
      calls: times(4, [0, 1, 2]),
      told: [{ ...exhausted, offsets: [0, 1, 2], calls: 4 }]
    })),
    {
      title: 'no retry is one call',
      input: noRetry,
      script: () => failed,
      calls: [[0]],
      told: [{ ...exhausted, offsets: [0], calls: 1 }]
    },
    {
      title: 'retries for ever and a destination are eleven calls',
      script: () => failed,
      calls: times(11, [0]),
      told: [{ ...exhausted, offsets: [0], calls: 11 }]
    },
    {
      title: 'throttles between failures neither count nor start the count anew',
      input: { MaximumRetryAttempts: 2 },
      script: ({ number }) => (number % 3 === 0 ? failed : busy),
      calls: times(9, [0]),
      told: [{ ...exhausted, offsets: [0], calls: 3 }]
    },
    {
      title: 'a function that never answers has failed',
      input: { MaximumRetryAttempts: 1 },
      timeoutSeconds: 1,
      script: () => never,
      calls: times(2, [0]),
      told: [{ ...exhausted, offsets: [0], calls: 2 }]
    },
    {
      title: 'a function that answers too late has failed',
      input: { MaximumRetryAttempts: 1 },
      timeoutSeconds: 1,
      script: ({ number }) => (number === 1 ? pause(1_400, returned) : returned),
      calls: times(2, [0])
    },
    {
      title: 'an answer of more than 6 MB is a failure',
      input: noRetry,
      script: () => saying(`"${'a'.repeat(6_291_556)}"`),
      calls: [[0]],
      told: [{ ...exhausted, offsets: [0], calls: 1 }]
    },
    {
      title: '413: half of the records at a time',
      input: noRetry,
      records: 4,
      script: ({ records }) => (records.length > 2 ? status(413) : returned),
      calls: [
        [0, 1, 2, 3],
        [0, 1],
        [2, 3]
      ]
    },
    {
      title: '413 for a record alone: it is given up, the others are not (reference 3.6)',
      by: 'lambda',
      records: 3,
      script: call =>
        offsetsOf(call).includes(2) ? status(413, { 'x-amzn-errortype': 'RequestTooLargeException' }) : returned,
      calls: [[0, 1, 2], [0, 1], [2]],
      told: [{ offsets: [2], condition: 'MaximumPayloadSizeExceeded', calls: 1, response: 'none' }]
    }
  ]
  test('one server, a mapping for each', { timeout: 120_000 }, t => runChecks(t, checks))

  test('a function that is deleted: nothing is committed until it is there again, and nothing is lost', async t => {
    const world = await EmbeddedWorld.open(t)
    const topic = await world.topic('orders', 2)
    const double = await HttpFunction.open()
    t.after(() => double.close())
    world.audit.watch(double)
    const arn = 'arn:aws:lambda:us-east-1:000000000000:function:real'
    const functions = { real: { lambda: arn, endpoint: double.url, signed: false } }
    const millrace = await world.serve({ config: { ...quick, functions } })
    const uuid = await world.map(millrace, topic.name, { FunctionName: 'real', MaximumRetryAttempts: 0 })
    await topic.write(5)
    await world.succeeded(10)
    const api = await world.api(millrace)
    double.script = () => status(404, { 'x-amzn-errortype': 'ResourceNotFoundException' }, '{"Message":"not found"}')
    const committed = () => world.kafka.committed(uuid, topic.name)
    const five = [5, 5]
    await eventually(async () => [...(await committed()).values()].join() === five.join(), { describe: 'commits' })
    const before = double.calls.length
    await topic.write(5)
    await mappingWhen(api, uuid, 'told of it', ({ LastProcessingResult = '' }) =>
      /^PROBLEM.*404/.test(LastProcessingResult)
    )
    await eventually(() => double.calls.length > before + 6, { describe: 'it is called again and again' })
    assert.deepEqual([...(await committed()).values()], five)
    double.script = () => returned
    await world.succeeded(20)
    world.assertSound(topic)
    await mappingWhen(api, uuid, 'OK', ({ LastProcessingResult }) => LastProcessingResult === 'OK')
  })
})

describe('what a function may say of its batch, end to end (reference 6.2, 6.3)', () => {
  const success: [string, string][] = [
    ['nothing', ''],
    ['null', 'null'],
    ['an empty string', '""'],
    ['an empty object', '{}'],
    ['an empty list', '[]'],
    ['no failures', '{"batchItemFailures":[]}'],
    ['null for the failures', '{"batchItemFailures":null}'],
    ['other members', '{"ok":true}']
  ]
  const whole: [string, string][] = [
    ['an offset that was not sent', JSON.stringify({ batchItemFailures: [item(7)] })],
    ['a partition that was not sent', JSON.stringify({ batchItemFailures: [item(1), item(1, 'check-0-9')] })],
    ['no identifier', '{"batchItemFailures":[{"foo":"bar"}]}'],
    ['a null identifier', '{"batchItemFailures":[{"itemIdentifier":null}]}'],
    ['an empty identifier', '{"batchItemFailures":[{"itemIdentifier":""}]}'],
    ['an identifier without an offset', '{"batchItemFailures":[{"itemIdentifier":{"partition":"check-0-0"}}]}'],
    ['an identifier without a partition', '{"batchItemFailures":[{"itemIdentifier":{"offset":1}}]}'],
    ['a string that is no index', '{"batchItemFailures":[{"itemIdentifier":"check-0-0:1"}]}'],
    ['an index beyond the batch', '{"batchItemFailures":[{"itemIdentifier":4}]}'],
    ['no JSON', 'all is well'],
    ['a string', '"well"'],
    ['a number', '3'],
    ['failures that are no list', '{"batchItemFailures":{}}']
  ]
  /** `P` stands for the partition. */
  const some: [string, string, readonly number[]][] = [
    ['one in the middle', '[{"itemIdentifier":{"partition":"P","offset":1}}]', [1]],
    ['the first', '[{"itemIdentifier":{"partition":"P","offset":0}}]', [0]],
    ['the last, with more members', '[{"itemIdentifier":{"partition":"P","offset":3,"x":1},"y":2}]', [3]],
    ['an offset as text', '[{"itemIdentifier":{"partition":"P","offset":"2"}}]', [2]],
    [
      'two, one of them twice, out of order',
      '[{"itemIdentifier":{"partition":"P","offset":3}},{"itemIdentifier":{"partition":"P","offset":1}},{"itemIdentifier":{"partition":"P","offset":3}}]',
      [1, 3]
    ],
    ['positions in the payload', '[{"itemIdentifier":"2"},{"itemIdentifier":0}]', [0, 2]]
  ]
  const base = { input: { ...reports, MaximumRetryAttempts: 1 }, records: 4 }
  const checks: FailureCheck[] = [
    ...success.map(([title, body]) => ({
      ...base,
      title: `${title}: all is well`,
      script: () => saying(body),
      calls: [upTo(4)]
    })),
    ...whole.map(([title, body]) => ({
      ...base,
      title: `${title}: the whole batch again`,
      script: first(1, saying(body)),
      calls: times(2, upTo(4))
    })),
    ...some.map(
      ([title, items, again]) =>
        ({
          ...base,
          title: `${title}: exactly that again`,
          script: ({ number, records }) =>
            number > 1
              ? returned
              : saying(`{"batchItemFailures":${items.replaceAll('"P"', `"${records[0]!.topic}-0"`)},"more":1}`),
          calls: [upTo(4), again]
        }) satisfies FailureCheck
    ),
    {
      ...base,
      title: 'a function error: the whole batch again, whatever its body says',
      script: ({ number, records }) =>
        number === 1
          ? status(
              200,
              { 'x-amz-function-error': 'Unhandled' },
              `{"batchItemFailures":[{"itemIdentifier":{"partition":"${records[0]!.topic}-0","offset":1}}]}`
            )
          : returned,
      calls: times(2, upTo(4))
    },
    {
      ...base,
      title: 'what is reported until its tries are used up is given up, and nothing else',
      script: call =>
        reporting(
          ...offsetsOf(call)
            .filter(offset => offset % 3 === 1)
            .map(offset => item(offset, `${call.records[0]!.topic}-0`))
        ),
      calls: [upTo(4), [1]],
      told: [{ offsets: [1], condition: 'RetryAttemptsExhausted', calls: 2, response: 'reported' }]
    }
  ]
  test('one server, a mapping for each', { timeout: 120_000 }, t => runChecks(t, checks))

  test('as strict as AWS: a position names nothing', { timeout: 120_000 }, t =>
    runChecks(
      t,
      ['2', '"2"'].map(identifier => ({
        ...base,
        title: identifier,
        script: first(1, saying(`{"batchItemFailures":[{"itemIdentifier":${identifier}}]}`)),
        calls: times(2, upTo(4))
      })),
      { strictAws: true }
    )
  )

  test('two partitions in one batch and a failure in one: the other is committed; that waits at its lowest failed offset', async t => {
    const world = await EmbeddedWorld.open(t)
    const topic = await world.topic('orders', 2)
    await topic.write(4)
    const release = Promise.withResolvers<Answer>()
    world.function.script = ({ number }) =>
      number === 1 ? reporting(item(3, 'orders-0'), item(1, 'orders-0')) : release.promise
    const millrace = await world.serve({ config: quick })
    const input = { ...reports, BatchSize: 8, MaximumBatchingWindowInSeconds: 2 }
    const uuid = await world.map(millrace, topic.name, input)
    await eventually(() => world.function.calls.length === 2, { describe: 'the second call' })
    const calls = world.function.calls.map(({ records }) =>
      records.map(({ partition, offset }) => `${partition}@${offset}`)
    )
    assert.deepEqual(calls, [
      ['0@0', '0@1', '0@2', '0@3', '1@0', '1@1', '1@2', '1@3'],
      ['0@1', '0@3']
    ])
    const committed = () => [0, 1].map(partition => world.broker.committed(uuid, 'orders', partition)?.offset)
    await eventually(() => committed()[1] === 4, { describe: () => `the other is committed; ${committed().join()}` })
    assert.deepEqual(committed(), [1, 4])
    // What comes behind the failed records waits; the other partition does not.
    world.function.script = call => (call.records.some(({ partition }) => partition === 0) ? release.promise : returned)
    await topic.write(2)
    await eventually(() => committed()[1] === 6, { describe: () => `the other goes on; ${committed().join()}` })
    assert.equal(world.function.calls.length, 3)
    assert.deepEqual(committed(), [1, 6])
    release.resolve(returned)
    await eventually(() => committed()[0] === 6, { describe: 'all is committed' })
  })
})

describe('retries, age and bisect, end to end (reference 7)', () => {
  const badFive: Script = call => (offsetsOf(call).includes(5) ? failed : returned)
  const checks: FailureCheck[] = [
    {
      title: 'eight records, the sixth bad, no retry: it alone is given up, the others come in order',
      input: { ...noRetry, ...bisects },
      records: 8,
      script: badFive,
      calls: [upTo(8), upTo(4), upTo(8, 4), [4, 5], [4], [5], [6, 7]],
      told: [{ ...exhausted, offsets: [5], calls: 1 }]
    },
    {
      title: 'the same with two retries: only the bad record uses them',
      input: { MaximumRetryAttempts: 2, ...bisects },
      records: 8,
      script: badFive,
      calls: [upTo(8), upTo(4), upTo(8, 4), [4, 5], [4], [5], [5], [5], [6, 7]],
      told: [{ ...exhausted, offsets: [5], calls: 3 }]
    },
    {
      title: 'bisect, retries for ever and a destination: the bad record has eleven calls alone',
      input: bisects,
      records: 4,
      script: call => (offsetsOf(call).includes(2) ? failed : returned),
      calls: [upTo(4), [0, 1], [2, 3], ...times(11, [2]), [3]],
      told: [{ ...exhausted, offsets: [2], calls: 11 }]
    },
    {
      title: 'bisect and item failures: an exception splits, a report does not',
      input: { MaximumRetryAttempts: 1, ...bisects, ...reports },
      records: 8,
      script: call => {
        if (call.records.length > 4) return failed
        return offsetsOf(call).includes(5) ? reporting(item(5, `${call.records[0]!.topic}-0`)) : returned
      },
      calls: [upTo(8), upTo(4), upTo(8, 4), [5]],
      told: [{ offsets: [5], condition: 'RetryAttemptsExhausted', calls: 2, response: 'reported' }]
    },
    {
      title: 'bisect and throttles: a throttle splits nothing, before and between the halves',
      input: { ...noRetry, ...bisects },
      records: 4,
      script: call => (call.number % 2 === 1 ? busy : offsetsOf(call).includes(2) ? failed : returned),
      calls: [upTo(4), upTo(4), [0, 1], [0, 1], [2, 3], [2, 3], [2], [2], [3], [3]],
      told: [{ ...exhausted, offsets: [2], calls: 1 }]
    },
    {
      title: 'a record too old between younger ones: it is given up without a call, they are called',
      input: { MaximumRecordAgeInSeconds: 60 },
      records: 5,
      ageMs: offset => (offset === 2 ? 61_000 : 0),
      script: () => returned,
      calls: [[0, 1, 3, 4]],
      told: [{ offsets: [2], condition: 'RecordAgeExceeded', calls: 1, response: 'missing' }]
    },
    {
      title: 'all records too old: no call',
      input: { MaximumRecordAgeInSeconds: 60 },
      records: 3,
      ageMs: () => 3_600_000,
      script: () => returned,
      calls: [],
      told: [{ offsets: [0, 1, 2], condition: 'RecordAgeExceeded', calls: 1, response: 'missing' }]
    },
    {
      title: 'without a destination what is given up is dropped, and what follows goes on',
      input: { ...noRetry, BatchSize: 2, DestinationConfig: {} },
      records: 4,
      script: first(1, failed),
      calls: [
        [0, 1],
        [2, 3]
      ]
    }
  ]
  test('one server, a mapping for each', { timeout: 120_000 }, t => runChecks(t, checks))

  test('what grows too old while it is tried again is called no more, and given up', async t => {
    const world = await EmbeddedWorld.open(t)
    const topic = await world.topic('orders', 1)
    const millrace = await world.serve({ config: quick })
    const uuid = await world.map(millrace, 'orders', {
      MaximumRecordAgeInSeconds: 60,
      MaximumRetryAttempts: 10_000,
      DestinationConfig: { OnFailure: { Destination: 'file:check.jsonl' } }
    })
    await topic.write(1)
    await world.succeeded(1)
    const begins: number[] = []
    world.function.on('began', () => begins.push(Date.now()))
    world.function.script = () => failed
    const expiresAt = Date.now() + 3_000
    world.broker.append('orders', 0, [{ value: 'old', timestamp: expiresAt - 60_000 }])
    await eventually(() => world.broker.committed(uuid, 'orders', 0)?.offset === 2, { describe: 'it is given up' })
    assert.ok(begins.length > 1, `${begins.length} calls`)
    for (const began of begins) assert.ok(began <= expiresAt + 100, `a call ${began - expiresAt} ms after the limit`)
    const told = await toldTo(millrace, 'check')
    assert.deepEqual(told, [
      { offsets: [1], condition: 'RecordAgeExceeded', calls: begins.length, response: 'missing' }
    ])
  })
})
