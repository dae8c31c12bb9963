import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { readPrivateKey } from '../../../src/adapters/secrets/private-key.ts'
import { readPem } from '../../../src/core/secret/pem.ts'
import { TestCertificates } from '../../support/test-certificates.ts'

let made: TestCertificates
let plain: string
const legacy = '-provider legacy -provider default'

before(async () => {
  made = await TestCertificates.open()
  await made.openssl('genrsa -traditional -out key.pem 2048')
  plain = createPrivateKey(await made.read('key.pem')).export({ type: 'pkcs8', format: 'pem' }) as string
})
after(() => made[Symbol.asyncDispose]())

async function encrypted(command: string): Promise<string> {
  await made.openssl(`${command} -in key.pem -passout pass:sesam -out out.pem`)
  return made.read('out.pem')
}

function read(pem: string, password: string | undefined, refusePbes2 = false): string {
  const [block] = readPem(pem)
  assert.ok(block)
  return readPrivateKey(block, password, { refusePbes2 }).export({ type: 'pkcs8', format: 'pem' }) as string
}

const readable: [name: string, command: string][] = [
  ['PBES1, SHA-1 and triple DES', 'pkcs8 -topk8 -v1 PBE-SHA1-3DES'],
  ['PBES1, SHA-1 and triple DES with two keys', 'pkcs8 -topk8 -v1 PBE-SHA1-2DES'],
  ['PBES1, MD5 and DES', `pkcs8 -topk8 -v1 PBE-MD5-DES ${legacy}`],
  ['PBES1, SHA-1 and DES', `pkcs8 -topk8 -v1 PBE-SHA1-DES ${legacy}`],
  ['PBES2, AES', 'pkcs8 -topk8 -v2 aes-256-cbc'],
  ['PBES2, triple DES', 'pkcs8 -topk8 -v2 des3'],
  ['PKCS#1, AES', 'rsa -aes256 -traditional'],
  ['PKCS#1, triple DES', 'rsa -des3 -traditional'],
  ['PKCS#1, DES', `rsa -des -traditional ${legacy}`]
]

describe('reference 9.2 private keys', () => {
  for (const [name, command] of readable)
    test(`${name}: read with the password, and a wrong or missing one is named`, async () => {
      const pem = await encrypted(command)
      assert.equal(read(pem, 'sesam'), plain)
      assert.equal(read(pem.replaceAll('\n', ' '), 'sesam'), plain)
      assert.throws(() => read(pem, 'CANARY'), {
        message: 'the private key cannot be decrypted: privateKeyPassword is wrong'
      })
      assert.throws(() => read(pem, undefined), {
        message: 'the private key is encrypted, and there is no privateKeyPassword'
      })
    })

  for (const algorithm of ['PBE-SHA1-RC2-40', 'PBE-SHA1-RC2-128', 'PBE-MD5-RC2-64', 'PBE-SHA1-RC4-128'])
    test(`PBES1, ${algorithm}: refused with what would do`, async () => {
      const pem = await encrypted(`pkcs8 -topk8 -v1 ${algorithm} ${legacy}`)
      assert.throws(
        () => read(pem, 'sesam'),
        /is encrypted by pbeWith\w+RC[24].*, which is not supported: encrypt it anew/
      )
    })

  test('plain PKCS#1 and PKCS#8', async () => {
    assert.equal(read(await made.read('key.pem'), undefined), plain)
    assert.equal(read(plain, 'not needed'), plain)
  })

  test('strictness refuses PBES2 and nothing else', async () => {
    const pbes2 = await encrypted('pkcs8 -topk8 -v2 aes-256-cbc')
    assert.throws(() => read(pbes2, 'sesam', true), /encrypted by PBES2, which AWS does not take/)
    assert.equal(read(await encrypted('pkcs8 -topk8 -v1 PBE-SHA1-3DES'), 'sesam', true), plain)
  })

  test('what is no key is said so, however it is broken', async () => {
    const pem = await encrypted(`pkcs8 -topk8 -v1 PBE-MD5-DES ${legacy}`)
    const bytes = Buffer.from(readPem(pem)[0]?.base64 ?? '', 'base64')
    for (let at = 0; at < 60; at++) {
      const broken = Buffer.from(bytes)
      broken[at] = (broken[at] ?? 0) ^ 0x5a
      const block = { label: 'ENCRYPTED PRIVATE KEY', base64: broken.toString('base64') }
      assert.throws(() => readPrivateKey(block, 'sesam', { refusePbes2: false }), { name: 'SecretFault' }, `byte ${at}`)
    }
    assert.throws(() => read(plain.replaceAll(/[a-y]/g, 'z'), undefined), { message: /cannot be read: PKCS#8/ })
  })
})
