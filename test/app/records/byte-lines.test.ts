import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { byteLines } from '../../../src/app/records/byte-lines.ts'

async function linesOf(chunks: readonly Buffer[]): Promise<string[]> {
  async function* source() {
    yield* chunks
  }
  const groups = await Array.fromAsync(byteLines(source()))
  return groups.flat().map(({ number, bytes }) => `${number} ${bytes.toString('latin1')}`)
}

test('lines are the same however the bytes arrive', async () => {
  const cuts = fc.array(fc.nat({ max: 30 }), { maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('a', '\n', '\u2028', 'é'), { maxLength: 20 }),
      cuts,
      async (letters, cuts) => {
        const bytes = Buffer.from(letters.join(''))
        const ends = [...new Set(cuts.map(cut => Math.min(cut, bytes.length)))].toSorted((a, b) => a - b)
        const chunks = [0, ...ends].map((from, at) => bytes.subarray(from, ends[at] ?? bytes.length))
        const written = bytes.toString('latin1').split('\n')
        if (written.at(-1) === '') written.pop()
        assert.deepEqual(
          await linesOf(chunks),
          written.map((line, at) => `${at + 1} ${line}`)
        )
      }
    )
  )
})

test('a carriage return before a line feed belongs to the end of the line', async () => {
  assert.deepEqual(await linesOf([Buffer.from('a\r'), Buffer.from('\nb\n\n')]), ['1 a', '2 b', '3 '])
})
