import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { addressDigits, parseCidr } from '../../../src/core/filter/address.ts'
import { AddressIndex } from '../../../src/core/filter/address-index.ts'

const has = (index: AddressIndex, text: string): boolean =>
  index.passes(0, index.slotOf(Buffer.from(text), 0, Buffer.byteLength(text)))

describe('reference 4.3: cidr, over bytes', () => {
  test('finds the same addresses as the text does', () => {
    const group = fc.constantFrom('', '0', '1', 'ffff', 'FFFF', '00001', '10000', 'g', '255', '256', '01')
    const texts = fc.oneof(
      fc.array(group, { minLength: 2, maxLength: 9 }).map(groups => groups.join(':')),
      fc.array(group, { minLength: 2, maxLength: 5 }).map(groups => groups.join('.')),
      fc.array(fc.constantFrom('1', '0', '::', ':', 'a', '.', 'ffff'), { maxLength: 10 }).map(parts => parts.join('')),
      fc.ipV4(),
      fc.ipV6()
    )
    fc.assert(
      fc.property(texts, text => {
        const digits = addressDigits(text)
        const everywhere = [
          { low: '0'.repeat(8), high: 'f'.repeat(8) },
          { low: '0'.repeat(32), high: 'f'.repeat(32) }
        ]
        assert.equal(has(new AddressIndex([everywhere]), text), digits !== undefined)
        if (digits !== undefined) assert.ok(has(new AddressIndex([[{ low: digits, high: digits }]]), text))
      }),
      { numRuns: 5_000 }
    )
  })

  test('keeps to the borders of a range', () => {
    const set = new AddressIndex([
      [parseCidr('10.0.0.16/28'), parseCidr('2001:db8::/33')].filter(range => typeof range !== 'string')
    ])
    const inside = ['10.0.0.16', '10.0.0.31', '::ffff:a00:10', '2001:db8::', '2001:db8:7fff:ffff:ffff:ffff:ffff:ffff']
    const outside = ['10.0.0.15', '10.0.0.32', '2001:db8:8000::', '2001:db7::', '::10.0.0.16', '10.0.0.16 ']
    for (const text of inside) assert.ok(has(set, text), text)
    for (const text of outside) assert.ok(!has(set, text), text)
  })
})
