import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeProgress, encodeProgress, maxMetadataBytes, varintBytes } from '../../../src/core/offsets/metadata.ts'
import type { GiveUp, OffsetRange, Piece, Progress } from '../../../src/core/offsets/progress.ts'

const giveUp: fc.Arbitrary<GiveUp> = fc
  .record({
    condition: fc.constantFrom('retries', 'size', 'age'),
    requestId: fc.uuid(),
    response: fc.option(
      fc.record({
        executedVersion: fc.constantFrom('$LATEST', '7', 'live'),
        functionError: fc.constantFrom(null, 'Unhandled', 'Handled')
      }),
      { nil: undefined }
    )
  })
  .map(({ response, ...rest }) => ({
    ...rest,
    ...(response === undefined ? {} : { response: { ...response } })
  }))

const progress: fc.Arbitrary<Progress> = fc
  .record({
    offset: fc.oneof(fc.nat(1_000), fc.integer({ min: 2 ** 40, max: 2 ** 50 })),
    pieces: fc.array(
      fc.record({
        gap: fc.nat(300),
        length: fc.integer({ min: 1, max: 400 }),
        failures: fc.nat(10_001),
        giveUp: fc.option(giveUp, { nil: undefined })
      }),
      { minLength: 1, maxLength: 6 }
    ),
    done: fc.array(fc.record({ gap: fc.integer({ min: 1, max: 40 }), length: fc.integer({ min: 1, max: 40 }) }), {
      maxLength: 60
    }),
    leaderEpoch: fc.option(fc.nat(2 ** 31 - 1), { nil: undefined })
  })
  .map(({ offset, pieces, done, leaderEpoch }) => {
    let at = offset
    const placed: Piece[] = pieces.map(({ gap, length, failures, giveUp }) => {
      const first = at + gap
      at = first + length
      return { first, next: at, failures, ...(giveUp === undefined ? {} : { giveUp }) }
    })
    const ranges: OffsetRange[] = []
    let from = offset
    for (const { gap, length } of done) {
      const range = { first: from + gap, next: from + gap + length }
      if (range.next > at) break
      ranges.push(range)
      from = range.next
    }
    return { offset, pieces: placed, done: ranges, ...(leaderEpoch === undefined ? {} : { leaderEpoch }) }
  })

test('what is written is read again', () => {
  fc.assert(
    fc.property(progress, progress => {
      assert.deepEqual(decodeProgress(encodeProgress(progress), progress.offset), progress)
    })
  )
})

test('nothing is written when the offset says all', () => {
  assert.equal(encodeProgress({ offset: 7, pieces: [], done: [] }), '')
})

test('what belongs to another offset is not taken: a tool has moved the group', () => {
  const written = encodeProgress({ offset: 7, pieces: [{ first: 7, next: 9, failures: 1 }], done: [] })
  assert.equal(decodeProgress(written, 8), undefined)
})

test('what others wrote, and what is damaged, is not taken and never raises', () => {
  for (const foreign of [
    null,
    undefined,
    '',
    'consumer-1',
    '{"millrace":1}',
    'millrace1:',
    'millrace1:!!',
    'millrace2:AAAA'
  ])
    assert.equal(decodeProgress(foreign, 0), undefined)
  fc.assert(
    fc.property(progress, fc.nat(), fc.nat(255), (progress, at, byte) => {
      const bytes = Buffer.from(encodeProgress(progress).slice('millrace1:'.length), 'base64url')
      bytes[at % bytes.length] = byte
      const read = decodeProgress(`millrace1:${bytes.toString('base64url')}`, progress.offset)
      for (const { first, next } of read?.pieces ?? []) assert.ok(first < next)
    })
  )
})

test('any pattern of ten thousand finished records in a row fits, with the pieces of a split batch', () => {
  const offset = 2 ** 45
  const done = Array.from({ length: 5_000 }, (_, index) => ({
    first: offset + 2 * index + 1,
    next: offset + 2 * index + 2
  }))
  const response = { executedVersion: '$LATEST', functionError: null }
  const pieces = Array.from({ length: 14 }, (_, index) => ({
    first: offset + index * 714,
    next: offset + index * 714 + 714,
    failures: 10_000,
    ...(index === 0
      ? { giveUp: { condition: 'retries' as const, requestId: '316aa6d0-1111-4222-8333-444455556666', response } }
      : {})
  }))
  const written = encodeProgress({ offset, pieces, done: done.filter(({ next }) => next <= offset + 14 * 714) })
  assert.ok(written.length < maxMetadataBytes, String(written.length))
})

test('a number takes as many bytes as it is said to', () => {
  for (const [value, bytes] of [
    [0, 1],
    [127, 1],
    [128, 2],
    [16_383, 2],
    [16_384, 3]
  ] as const)
    assert.equal(varintBytes(value), bytes)
})
