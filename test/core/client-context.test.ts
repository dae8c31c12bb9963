import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientContextJson, longestClientContext } from '../../src/core/client-context.ts'

const encoded = (context: unknown): string => Buffer.from(JSON.stringify(context)).toString('base64')

test('a client context is carried in ASCII and means the same', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { maxKeys: 4 }), context => {
      const header = encoded(context)
      fc.pre(header.length <= longestClientContext)
      const json = clientContextJson(header)
      assert.match(json ?? '', /^[\x20-\x7e]*$/)
      assert.deepEqual(JSON.parse(json ?? ''), JSON.parse(JSON.stringify(context)))
    })
  )
})

test('what is no object in base64, or too long, is none', () => {
  for (const header of [
    '',
    'e30',
    '{}',
    encoded([1]),
    encoded(null),
    'bm9uc2Vuc2U=',
    encoded({ a: 'x'.repeat(3_000) })
  ])
    assert.equal(clientContextJson(header), header === 'e30' ? '{}' : undefined)
})
