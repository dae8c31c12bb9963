import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readSaslExtensions } from '../../../src/core/source/sasl-extensions.ts'

describe('SASL extensions of KIP-342', () => {
  test('are pairs with a comma or a space between them, in their order', () => {
    const pairs = [
      ['logicalCluster', 'lkc-1'],
      ['identityPoolId', 'pool-2']
    ]
    assert.deepEqual(readSaslExtensions('logicalCluster=lkc-1,identityPoolId=pool-2'), pairs)
    assert.deepEqual(readSaslExtensions('logicalCluster=lkc-1 identityPoolId=pool-2'), pairs)
    assert.deepEqual(readSaslExtensions('a=b=c'), [['a', 'b=c']])
  })

  for (const [wrong, why] of [
    ['', 'nothing'],
    ['a', 'no value'],
    ['a=', 'an empty value'],
    ['=b', 'no name'],
    ['a1=b', 'a digit in the name'],
    ['logical-cluster=b', 'a dash in the name'],
    ['auth=b', 'the name of the token'],
    ['a=b,', 'a comma too many'],
    ['a=b, c=d', 'two separators'],
    ['a=b,a=c', 'a name twice'],
    ['a=b\u0001c=d', 'what separates pairs on the wire'],
    ['a=é', 'a letter that is not ASCII'],
    ['a=b\nc=d', 'a line break']
  ] as const)
    test(`refuses ${why}`, () => assert.equal(readSaslExtensions(wrong), undefined))

  test('whatever is taken cannot leave its place on the wire, and nothing of it is lost', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'Z', '1', '=', ',', ' ', 'auth', '\u0001', '\u007f', 'é', ';', '-'),
      maxLength: 12
    })
    fc.assert(
      fc.property(text, written => {
        const pairs = readSaslExtensions(written)
        if (pairs === undefined) return
        for (const [name, value] of pairs) {
          assert.match(name, /^[A-Za-z]+$/)
          assert.notEqual(name, 'auth')
          assert.match(value, /^[\x21-\x7e]+$/)
        }
        assert.equal(pairs.map(pair => pair.join('=')).join(' '), written.replaceAll(',', ' '))
      })
    )
  })
})
