import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Producer } from '../../../src/adapters/kafka/producer.ts'
import { ProduceFailure } from '../../../src/adapters/kafka/produce-failure.ts'
import type { WrittenRecord } from '../../../src/app/records/record-line.ts'
import { RecordSender, type SentRecord } from '../../../src/app/records/record-sender.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const record = (value: string, topic = 'orders'): WrittenRecord => ({ topic, message: { value: Buffer.from(value) } })

async function* groups(...given: readonly (readonly WrittenRecord[])[]) {
  yield* given
}

function setup({ perSecond, fail }: { perSecond?: number; fail?: ProduceFailure } = {}) {
  const clock = new FakeClock()
  const calls: { atMs: number; topic: string; values: string[] }[] = []
  const told: SentRecord[] = []
  const stopping = new AbortController()
  const producer: Producer = {
    async send(topic, messages) {
      calls.push({ atMs: clock.monotonicMs(), topic, values: messages.map(({ value }) => String(value)) })
      if (fail !== undefined) throw fail
      return messages.map((_, offset) => ({ partition: 0, offset }))
    },
    close: async () => undefined
  }
  const sender = new RecordSender({
    producer,
    clock,
    signal: stopping.signal,
    onSent: records => told.push(...records),
    ...(perSecond === undefined ? {} : { perSecond })
  })
  return { clock, calls, told, sender, stop: () => stopping.abort('SIGINT') }
}

test('records go in their order, those of a topic together', async () => {
  const { sender, calls, told } = setup()
  await sender.send(({ topic = '' }) => topic, groups([record('1'), record('2'), record('3', 'other')], [record('4')]))
  assert.deepEqual(
    calls.map(({ topic, values }) => [topic, values.join()]),
    [
      ['orders', '1,2'],
      ['other', '3'],
      ['orders', '4']
    ]
  )
  assert.equal(sender.sent, 4)
  assert.deepEqual(
    told.map(({ topic }) => topic),
    ['orders', 'orders', 'other', 'orders']
  )
})

test('a rate spreads them over time', async () => {
  const { sender, calls, clock } = setup({ perSecond: 10 })
  const sending = sender.send(() => 'orders', groups([record('1'), record('2'), record('3')]))
  const atMs = clock.monotonicMs()
  for (let step = 0; step < 30; step++) await clock.advance(10)
  await sending
  const waits = calls.map(call => call.atMs - atMs)
  assert.ok(
    waits[0]! <= 10 && waits[1]! >= 100 && waits[1]! <= 120 && waits[2]! >= 200 && waits[2]! <= 220,
    waits.join()
  )
})

test('a stop ends a wait, and what was given to Kafka is waited for', async () => {
  const { sender, stop } = setup({ perSecond: 1 })
  const sending = sender.send(() => 'orders', groups([record('1'), record('2')]))
  await new Promise(resolve => {
    setImmediate(resolve)
  })
  stop()
  await sending
  assert.equal(sender.sent, 1)
})

test('what Kafka refuses is told with how many it has', async () => {
  const refused = setup({ fail: new ProduceFailure('too-large', 'it is too large') })
  await assert.rejects(
    refused.sender.send(() => 'orders', groups([record('1')])),
    {
      code: 'MILL_SEND_FAILED',
      message: 'Not everything was sent to topic orders (0 records were acknowledged): it is too large'
    }
  )
  const unknown = setup({ fail: new ProduceFailure('unknown-topic', 'there is no such topic') })
  await assert.rejects(
    unknown.sender.send(() => 'orders', groups([record('1')])),
    { code: 'MILL_TOPIC_UNKNOWN' }
  )
})
