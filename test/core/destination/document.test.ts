import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { failureMessages, type Failure } from '../../../src/core/destination/document.ts'
import type { DestinationTarget } from '../../../src/core/destination/target.ts'
import { EventEncoder, maxEventBytes, type EventSourceFields } from '../../../src/core/event/encoder.ts'
import type { Slice } from '../../../src/core/record.ts'
import { blockOf, plainBlock, wholeSlice } from '../../support/blocks.ts'

const arn = 'arn:aws:kafka:us-east-1:123456789012:cluster/demo/751d2973-a626-431c-9d4e-d7975eb44dd7-2'
const msk: EventSourceFields = { kind: 'msk', arn, bootstrapServers: 'b-1.demo:9092,b-2.demo:9092' }
const selfManaged: EventSourceFields = { kind: 'self-managed', bootstrapServers: '127.0.0.1:9092' }
const functionArn = 'arn:aws:lambda:us-east-1:123456789012:function:my-function'
const requestId = '316aa6d0-8154-xmpl-9af7-85d5f4a6bc81'
const uuid = '0a1b2c3d-0000-4000-8000-000000000001'
const mapping = '14e0db71-5d35-4eb5-b481-8945cf9d10c2'

const targets = {
  sqs: {
    kind: 'sqs',
    arn: 'arn:aws:sqs:us-east-1:123456789012:q',
    region: 'us-east-1',
    accountId: '123456789012',
    queueName: 'q'
  },
  sns: { kind: 'sns', arn: 'arn:aws:sns:us-east-1:123456789012:t', region: 'us-east-1' },
  s3: { kind: 's3', arn: 'arn:aws:s3:::b', bucket: 'b' },
  kafka: { kind: 'kafka', topic: 'failed' },
  file: { kind: 'file', name: 'failed.jsonl' }
} as const satisfies Record<DestinationTarget['kind'], DestinationTarget>
const kinds = Object.keys(targets) as DestinationTarget['kind'][]

function aFailure(slices: readonly Slice[], more: Partial<Failure> = {}): Failure {
  const source = more.source ?? msk
  return {
    condition: 'retries',
    requestId,
    functionArn,
    mapping,
    invokeCount: 1,
    response: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
    nowMs: Date.parse('2019-11-14T00:38:06.021Z'),
    uuid,
    encoder: new EventEncoder(source, Number.MAX_SAFE_INTEGER),
    slices,
    ...more,
    source
  }
}

interface Document {
  requestContext: Record<string, unknown>
  responseContext?: unknown
  KafkaBatchInfo: {
    batchSize: number
    payloadSize: number
    eventSourceArn?: string
    recordsInfo: Record<string, Record<string, string>>
    recordInfo?: Record<string, string>
  }
  payload?: unknown
}
type Event = { records: Record<string, { offset: number }[]> }

const documents = (kind: DestinationTarget['kind'], failure: Failure): Document[] =>
  failureMessages(targets[kind], failure).map(({ body }) => JSON.parse(body.toString()) as Document)

/** Offsets 100 to 599, a record every millisecond and a half or so, as in AWS's sample. */
function sampleBatch(): Slice {
  const start = Date.parse('2019-11-14T00:38:04.835Z')
  const records = Array.from({ length: 500 }, (_, at) => ({
    offset: 100 + at,
    timestamp: start + Math.round((at * 745) / 499),
    value: `v${at}`
  }))
  return wholeSlice(blockOf(records, { topic: 'Topic', partition: 0 }))
}

/** The event as the function would have got it, made the plain way. */
function plainEvent(slice: Slice): object {
  const { block } = slice
  const records = Array.from({ length: block.count }, (_, at) => ({
    topic: block.topic,
    partition: block.partition,
    offset: 100 + at,
    timestamp: block.timestamps[at],
    timestampType: 'CREATE_TIME',
    value: Buffer.from(`v${at}`).toString('base64'),
    headers: []
  }))
  return {
    eventSource: 'aws:kafka',
    eventSourceArn: arn,
    bootstrapServers: msk.bootstrapServers,
    records: { 'Topic-0': records }
  }
}

describe('reference 8.2: SQS and SNS', () => {
  for (const kind of ['sqs', 'sns'] as const) {
    test(`${kind}: AWS's document of a batch, strings and numbers as shown`, () => {
      const slice = sampleBatch()
      assert.deepEqual(documents(kind, aFailure([slice])), [
        {
          requestContext: { requestId, functionArn, condition: 'RetryAttemptsExhausted', approximateInvokeCount: 1 },
          responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
          version: '1.0',
          timestamp: '2019-11-14T00:38:06.021Z',
          KafkaBatchInfo: {
            batchSize: 500,
            eventSourceArn: arn,
            bootstrapServers: 'b-1.demo:9092,b-2.demo:9092',
            payloadSize: JSON.stringify(plainEvent(slice)).length,
            recordsInfo: {
              'Topic-0': {
                firstRecordOffset: '100',
                lastRecordOffset: '599',
                firstRecordTimestamp: '2019-11-14T00:38:04.835Z',
                lastRecordTimestamp: '2019-11-14T00:38:05.580Z'
              }
            }
          }
        }
      ])
    })
  }

  test('a cluster that is not MSK has no eventSourceArn', () => {
    const [document] = documents('sqs', aFailure([wholeSlice(plainBlock(0, 1))], { source: selfManaged }))
    assert.equal('eventSourceArn' in document!.KafkaBatchInfo, false)
  })

  test('each partition has its own entry, whose slices may interleave', () => {
    const lane = (offsets: number[]) =>
      wholeSlice(
        blockOf(
          offsets.map(offset => ({ offset, timestamp: offset })),
          { partition: 3 }
        )
      )
    const other = wholeSlice(plainBlock(7, 2, { partition: 4 }))
    const [document] = documents('sqs', aFailure([lane([5, 9]), other, lane([2, 4]), lane([6])]))
    assert.equal(document!.KafkaBatchInfo.batchSize, 7)
    assert.deepEqual(Object.keys(document!.KafkaBatchInfo.recordsInfo), ['orders-3', 'orders-4'])
    assert.deepEqual(document!.KafkaBatchInfo.recordsInfo['orders-3'], {
      firstRecordOffset: '2',
      lastRecordOffset: '9',
      firstRecordTimestamp: '1970-01-01T00:00:00.002Z',
      lastRecordTimestamp: '1970-01-01T00:00:00.009Z'
    })
  })

  test('times that no date has, which producers may write, are shown as the nearest', () => {
    const block = blockOf([
      { offset: 0, timestamp: -1 },
      { offset: 1, timestamp: 9e18 }
    ])
    const [document] = documents('sqs', aFailure([wholeSlice(block)]))
    const { firstRecordTimestamp, lastRecordTimestamp } = document!.KafkaBatchInfo.recordsInfo['orders-0']!
    assert.deepEqual(
      [firstRecordTimestamp, lastRecordTimestamp],
      ['1969-12-31T23:59:59.999Z', '+275760-09-13T00:00:00.000Z']
    )
  })

  test('offsets of 64 bits are decimal strings (15 row 43)', () => {
    const [document] = documents('sqs', aFailure([wholeSlice(plainBlock(9_007_199_254_740_000, 2))]))
    assert.equal(document!.KafkaBatchInfo.recordsInfo['orders-0']!['lastRecordOffset'], '9007199254740001')
  })

  for (const [kind, maxBytes] of [
    ['sns', 262_144],
    ['sqs', 1_048_576]
  ] as const) {
    test(`${kind}: partitions past the limit of ${maxBytes} bytes make several documents, none larger, none lost`, () => {
      const topic = 't'.repeat(249)
      const slices = Array.from({ length: 3_000 }, (_, partition) => wholeSlice(plainBlock(5, 2, { topic, partition })))
      const messages = failureMessages(targets[kind], aFailure(slices))
      assert.ok(messages.length >= 2)
      assert.ok(messages.every(({ body }) => body.length <= maxBytes))
      const told = messages.map(({ body }) => (JSON.parse(body.toString()) as Document).KafkaBatchInfo)
      assert.deepEqual(
        told.flatMap(({ recordsInfo }) => Object.keys(recordsInfo)),
        slices.map(({ block }) => `${topic}-${block.partition}`)
      )
      for (const { batchSize, recordsInfo } of told) assert.equal(batchSize, Object.keys(recordsInfo).length * 2)
    })
  }
})

describe('reference 8.3: S3', () => {
  test('the document has the whole event as an escaped JSON string', () => {
    const slice = sampleBatch()
    const [{ payload, ...rest } = {} as Document] = documents('s3', aFailure([slice]))
    assert.deepEqual([rest], documents('sqs', aFailure([slice])))
    assert.equal(payload, JSON.stringify(plainEvent(slice)))
    assert.equal(rest.KafkaBatchInfo.payloadSize, Buffer.byteLength(payload))
  })

  test('the key names mapping, first partition, the time of the document and a UUID', () => {
    const slices = [3, 1].map(partition => wholeSlice(plainBlock(0, 1, { topic: 'a-b.c', partition })))
    const [message] = failureMessages(targets.s3, aFailure(slices))
    assert.equal(message!.objectKey, `aws/lambda/${mapping}/a-b.c-3/2019/11/14/2019-11-14T00.38.06-${uuid}`)
    assert.match(
      message!.objectKey,
      /^aws\/lambda\/[0-9a-f-]{36}\/.+-\d+\/\d{4}\/\d\d\/\d\d\/[\d-]{10}T\d\d\.\d\d\.\d\d-[0-9a-f-]{36}$/
    )
  })

  test('header names that need escaping survive being a string in a string', () => {
    const headers = [['"\\\u0000é✂', 'x']] as const
    const [document] = documents('s3', aFailure([wholeSlice(blockOf([{ offset: 0, headers }]))]))
    const { records } = JSON.parse(document!.payload as string) as { records: Record<string, { headers: unknown }[]> }
    assert.deepEqual(records['orders-0']![0]!.headers, [{ '"\\\u0000é✂': [120] }])
  })

  test('a file gets the same document, on one line', () => {
    const failure = aFailure([sampleBatch()])
    const [line] = failureMessages(targets.file, failure)
    assert.deepEqual(line!.body, failureMessages(targets.s3, failure)[0]!.body)
    assert.equal(line!.body.includes(10), false)
  })
})

describe('reference 8.4: Kafka topic', () => {
  test('AWS’s document of a record', () => {
    const block = blockOf([{ offset: 100, timestamp: 1_749_116_692_330, key: 'test-key', value: 'test-value' }], {
      topic: 'my-topic'
    })
    const payload = {
      bootstrapServers: 'b-1.demo:9092,b-2.demo:9092',
      eventSource: 'aws:kafka',
      eventSourceArn: arn,
      records: {
        'my-topic-0': [
          {
            headers: [],
            key: 'dGVzdC1rZXk=',
            offset: 100,
            partition: 0,
            timestamp: 1_749_116_692_330,
            timestampType: 'CREATE_TIME',
            topic: 'my-topic',
            value: 'dGVzdC12YWx1ZQ=='
          }
        ]
      }
    }
    const failure = aFailure([wholeSlice(block)], { invokeCount: 3, nowMs: Date.parse('2019-11-14T18:16:05.568Z') })
    assert.deepEqual(documents('kafka', failure), [
      {
        requestContext: {
          requestId,
          functionArn: `${functionArn}:$LATEST`,
          condition: 'RetriesExhausted',
          approximateInvokeCount: 3
        },
        responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
        version: '1.0',
        timestamp: '2019-11-14T18:16:05.568Z',
        KafkaBatchInfo: {
          batchSize: 1,
          eventSourceArn: arn,
          bootstrapServers: 'b-1.demo:9092,b-2.demo:9092',
          payloadSize: JSON.stringify(payload).length,
          recordInfo: { offset: '100', timestamp: '2025-06-05T09:44:52.330Z' }
        },
        payload
      }
    ])
  })

  test('a message for each record, with the record’s own key', () => {
    const block = blockOf([
      { offset: 4, key: 'a' },
      { offset: 6, key: null },
      { offset: 9, key: '' },
      { offset: 10, key: Buffer.from([0, 255]) }
    ])
    const messages = failureMessages(targets.kafka, aFailure([{ block, from: 1, to: 4 }]))
    assert.deepEqual(
      messages.map(({ key }) => key),
      [null, Buffer.alloc(0), Buffer.from([0, 255])]
    )
    const told = messages.map(
      ({ body }) => (JSON.parse(body.toString()) as Document).KafkaBatchInfo.recordInfo?.['offset']
    )
    assert.deepEqual(told, ['6', '9', '10'])
  })

  test('keys outlive the block they come from', () => {
    const block = blockOf([{ offset: 0, key: 'abc' }])
    const [message] = failureMessages(targets.kafka, aFailure([wholeSlice(block)]))
    block.bytes.fill(0)
    assert.equal(message!.key?.toString(), 'abc')
  })

  test('a qualifier stays as it is', () => {
    const [document] = documents(
      'kafka',
      aFailure([wholeSlice(plainBlock(0, 1))], { functionArn: `${functionArn}:live` })
    )
    assert.equal(document!.requestContext['functionArn'], `${functionArn}:live`)
  })
})

describe('reference 8.5: conditions', () => {
  const name = (kind: DestinationTarget['kind'], condition: Failure['condition'], more: Partial<Failure> = {}) =>
    documents(kind, aFailure([wholeSlice(plainBlock(0, 1))], { condition, ...more }))[0]!

  for (const kind of kinds) {
    test(`${kind}: names of all conditions (15 row 19)`, () => {
      assert.deepEqual(
        (['retries', 'size', 'age', 'schema'] as const).map(
          condition => name(kind, condition).requestContext['condition']
        ),
        [
          kind === 'kafka' ? 'RetriesExhausted' : 'RetryAttemptsExhausted',
          'MaximumPayloadSizeExceeded',
          'RecordAgeExceeded',
          'SchemaValidationFailed'
        ]
      )
    })

    test(`${kind}: responseContext is an object, null, or missing (15 row 20)`, () => {
      assert.deepEqual(name(kind, 'retries').responseContext, {
        statusCode: 200,
        executedVersion: '$LATEST',
        functionError: 'Unhandled'
      })
      assert.equal(name(kind, 'size').responseContext, null)
      assert.equal(name(kind, 'schema').responseContext, null)
      assert.equal('responseContext' in name(kind, 'age'), false)
    })
  }

  test('used-up retries may have one name for all destinations', () => {
    const failure = aFailure([wholeSlice(plainBlock(0, 1))])
    const [message] = failureMessages(targets.kafka, failure, { exhaustedOnTopic: 'RetryAttemptsExhausted' })
    assert.match(message!.body.toString(), /"condition":"RetryAttemptsExhausted"/)
  })

  test('reported item failures have the member functionError with null', () => {
    const response = { statusCode: 200, executedVersion: '7', functionError: null }
    assert.deepEqual(name('sqs', 'retries', { response }).responseContext, response)
  })

  test('a function of which nobody answered has no response to tell', () => {
    assert.equal(name('sqs', 'retries', { response: undefined }).responseContext, null)
  })

  test('records given up before any call count as tried once, under an id of their own', () => {
    const { requestContext } = name('sqs', 'age', { requestId: undefined, invokeCount: 0 })
    assert.deepEqual([requestContext['requestId'], requestContext['approximateInvokeCount']], [uuid, 1])
  })

  test('a record larger than any event may be is told of whole', () => {
    const huge = wholeSlice(plainBlock(3, 1, { valueBytes: maxEventBytes }))
    for (const kind of kinds) {
      const [document, ...more] = documents(kind, aFailure([huge], { condition: 'size' }))
      assert.equal(more.length, 0)
      assert.ok(document!.KafkaBatchInfo.payloadSize > maxEventBytes * (4 / 3), kind)
    }
  })

  test('an encoder that would leave records out is refused', () => {
    const failure = aFailure([wholeSlice(plainBlock(0, 10))], { encoder: new EventEncoder(msk, 400) })
    assert.throws(() => failureMessages(targets.s3, failure), /took \d of 10 records/)
  })
})

test('every record of a failure appears in exactly one document', () => {
  const parts = fc.array(
    fc.record({
      partition: fc.integer({ min: 0, max: 5 }),
      count: fc.integer({ min: 1, max: 6 }),
      skip: fc.integer({ min: 0, max: 5 })
    }),
    { maxLength: 8 }
  )
  fc.assert(
    fc.property(parts, fc.boolean(), (parts, isMsk) => {
      const next = new Map<number, number>()
      const slices = parts.flatMap(({ partition, count, skip }) => {
        const first = next.get(partition) ?? 0
        next.set(partition, first + count)
        return skip >= count ? [] : [{ block: plainBlock(first, count, { partition }), from: skip, to: count }]
      })
      const given = slices.flatMap(({ block, from, to }) =>
        Array.from({ length: to - from }, (_, at) => `orders-${block.partition}@${block.offsets[from + at]}`)
      )
      const failure = aFailure(slices, { source: isMsk ? msk : selfManaged })
      for (const kind of ['s3', 'file', 'kafka'] as const) {
        const told = documents(kind, failure).flatMap(({ payload }) => {
          const event = (typeof payload === 'string' ? JSON.parse(payload) : payload) as Event
          return Object.entries(event.records).flatMap(([name, list]) => list.map(({ offset }) => `${name}@${offset}`))
        })
        assert.deepEqual(told.toSorted(), given.toSorted(), kind)
      }
      for (const kind of ['sqs', 'sns'] as const) {
        const told = documents(kind, failure)
        assert.equal(told.length, given.length === 0 ? 0 : 1)
        assert.equal(told[0]?.KafkaBatchInfo.batchSize ?? 0, given.length)
        const names = new Set(given.map(record => record.split('@')[0]!))
        assert.deepEqual(new Set(Object.keys(told[0]?.KafkaBatchInfo.recordsInfo ?? {})), names)
      }
    }),
    { numRuns: 100 }
  )
})
