import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import type { Round } from '../../bench/report.ts'

const run = promisify(execFile)

test('the benchmark drains the topic by both ways and counts every record, whatever the time it takes', async () => {
  const args = '--broker embedded --workload 100B-1000 --records 12000 --rounds 1 --json'.split(' ')
  const { stdout } = await run(process.execPath, ['bench/line.ts', ...args], { timeout: 60_000 })
  const { results } = JSON.parse(stdout) as { results: { rounds: Round[] }[] }
  const [round] = results[0]!.rounds
  assert.deepEqual(
    [round!.millrace, round!.bare].map(({ records, faults }) => ({ records, faults })),
    Array.from({ length: 2 }, () => ({ records: 12_000, faults: [] }))
  )
})

test('a benchmark that does not exist is refused by name', async () => {
  await assert.rejects(run(process.execPath, ['bench/line.ts', '--workload', '2KB']), ({ code, stderr }) => {
    assert.equal(code, 1)
    assert.match(String(stderr), /--workload must be one of 100B-1000, .*, got 2KB/)
    return true
  })
})
