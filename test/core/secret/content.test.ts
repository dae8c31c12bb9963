import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readClientCertificate, readLogin, readOidcClient, readServerRootCa } from '../../../src/core/secret/content.ts'

describe('reference 9.2 what secrets hold', () => {
  test('a login', () => {
    assert.deepEqual(readLogin('\uFEFF{"username":"u","password":"p","host":"h"}'), { username: 'u', password: 'p' })
  })

  test('a client certificate, with or without a password, or as a PEM file', () => {
    assert.deepEqual(readClientCertificate('{"certificate":"c","privateKey":"k"}'), {
      certificate: 'c',
      privateKey: 'k'
    })
    assert.equal(
      readClientCertificate('{"certificate":"c","privateKey":"k","privateKeyPassword":"p"}').privateKeyPassword,
      'p'
    )
    assert.equal(
      'privateKeyPassword' in readClientCertificate('{"certificate":"c","privateKey":"k","privateKeyPassword":""}'),
      false
    )
    const file = '\n-----BEGIN CERTIFICATE-----'
    assert.deepEqual(readClientCertificate(file), { certificate: file, privateKey: file })
  })

  test('an authority, as JSON or as a PEM file', () => {
    assert.equal(readServerRootCa('{"certificate":"c"}'), 'c')
    assert.equal(readServerRootCa('-----BEGIN CERTIFICATE-----'), '-----BEGIN CERTIFICATE-----')
  })

  test('a client of a token endpoint', () => {
    assert.deepEqual(readOidcClient('{"clientId":"i","clientSecret":"s"}'), { clientId: 'i', clientSecret: 's' })
  })
})

const readers = { readLogin, readOidcClient, readClientCertificate, readServerRootCa }
const wrong = ['CANARY', '', '"CANARY"', '[1,"CANARY"]', 'null', '{"CANARY', '{"x":"CANARY"}', '{"username":"CANARY"}']
for (const [name, read] of Object.entries(readers))
  test(`${name} says what is missing and nothing of what is there`, () => {
    for (const text of wrong)
      assert.throws(
        () => read(text),
        (error: Error) =>
          /JSON|has no text/.test(error.message) &&
          !/CANARY/.test(JSON.stringify([error.message, error.stack, error.cause]))
      )
  })

test('an empty member is named', () => {
  assert.throws(() => readLogin('{"username":"u","password":""}'), { message: 'its password is empty' })
  assert.throws(() => readLogin('{"username":1,"password":"p"}'), { message: 'it has no text username' })
})
