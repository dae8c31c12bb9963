import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PartitionLog } from './partition-log.ts'
import { Transaction } from './transaction.ts'

function open() {
  const log = new PartitionLog(0)
  const append = (count: number, transaction?: Transaction) => {
    const first = log.records.length
    const ids = Array.from({ length: count }, (_, index) => first + index)
    log.append(
      ids,
      () => 1,
      () => 0,
      () => 0,
      transaction
    )
  }
  /** Ranges of what is read from `offset`, with how many records each has. */
  const read = (offset: number) =>
    log.read(offset, 10)!.map(({ first, next, records }) => `${first}-${next}: ${records.length}`)
  return { log, append, read }
}

describe('the model of a log, read as by who wants what is committed', () => {
  test('an open transaction hides what comes after its beginning, of others too', () => {
    const { log, append, read } = open()
    const [one, two] = [new Transaction(), new Transaction()]
    append(1)
    append(2, one)
    append(1, two)
    append(1, one)
    assert.deepEqual(read(0), ['0-1: 1'])
    log.close(one)
    assert.deepEqual(read(0), ['0-1: 1', '1-3: 2'], 'to the beginning of the other')
    log.close(two)
    assert.deepEqual(read(1), ['1-3: 2', '3-4: 1', '4-5: 1', '5-6: 0', '6-7: 0'])
    assert.equal(log.stable, log.end)
  })

  test('an aborted transaction has nothing to read, and nothing of it is waited for', () => {
    const { log, append, read } = open()
    const aborted = new Transaction()
    append(2, aborted)
    append(1)
    assert.equal(log.frontier, 0)
    aborted.isAborted = true
    log.close(aborted)
    assert.deepEqual(read(0), ['0-2: 0', '2-3: 1', '3-4: 0'])
    assert.equal(log.frontier, 2)
  })

  test('a marker that is cut off is written again, an open transaction that is cut off hides nothing', () => {
    const { log, append, read } = open()
    const [ended, open_] = [new Transaction(), new Transaction()]
    append(1, ended)
    log.close(ended)
    append(1, open_)
    log.truncate(0.3)
    assert.deepEqual(read(0), ['0-1: 1', '1-2: 0'])
    assert.equal(log.stable, log.end)
  })
})
