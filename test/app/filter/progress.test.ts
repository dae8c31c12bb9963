import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Progress } from '../../../src/app/filter/progress.ts'
import { RecordingIo } from '../../support/recording-io.ts'

function reading(columns: number | undefined, steps: readonly (readonly [atMs: number, done: number])[]): string {
  const io = new RecordingIo({ columns })
  let nowMs = 0
  {
    using progress = new Progress(io, 200, () => nowMs)
    for (const [atMs, done] of steps) {
      nowMs = atMs
      progress.at(done)
    }
  }
  assert.equal(io.out, '', 'stdout is for data')
  return io.err
}

test('a bar is drawn on a terminal once reading takes a while, at most ten times a second, and taken away at the end', () => {
  const drawn = reading(80, [
    [499, 10],
    [500, 100],
    [599, 110],
    [600, 300]
  ])
  const bar = (filled: number) => '█'.repeat(filled) + '░'.repeat(30 - filled)
  assert.equal(drawn, `\r${bar(15)} 100 of at most 200 records\r${bar(30)} 300 of at most 200 records\r\u001B[K`)
})

test('what is over soon draws nothing, nor does anything elsewhere than on a terminal', () => {
  assert.equal(reading(80, [[499, 10]]), '')
  assert.equal(reading(undefined, [[5_000, 10]]), '')
})
