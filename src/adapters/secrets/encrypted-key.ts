import { SecretFault } from '../../core/secret/fault.ts'

/** How an EncryptedPrivateKeyInfo (RFC 5958) is encrypted. */
export type EncryptedKey =
  | { readonly kind: 'pbes2' }
  | { readonly kind: 'pbes1-3des' }
  | {
      readonly kind: 'pbes1-des'
      readonly hash: 'md5' | 'sha1'
      readonly salt: Buffer
      readonly iterations: number
      readonly data: Buffer
    }
  | { readonly kind: 'unsupported'; readonly name: string }

/** By the bytes of their object identifiers: PKCS#5 is 1.2.840.113549.1.5, PKCS#12's are 1.2.840.113549.1.12.1. */
const algorithms: Readonly<Record<string, EncryptedKey['kind'] | 'md5' | 'sha1' | { readonly name: string }>> = {
  '2a864886f70d01050d': 'pbes2',
  '2a864886f70d010c0103': 'pbes1-3des',
  '2a864886f70d010c0104': 'pbes1-3des',
  '2a864886f70d010503': 'md5',
  '2a864886f70d01050a': 'sha1',
  '2a864886f70d010501': { name: 'pbeWithMD2AndDES-CBC' },
  '2a864886f70d010504': { name: 'pbeWithMD2AndRC2-CBC' },
  '2a864886f70d010506': { name: 'pbeWithMD5AndRC2-CBC' },
  '2a864886f70d01050b': { name: 'pbeWithSHA1AndRC2-CBC' },
  '2a864886f70d010c0101': { name: 'pbeWithSHA1And128BitRC4' },
  '2a864886f70d010c0102': { name: 'pbeWithSHA1And40BitRC4' },
  '2a864886f70d010c0105': { name: 'pbeWithSHA1And128BitRC2-CBC' },
  '2a864886f70d010c0106': { name: 'pbeWithSHA1And40BitRC2-CBC' }
}

/** A hostile count would keep a thread busy for minutes; real ones are thousands. */
const mostIterations = 1_000_000

/** Throws SecretFault when it is none. */
export function readEncryptedKey(der: Buffer): EncryptedKey {
  const info = new DerReader(der).enter(sequence)
  const algorithm = info.enter(sequence)
  const identifier = algorithm.read(objectIdentifier).toString('hex')
  const found = algorithms[identifier]
  if (found === undefined) return { kind: 'unsupported', name: `the algorithm with identifier ${identifier}` }
  if (typeof found === 'object') return { kind: 'unsupported', name: found.name }
  if (found === 'pbes2' || found === 'pbes1-3des') return { kind: found }
  if (found !== 'md5' && found !== 'sha1') throw malformed()
  const parameters = algorithm.enter(sequence)
  const salt = parameters.read(octetString)
  const iterations = Number(`0x${parameters.read(integer).toString('hex')}`)
  if (!(iterations >= 1 && iterations <= mostIterations)) throw malformed()
  return { kind: 'pbes1-des', hash: found, salt, iterations, data: info.read(octetString) }
}

const sequence = 0x30
const objectIdentifier = 0x06
const octetString = 0x04
const integer = 0x02

/** Walks the few fields above; a whole reader of DER is not needed for them. */
class DerReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  enter(tag: number): DerReader {
    return new DerReader(this.read(tag))
  }

  read(tag: number): Buffer {
    if (this.#byte() !== tag) throw malformed()
    const length = this.#length()
    const value = this.#bytes.subarray(this.#at, this.#at + length)
    if (value.length !== length) throw malformed()
    this.#at += length
    return value
  }

  #length(): number {
    const first = this.#byte()
    if (first < 0x80) return first
    let length = 0
    for (let left = first & 0x7f; left > 0; left--) length = length * 256 + this.#byte()
    return length
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw malformed()
    return byte
  }
}

const malformed = (): SecretFault => new SecretFault('certificate', 'the encrypted private key is not PKCS#8')
