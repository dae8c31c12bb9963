import { createDecipheriv, createHash, createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { SecretFault } from '../../core/secret/fault.ts'
import { writePem } from '../../core/secret/pem.ts'
import type { PemBlock } from '../../core/secret/pem.ts'
import { readEncryptedKey } from './encrypted-key.ts'

export interface KeyRules {
  /** AWS takes no key that is encrypted by PBES2 (reference 9.2). */
  readonly refusePbes2: boolean
}

/** A private key in PKCS#8 or PKCS#1, plain or encrypted. Throws SecretFault saying what is wrong with it. */
export function readPrivateKey(block: PemBlock, password: string | undefined, rules: KeyRules): KeyObject {
  const isEncrypted = block.label === 'ENCRYPTED PRIVATE KEY' || block.encryption !== undefined
  if (!isEncrypted) return parsed(() => createPrivateKey(writePem(block)))
  if (password === undefined) throw fault('the private key is encrypted, and there is no privateKeyPassword')
  if (block.encryption?.cipher === 'DES-CBC') return readDesPkcs1(block, block.encryption.ivHex, password)
  if (block.encryption !== undefined)
    return decrypted(() => createPrivateKey({ key: writePem(block), passphrase: password }))
  const envelope = readEncryptedKey(Buffer.from(block.base64, 'base64'))
  switch (envelope.kind) {
    case 'pbes2':
      if (rules.refusePbes2)
        throw fault(
          'the private key is encrypted by PBES2, which AWS does not take: use PBES1 (openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES)'
        )
      return decrypted(() => createPrivateKey({ key: writePem(block), passphrase: password }))
    case 'pbes1-3des':
      return decrypted(() => createPrivateKey({ key: writePem(block), passphrase: password }))
    case 'pbes1-des': {
      const { hash, salt, iterations, data } = envelope
      return decrypted(() => pkcs8Of(desDecrypt(pbkdf1(hash, password, salt, iterations), data)))
    }
    case 'unsupported':
      throw fault(
        `the private key is encrypted by ${envelope.name}, which is not supported: encrypt it anew (openssl pkcs8 -topk8 -v2 aes-256-cbc, or -v1 PBE-SHA1-3DES as AWS wants it)`
      )
    default:
      throw new Error(`no reader for ${JSON.stringify(envelope satisfies never)}`)
  }
}

const pkcs8Of = (der: Buffer): KeyObject => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })

/** RFC 1421 with OpenSSL's way from password to key: MD5, once, salted with the initial vector. */
function readDesPkcs1(block: PemBlock, ivHex: string, password: string): KeyObject {
  const iv = Buffer.from(ivHex, 'hex')
  const key = createHash('md5').update(password, 'utf8').update(iv).digest().subarray(0, 8)
  return decrypted(() => {
    const der = desDecrypt({ key, iv }, Buffer.from(block.base64, 'base64'))
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs1' })
  })
}

interface DesKey {
  readonly key: Buffer
  readonly iv: Buffer
}

/** RFC 8018, 6.1: eight bytes of key, eight of initial vector. */
function pbkdf1(hash: 'md5' | 'sha1', password: string, salt: Buffer, iterations: number): DesKey {
  let derived = createHash(hash).update(password, 'utf8').update(salt).digest()
  for (let round = 1; round < iterations; round++) derived = createHash(hash).update(derived).digest()
  return { key: derived.subarray(0, 8), iv: derived.subarray(8, 16) }
}

/** OpenSSL 3 keeps single DES out of reach; triple DES with the same key three times is single DES. */
function desDecrypt({ key, iv }: DesKey, data: Buffer): Buffer {
  const decipher = createDecipheriv('des-ede3-cbc', Buffer.concat([key, key, key]), iv)
  return Buffer.concat([decipher.update(data), decipher.final()])
}

/** What fails here after the form was right has the wrong password: padding or key do not come out. */
function decrypted(read: () => KeyObject): KeyObject {
  try {
    return read()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_OSSL_EVP_UNSUPPORTED')
      throw fault('the private key is encrypted in a way that is not supported: encrypt it anew')
    throw fault('the private key cannot be decrypted: privateKeyPassword is wrong')
  }
}

function parsed(read: () => KeyObject): KeyObject {
  try {
    return read()
  } catch {
    throw fault('the private key cannot be read: PKCS#8 (BEGIN PRIVATE KEY) is wanted')
  }
}

const fault = (message: string): SecretFault => new SecretFault('certificate', message)
