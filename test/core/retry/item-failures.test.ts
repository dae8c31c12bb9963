import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readItemFailures, type SentRecords } from '../../../src/core/retry/item-failures.ts'

/** orders-0: 100, 101, 105; my-topic-1-2: 7, 8. */
const sent: SentRecords = {
  count: 5,
  indexOf: (key, offset) =>
    ['orders-0/100', 'orders-0/101', 'orders-0/105', 'my-topic-1-2/7', 'my-topic-1-2/8'].indexOf(`${key}/${offset}`)
}
const read = (answer: string, indexes = true) => readItemFailures(Buffer.from(answer), sent, { indexes })
const items = (...identifiers: unknown[]) =>
  JSON.stringify({ batchItemFailures: identifiers.map(itemIdentifier => ({ itemIdentifier })), extra: 1 })

describe('answers that report nothing (reference 6.2)', () => {
  const answers = ['', 'null', '{}', '[]', '""', ' {}\n', '{"batchItemFailures":[]}', '{ "batchItemFailures" : null }']
  for (const answer of [...answers, '{"status":"done"}', `{"batchItemFailures":[],"note":"${'x'.repeat(100)}"}`])
    test(`${JSON.stringify(answer.slice(0, 40))} means success`, () => {
      assert.deepEqual(read(answer), { kind: 'none' })
    })
})

describe('answers that name what failed (reference 6.1, 6.2)', () => {
  test('by partition and offset, in the order of the payload, each once', () => {
    const answer = items(
      { partition: 'my-topic-1-2', offset: 7 },
      { partition: 'orders-0', offset: 101 },
      { partition: 'orders-0', offset: 101 }
    )
    assert.deepEqual(read(answer), { kind: 'some', failed: [1, 3] })
  })

  test('an offset may be text, as libraries write that keep 64 bits', () => {
    assert.deepEqual(read(items({ partition: 'orders-0', offset: '105' })), { kind: 'some', failed: [2] })
  })

  test('by position in the payload too, unless it is to be as strict as AWS', () => {
    assert.deepEqual(read(items(4, '0')), { kind: 'some', failed: [0, 4] })
    assert.equal(read(items(4, '0'), false).kind, 'invalid')
  })
})

describe('answers that do not say what failed: the whole batch has (reference 6.2)', () => {
  const answers: [string, string][] = [
    ['a partition that was not sent', items({ partition: 'orders-9', offset: 100 })],
    ['an offset that was not sent', items({ partition: 'orders-0', offset: 102 })],
    ['a position past the end', items(5)],
    ['no itemIdentifier', '{"batchItemFailures":[{"foo":1}]}'],
    ['null as the identifier', items(null)],
    ['an empty identifier', items('')],
    ['an identifier without a partition', items({ offset: 100 })],
    ['an identifier without an offset', items({ partition: 'orders-0' })],
    ['a text that is no position', items('orders-0:100')],
    ['one good item and one bad', items({ partition: 'orders-0', offset: 100 }, { partition: 'orders-0' })],
    ['not JSON', '{"batchItemFailures"'],
    ['a text', '"done"'],
    ['a number', '1'],
    ['true', 'true'],
    ['a list with something in it', '[1]'],
    ['a batchItemFailures that is no list', '{"batchItemFailures":{"itemIdentifier":1}}'],
    ['a null item', '{"batchItemFailures":[null]}']
  ]
  for (const [what, answer] of answers)
    test(what, () => {
      const failures = read(answer)
      assert.ok(failures.kind === 'invalid' && failures.reason !== '')
    })
})
