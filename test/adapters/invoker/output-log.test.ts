import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { logOutput, type OutputLimits } from '../../../src/adapters/invoker/output-log.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function setup(more: Partial<OutputLimits> = {}) {
  const limits = {
    maxLineBytes: 10,
    maxLinesPerSecond: 3,
    maxBytesPerSecond: 100,
    maxReadBytesPerSecond: 1_000,
    ...more
  }
  const stream = new PassThrough()
  const lines: string[] = []
  const dropped: number[] = []
  const clock = new FakeClock()
  const line = (text: string) => void lines.push(text)
  logOutput(stream, { line, dropped: bytes => void dropped.push(bytes) }, clock, limits)
  return {
    stream,
    lines,
    dropped,
    pass: (ms: number) => clock.advance(ms),
    write: (text: string) => void stream.emit('data', Buffer.from(text))
  }
}

test('lines are put together from what comes in pieces', () => {
  const { write, lines, stream } = setup()
  for (const piece of ['on', 'e\ntw', 'o\r\n', '\n', 'thr', 'ee']) write(piece)
  assert.deepEqual(lines, ['one', 'two'])
  stream.emit('close')
  assert.deepEqual(lines, ['one', 'two', 'three'])
})

test('a character that is cut between pieces stays whole', () => {
  const { stream, lines } = setup()
  const bytes = Buffer.from('é✂\n')
  for (const byte of bytes) stream.emit('data', Buffer.from([byte]))
  assert.deepEqual(lines, ['é✂'])
})

test('the rest of a long line is left out and told', async () => {
  const { write, lines, dropped, pass } = setup()
  write('0123456789abc\nnext\n')
  assert.deepEqual(lines, ['0123456789', 'next'])
  await pass(1_000)
  assert.deepEqual(dropped, [3])
})

test('more lines than allowed in a second are left out, the next second begins anew', async () => {
  const { write, lines, dropped, pass } = setup()
  write('1\n2\n3\n4\n5\n')
  write('6\n')
  assert.deepEqual(lines, ['1', '2', '3'])
  await pass(1_000)
  assert.deepEqual(dropped, [6])
  write('7\n')
  assert.deepEqual(lines, ['1', '2', '3', '7'])
})

test('a stream beyond all bounds is not read until the second is over', async () => {
  const { write, stream, pass } = setup()
  write('x'.repeat(1_001))
  assert.equal(stream.isPaused(), true)
  await pass(1_000)
  assert.equal(stream.isPaused(), false)
})
