import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { EpochHistory } from '../../../src/adapters/kafka/epoch-history.ts'

suite('the epochs of what was read', () => {
  test('tell the epoch of the last record before an offset', () => {
    const epochs = new EpochHistory(10, 2)
    epochs.read(10, 2)
    epochs.read(15, 4)
    epochs.read(20, 4)
    assert.deepEqual(
      [9, 10, 15, 16, 30].map(offset => epochs.before(offset)),
      [-1, 2, 2, 4, 4]
    )
    assert.equal(epochs.last, 4)
  })

  test('tell where later epochs began, the committed one among them', () => {
    const epochs = new EpochHistory(10, 2)
    epochs.read(15, 4)
    assert.deepEqual(
      [1, 2, 3, 4].map(epoch => epochs.after(epoch)),
      [9, 15, 15, Infinity]
    )
  })

  test('say nothing where nobody said anything', () => {
    const epochs = new EpochHistory(10, -1)
    assert.deepEqual([epochs.last, epochs.before(50), epochs.after(0)], [-1, -1, Infinity])
    epochs.read(10, -1)
    assert.equal(epochs.last, -1)
  })

  test('of a log that was cut end where it does', () => {
    const epochs = new EpochHistory(0, -1)
    for (const [offset, epoch] of [
      [0, 1],
      [10, 2],
      [20, 3]
    ] as const)
      epochs.read(offset, epoch)
    epochs.cut(12, 2)
    assert.deepEqual([epochs.last, epochs.before(12), epochs.after(1)], [2, 2, 10])
    epochs.cut(5, 0)
    assert.deepEqual([epochs.last, epochs.before(5)], [0, 0])
    epochs.cut(90, -1)
    assert.equal(epochs.last, -1)
  })

  test('are not kept without end', () => {
    const epochs = new EpochHistory(0, -1)
    for (let epoch = 0; epoch < 1000; epoch++) epochs.read(epoch * 10, epoch)
    assert.equal(epochs.before(5), -1)
    assert.equal(epochs.before(9991), 999)
  })
})
