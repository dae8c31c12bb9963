import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { encodeProgress } from '../../../src/core/offsets/metadata.ts'
import type { Progress } from '../../../src/core/offsets/progress.ts'

const page = readFileSync('docs/reference/commit-metadata.md', 'utf8')
const decoder = /```python\n(.*?)```/s.exec(page)?.[1] ?? ''
const hasPython = spawnSync('python3', ['--version']).status === 0
const skip = hasPython || process.env['CI'] === 'true' ? false : 'no python3 here'

const range = (first: number, next: number): number[] =>
  Array.from({ length: next - first }, (_, index) => first + index)

test('the decoder on the page reads what is committed', { skip }, () => {
  const written: Progress[] = [
    { offset: 7, pieces: [{ first: 7, next: 20, failures: 300 }], done: [{ first: 9, next: 12 }], leaderEpoch: 300 },
    {
      offset: 2 ** 40,
      pieces: [
        {
          first: 2 ** 40,
          next: 2 ** 40 + 400,
          failures: 6,
          giveUp: {
            condition: 'retries',
            requestId: '316aa6d0-1111-4222-8333-444455556666',
            response: { executedVersion: '$LATEST', functionError: 'Unhandled' }
          }
        },
        { first: 2 ** 40 + 400, next: 2 ** 40 + 500, failures: 0 }
      ],
      done: Array.from({ length: 100 }, (_, index) => ({
        first: 2 ** 40 + 2 * index + 1,
        next: 2 ** 40 + 2 * index + 2
      }))
    }
  ]
  for (const progress of written) {
    const call = `${decoder}\nimport json, sys\nprint(json.dumps(decode(sys.argv[1], int(sys.argv[2]))))`
    const text = execFileSync('python3', ['-c', call, encodeProgress(progress), String(progress.offset)]).toString()
    assert.deepEqual(JSON.parse(text), {
      pieces: progress.pieces.map(({ giveUp, ...piece }) =>
        giveUp === undefined
          ? piece
          : { ...piece, givenUp: giveUp.condition, requestId: giveUp.requestId, ...giveUp.response }
      ),
      done: progress.done.flatMap(({ first, next }) => range(first, next)),
      leaderEpoch: progress.leaderEpoch ?? null
    })
  }
})
