import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SharedMemoryUse } from '../../../src/adapters/host/shared-memory-use.ts'

const kiB = 1024

test('a thread sees what all others hold, and not what it holds itself', () => {
  const cells = SharedMemoryUse.cells(3)
  const [first, second, third] = [0, 1, 2].map(thread => new SharedMemoryUse(cells, thread))
  first!.publish({ fetchedBytes: 10 * kiB, eventBytes: 20 * kiB, polls: 1, pollers: 1 })
  second!.publish({ fetchedBytes: 300 * kiB, eventBytes: 0, polls: 2, pollers: 2 })
  assert.deepEqual(third!.others(), { fetchedBytes: 310 * kiB, eventBytes: 20 * kiB, polls: 3, pollers: 3 })
  assert.deepEqual(first!.others(), { fetchedBytes: 300 * kiB, eventBytes: 0, polls: 2, pollers: 2 })
})

test('what a thread held that has died is free', () => {
  const cells = SharedMemoryUse.cells(2)
  new SharedMemoryUse(cells, 1).publish({ fetchedBytes: kiB, eventBytes: kiB, polls: 1, pollers: 1 })
  new SharedMemoryUse(cells, 1).clear()
  assert.deepEqual(new SharedMemoryUse(cells, 0).others(), { fetchedBytes: 0, eventBytes: 0, polls: 0, pollers: 0 })
})

test('a thread alone has no others', () => {
  assert.equal(new SharedMemoryUse(SharedMemoryUse.cells(1), 0).others(), undefined)
})
