import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readPem, writePem } from '../../../src/core/secret/pem.ts'

const base64 = Buffer.from('a certificate of more than one line, or else there would be no line to break').toString(
  'base64'
)
const block = { label: 'CERTIFICATE', base64 }
const pem = writePem(block)

describe('reference 9.2 PEM as people keep it', () => {
  const forms: [name: string, text: string][] = [
    ['as it should be', pem],
    ['in one line with spaces', pem.replaceAll('\n', ' ')],
    ['in one line without any', pem.replaceAll('\n', '')],
    ['with \\n written out', pem.replaceAll('\n', '\\n')],
    ['with \\\\n, escaped twice', pem.replaceAll('\n', '\\\\n')],
    ['with \\r\\n written out', pem.replaceAll('\n', '\\r\\n')],
    ['with CRLF', pem.replaceAll('\n', '\r\n')],
    ['with notes around it', `Bag Attributes\n  name: x\n${pem}# end\n`],
    ['indented', pem.replaceAll(/^/gm, '   ')]
  ]
  for (const [name, text] of forms) test(name, () => assert.deepEqual(readPem(text), [block]))

  test('a chain keeps its order', () => {
    const other = { label: 'CERTIFICATE', base64: 'AAAA' }
    assert.deepEqual(readPem((writePem(other) + pem + writePem(other)).replaceAll('\n', ' ')), [other, block, other])
  })

  test('the headers of an encrypted PKCS#1 key are kept, also in one line', () => {
    const key = { label: 'RSA PRIVATE KEY', base64, encryption: { cipher: 'AES-256-CBC', ivHex: '0AF1' } }
    assert.deepEqual(readPem(writePem(key)), [key])
    assert.deepEqual(readPem(writePem(key).replaceAll('\n', ' ')), [key])
  })
})

test('what cannot be read is named without any of it', () => {
  assert.throws(() => readPem('CANARY'), { message: 'there is no PEM block (-----BEGIN …)' })
  assert.throws(() => readPem(pem.slice(0, 60)), { message: 'a PEM block has no end' })
  assert.throws(() => readPem(pem.replace(base64.slice(0, 8), 'CANARY!!')), {
    message: 'the block CERTIFICATE is not base64'
  })
  assert.throws(() => readPem(pem.replace(base64.slice(0, 3), '')), { message: 'the block CERTIFICATE is not base64' })
})

test('what is written is read again as it was', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), bytes => {
      const one = { label: 'PRIVATE KEY', base64: Buffer.from(bytes).toString('base64') }
      assert.deepEqual(readPem(writePem(one)), [one])
      assert.deepEqual(readPem(writePem(one).replaceAll('\n', '\\n')), [one])
    })
  )
})
