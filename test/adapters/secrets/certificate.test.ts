import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { readAuthorities, readCertificate } from '../../../src/adapters/secrets/certificate.ts'
import { TestCertificates } from '../../support/test-certificates.ts'

let made: TestCertificates
const pem: Record<string, string> = {}

before(async () => {
  made = await TestCertificates.open()
  await made.make('root')
  await made.make('middle', 'root')
  await made.make('client', 'middle')
  await made.make('other', 'middle')
  await made.make('expired', 'middle', '-days -1')
  for (const name of ['root', 'middle', 'client', 'other', 'expired']) {
    pem[name] = await made.read(`${name}.pem`)
    pem[`${name}.key`] = await made.read(`${name}.key`)
  }
})
after(() => made[Symbol.asyncDispose]())

const read = (names: string[], key = 'client.key', form = (text: string) => text) =>
  readCertificate(
    { certificate: form(names.map(name => pem[name]).join('')), privateKey: form(pem[key] ?? '') },
    { refusePbes2: false }
  )
const namesOf = (chain: string): string[] =>
  chain
    .split(/(?=-----BEGIN)/)
    .filter(text => text.trim() !== '')
    .map(text => new X509Certificate(text).subject)

describe('reference 9.2 certificates for mutual TLS', () => {
  test('the client comes first, then who signed it; the root stays at home', () => {
    for (const order of [
      ['client', 'middle', 'root'],
      ['root', 'middle', 'client'],
      ['middle', 'client']
    ])
      assert.deepEqual(namesOf(read(order).certificatePem), ['CN=client', 'CN=middle'])
    assert.deepEqual(namesOf(read(['client']).certificatePem), ['CN=client'])
  })

  test('in one line, with \\n or with CRLF', () => {
    for (const end of [' ', '\\n', '\r\n', ''])
      assert.deepEqual(
        namesOf(read(['client', 'middle'], 'client.key', text => text.replaceAll('\n', end)).certificatePem),
        ['CN=client', 'CN=middle']
      )
  })

  test('a key of another certificate is named', () => {
    assert.throws(() => read(['client', 'middle'], 'other.key'), {
      message: 'the private key does not fit the certificate'
    })
  })

  test('dates are checked at each use, those of the chain too', () => {
    const expired = read(['expired', 'middle'], 'expired.key')
    assert.throws(() => expired.checkDates(Date.now()), /the certificate CN=expired has expired on \d{4}-/)
    const good = read(['client', 'middle'])
    good.checkDates(Date.now())
    assert.throws(() => good.checkDates(Date.now() + 31 * 86_400_000), /CN=client has expired on/)
    assert.throws(() => good.checkDates(0), /CN=client is not valid before/)
  })

  test('what is missing or broken is named', () => {
    assert.throws(() => read(['client.key'], 'client.key'), { message: /certificate holds no certificate/ })
    assert.throws(() => read(['client'], 'client'), { message: /privateKey holds no private key/ })
    const broken = { certificate: (pem['client'] ?? '').replaceAll(/[a-y]/g, 'z'), privateKey: pem['client.key'] ?? '' }
    assert.throws(() => readCertificate(broken, { refusePbes2: false }), {
      message: 'certificate 1 of 1 cannot be read'
    })
  })

  test('authorities are all kept', () => {
    assert.deepEqual(namesOf(readAuthorities(`${pem['root']}${pem['middle']}`.replaceAll('\n', ' '))), [
      'CN=root',
      'CN=middle'
    ])
  })
})
