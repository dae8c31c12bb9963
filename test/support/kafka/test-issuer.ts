import { generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface TokenWish {
  readonly subject?: string
  readonly audience?: string
  readonly issuer?: string
  /** Negative: it has expired. */
  readonly lifeMs?: number
  readonly algorithm?: keyof typeof algorithms
  /** Signed by somebody else under the name of our key. */
  readonly forged?: boolean
}

const algorithms = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
} as const
type Algorithm = keyof typeof algorithms

interface Keys {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const audience = 'kafka'
const issuer = 'https://issuer.test/'
const scopes = new Set(['kafka', 'orders:read'])

/** An OpenID issuer: signs tokens (JWT, RFC 7519), shows its keys (JWKS), and gives tokens to clients it knows (RFC 6749, 4.4). */
export class TestIssuer {
  /** The client that it knows. */
  client = { clientId: 'millrace', clientSecret: 'CANARY-client' }
  /** Of tokens that clients get. */
  lifeMs = 60_000
  /** Whom they are for. */
  subject = 'carol'
  algorithm: Algorithm = 'RS256'
  /** The token endpoint answers 503. */
  isDown = false
  /** Of its token endpoint. */
  asked = 0
  given = 0
  refused = 0
  static readonly expected = { audience, issuer } as const
  readonly #own = newKeys()
  readonly #stranger = newKeys()
  readonly #server = createServer((request, response) => void this.#answer(request, response))

  static async open(): Promise<TestIssuer> {
    const made = new TestIssuer()
    made.#server.listen(0, '127.0.0.1')
    await once(made.#server, 'listening')
    return made
  }

  get jwksUrl(): string {
    return `${this.#url}/jwks`
  }

  get tokenUrl(): string {
    return `${this.#url}/token`
  }

  token(wish: TokenWish = {}): string {
    const { algorithm = this.algorithm, lifeMs = this.lifeMs, forged = false } = wish
    const nowMs = Date.now()
    // Issued before it expired, whenever that was.
    const issuedMs = Math.min(nowMs, nowMs + lifeMs) - 1_000
    const head = { alg: algorithm, kid: algorithm, typ: 'JWT' }
    const claims = {
      sub: wish.subject ?? this.subject,
      aud: wish.audience ?? audience,
      iss: wish.issuer ?? issuer,
      scope: 'kafka',
      iat: seconds(issuedMs),
      exp: seconds(nowMs + lifeMs)
    }
    const signed = `${coded(head)}.${coded(claims)}`
    const { privateKey } = (forged ? this.#stranger : this.#own)[algorithm]
    const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    return `${signed}.${signature.toString('base64url')}`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  get #url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await text(request))
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (request.url === '/jwks') return answer(200, { keys: this.#keys() })
    this.asked++
    if (this.isDown) return answer(503, { error: 'temporarily_unavailable' })
    const { clientId, clientSecret } = this.client
    const known = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
    const isScopeKnown = (form.get('scope') ?? 'kafka').split(' ').every(scope => scopes.has(scope))
    if (request.headers.authorization !== known || !isScopeKnown) {
      this.refused++
      return isScopeKnown ? answer(401, { error: 'invalid_client' }) : answer(400, { error: 'invalid_scope' })
    }
    this.given++
    answer(200, { access_token: this.token(), token_type: 'Bearer', expires_in: this.lifeMs / 1000 })
  }

  #keys(): object[] {
    return names.map(alg => ({ ...this.#own[alg].publicKey.export({ format: 'jwk' }), kid: alg, alg, use: 'sig' }))
  }
}

const names = Object.keys(algorithms) as Algorithm[]

const newKeys = (): Readonly<Record<Algorithm, Keys>> => ({ RS256: algorithms.RS256(), ES256: algorithms.ES256() })

const coded = (json: object): string => Buffer.from(JSON.stringify(json)).toString('base64url')

const seconds = (epochMs: number): number => Math.floor(epochMs / 1000)
