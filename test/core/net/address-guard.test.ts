import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { AddressGuard, metadataRanges } from '../../../src/core/net/address-guard.ts'
import { AddressRefused, checkLiteralAddress, guardedLookup } from '../../../src/core/net/guarded-lookup.ts'
import type { Lookup } from '../../../src/core/net/guarded-lookup.ts'

suite('addresses that must not be reached', () => {
  test('metadata services are refused in every way of writing them', () => {
    const guard = new AddressGuard()
    for (const address of [
      '169.254.169.254',
      '169.254.0.1',
      '169.254.170.2',
      '::ffff:169.254.169.254',
      '::FFFF:A9FE:A9FE',
      '0:0:0:0:0:ffff:a9fe:a9fe',
      '64:ff9b::169.254.169.254',
      '64:ff9b::a9fe:a9fe',
      'fe80::1',
      'fe80::1%eth0',
      'febf:ffff::1',
      'fd00:ec2::254',
      '[fd00:0ec2:0:0::0254]'
    ])
      assert.ok(guard.refusal(address) !== undefined, address)
  })

  test('loopback, private and public addresses are not, nor is what is no address', () => {
    const guard = new AddressGuard(metadataRanges)
    for (const address of [
      '127.0.0.1',
      '::1',
      '10.0.0.1',
      '192.168.1.1',
      '169.253.255.255',
      '169.255.0.0',
      'fec0::1',
      'fd00:ec2::253',
      'fd00:ec2::255',
      '2001:db8::a9fe:a9fe',
      'broker.example.com',
      '169.254.169.254.example.com',
      '0251.0376.0251.0376',
      ''
    ])
      assert.equal(guard.refusal(address), undefined, address)
  })

  test('configured ranges are told as they were given', () => {
    const guard = new AddressGuard(['10.0.0.0/8', '192.0.2.7', '192.0.2.128/25', 'fd12::/16'])
    assert.equal(guard.refusal('10.255.1.2'), '10.0.0.0/8')
    assert.equal(guard.refusal('192.0.2.7'), '192.0.2.7')
    assert.equal(guard.refusal('192.0.2.8'), undefined)
    assert.equal(guard.refusal('192.0.2.129'), '192.0.2.128/25')
    assert.equal(guard.refusal('192.0.2.127'), undefined)
    assert.equal(guard.refusal('fd12:1::1'), 'fd12::/16')
    assert.equal(guard.refusal('fd13::1'), undefined)
    assert.equal(new AddressGuard(['0.0.0.0/0']).refusal('8.8.8.8'), '0.0.0.0/0')
    assert.equal(new AddressGuard(['0.0.0.0/0']).refusal('2001:db8::1'), undefined)
  })

  test('a range that cannot be read is named', () => {
    for (const range of ['10.0.0.0/33', '10.0.0/8', 'fe80::/129', 'nonsense', '10.0.0.0/', '', '1.2.3.4/-1', '::1::/8'])
      assert.throws(() => new AddressGuard([range]), {
        name: 'RangeError',
        message: new RegExp(`^"${range}" is no range`)
      })
  })

  test('an IPv4 range holds exactly the addresses that share its first bits', () => {
    const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
    const numberOf = (four: readonly number[]) => four.reduce((sum, byte) => sum * 256 + byte, 0)
    fc.assert(
      fc.property(address, address, fc.nat(32), (range, asked, bits) => {
        const size = 2 ** (32 - bits)
        const inside = Math.floor(numberOf(range) / size) === Math.floor(numberOf(asked) / size)
        const guard = new AddressGuard([`${range.join('.')}/${bits}`])
        assert.equal(guard.refusal(asked.join('.')) !== undefined, inside)
      })
    )
  })
})

suite('a guarded lookup', () => {
  const resolving = (...addresses: string[]): Lookup =>
    guardedLookup((_host, options, answer) => {
      if (options.all === true)
        answer(
          null,
          addresses.map(address => ({ address, family: 4 }))
        )
      else answer(null, addresses[0]!, 4)
    }, new AddressGuard())
  const ask = (lookup: Lookup, all: boolean) =>
    new Promise((resolve, reject) => {
      lookup('broker', { all }, (error, found) => (error === null ? resolve(found) : reject(error)))
    })

  test('refuses a name as soon as one of its addresses is refused', async () => {
    await assert.rejects(ask(resolving('10.0.0.1', '169.254.169.254'), true), {
      name: 'AddressRefused',
      message:
        'host broker is address 169.254.169.254, which must not be reached: it lies in the refused range 169.254.0.0/16'
    })
    await assert.rejects(ask(resolving('169.254.169.254'), false), AddressRefused)
  })

  test('lets others pass as they are, and tells a failure of the lookup', async () => {
    assert.deepEqual(await ask(resolving('10.0.0.1'), true), [{ address: '10.0.0.1', family: 4 }])
    assert.equal(await ask(resolving('10.0.0.1'), false), '10.0.0.1')
    const failing = guardedLookup((_host, _options, answer) => answer(new Error('ENOTFOUND'), []), new AddressGuard())
    await assert.rejects(ask(failing, true), /ENOTFOUND/)
  })

  test('a literal address is refused without a lookup', () => {
    assert.throws(() => checkLiteralAddress('[fe80::1]', new AddressGuard()), AddressRefused)
    checkLiteralAddress('127.0.0.1', new AddressGuard())
    checkLiteralAddress('broker.example.com', new AddressGuard())
  })
})
