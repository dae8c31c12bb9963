import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SendAccount } from '../../../src/app/records/send-account.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { RecordingIo } from '../../support/recording-io.ts'

function setup({ output = 'text', total, columns }: { output?: 'text' | 'json'; total?: number; columns?: number }) {
  const clock = new FakeClock()
  const io = new RecordingIo(columns === undefined ? {} : { columns })
  const account = new SendAccount({ topic: 'orders', output, total, io, clock })
  const add = (...offsets: number[]) =>
    account.add(offsets.map(offset => ({ topic: 'orders', partition: offset % 2, offset })))
  return { account, add, io, clock }
}

test('few records are named with their places, many with their partitions', () => {
  const few = setup({})
  few.add(0, 1)
  few.account.close(true)
  assert.equal(few.io.out, '2 records sent to orders (0@0, 1@1)\n')
  const many = setup({})
  many.add(1, 2, 3, 4)
  many.add(5, 6)
  many.account.close(true)
  assert.equal(many.io.out, '6 records sent to orders (partitions 0, 1)\n')
})

test('as JSON each record is a line, and there is no count', () => {
  const { add, account, io } = setup({ output: 'json' })
  add(7)
  account.close(true)
  assert.equal(io.out, '{"topic":"orders","partition":1,"offset":7}\n')
})

test('long work shows a bar on a terminal, which is gone at the end; elsewhere there is none', async () => {
  const { add, account, io, clock } = setup({ total: 4, columns: 100 })
  add(0)
  assert.equal(io.err, '')
  await clock.advance(1_000)
  add(1)
  assert.equal(io.err, `\r\u001B[K${'█'.repeat(15)}${'░'.repeat(15)} 2 of 4 records, 2/s`)
  account.close(true)
  assert.ok(io.err.endsWith('\r\u001B[K'))
  const pipe = setup({ total: 4 })
  await pipe.clock.advance(1_000)
  pipe.add(0)
  assert.equal(pipe.io.err, '')
})

test('where nothing was sent because something failed, no count pretends otherwise', () => {
  const { account, io } = setup({})
  account.close(false)
  assert.equal(io.out, '')
})
