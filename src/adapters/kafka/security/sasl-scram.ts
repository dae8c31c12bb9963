import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { Login } from '../../../ports/cluster-security.ts'
import { SaslRefusal } from './sasl-dialogue.ts'
import type { SaslDialogue } from './sasl-dialogue.ts'

const derive = promisify(pbkdf2)

/** RFC 7677 wants at least this many; who asks for less wants the password to be easy to guess. */
const leastIterations = 4096
/** A broker that asks for more wants our time: Kafka's own most is 16,384. */
const mostIterations = 1_000_000
/** No channel binding: Kafka offers none. Base64 of `n,,`, the header of the first message. */
const binding = 'biws'

export type ScramHash = 'sha256' | 'sha512'

/**
 * SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677): the password stays here, and the broker proves that it knows it too.
 * Name and password are hashed as they are: RFC 5802 would have them prepared (RFC 4013), but no Kafka broker does so when
 * it stores them, and then a password with a ligature or a no-break space would never match.
 * @param nonce Different each time.
 */
export async function* scram(hash: ScramHash, login: Login, nonce = randomBytes(18).toString('base64')): SaslDialogue {
  const name = login.username.replaceAll('=', '=3D').replaceAll(',', '=2C')
  const first = `n=${name},r=${nonce}`

  const challenge = (yield Buffer.from(`n,,${first}`)).toString()
  const { r: fullNonce, s: salt, i: rounds } = attributesOf(challenge)
  if (fullNonce === undefined || salt === undefined || rounds === undefined)
    throw new SaslRefusal(`the broker's SCRAM challenge is not one: it lacks ${missing(fullNonce, salt, rounds)}`)
  if (!fullNonce.startsWith(nonce) || fullNonce.length === nonce.length)
    throw new SaslRefusal("the broker's SCRAM challenge answers somebody else's first message")
  const iterations = Number(rounds)
  if (!Number.isInteger(iterations) || iterations < leastIterations || iterations > mostIterations)
    throw new SaslRefusal(
      `the broker asks for ${rounds} SCRAM iterations: ${leastIterations} to ${mostIterations} are accepted`
    )

  const size = hash === 'sha256' ? 32 : 64
  const salted = await derive(login.password, Buffer.from(salt, 'base64'), iterations, size, hash)
  const withoutProof = `c=${binding},r=${fullNonce}`
  const proofs = proofsOf(hash, salted, `${first},${challenge},${withoutProof}`)

  const last = (yield Buffer.from(`${withoutProof},p=${proofs.client.toString('base64')}`)).toString()
  const { v: verifier, e: refusal } = attributesOf(last)
  if (refusal !== undefined) throw new SaslRefusal(refusal)
  const shown = Buffer.from(verifier ?? '', 'base64')
  if (shown.length !== proofs.server.length || !timingSafeEqual(shown, proofs.server))
    throw new SaslRefusal('the broker does not prove that it knows the password: it may not be the one it should be')
}

/** RFC 5802 section 3: what each side shows the other of the salted password. */
function proofsOf(
  hash: ScramHash,
  salted: Buffer,
  signed: string
): { readonly client: Buffer; readonly server: Buffer } {
  const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest()
  const clientKey = hmac(salted, 'Client Key')
  const signature = hmac(createHash(hash).update(clientKey).digest(), signed)
  return {
    client: Buffer.from(clientKey.map((byte, at) => byte ^ signature[at]!)),
    server: hmac(hmac(salted, 'Server Key'), signed)
  }
}

/** `r=…,s=…,i=4096`; a value may hold equals signs. */
function attributesOf(message: string): Partial<Record<string, string>> {
  return Object.fromEntries(message.split(',').map(part => [part.slice(0, 1), part.slice(2)]))
}

function missing(nonce?: string, salt?: string, iterations?: string): string {
  const found = { nonce, salt, iterations }
  const names = Object.entries(found).flatMap(([name, value]) => (value === undefined ? [name] : []))
  return names.join(', ')
}
