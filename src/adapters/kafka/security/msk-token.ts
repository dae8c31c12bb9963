import { createHash, createHmac } from 'node:crypto'
import type { AwsKeys, BearerToken } from '../../../ports/cluster-security.ts'

/** The longest that MSK takes; it ends a session when its token expires. */
const expirySeconds = 900

/**
 * The token that MSK takes with OAUTHBEARER (reference 9.5): a request to connect, signed beforehand, as a URL in base64.
 * @param now Part of what is signed.
 */
export async function mskToken(region: string, keys: AwsKeys, now: Date, userAgent: string): Promise<BearerToken> {
  const host = `kafka.${region}.amazonaws.com`
  const { query } = await presignConnect(host, region, keys, now)
  // Named after signing: who asks is told, not proved.
  const url = `https://${host}/?${queryString({ ...query, 'User-Agent': userAgent })}`
  const signedAtMs = Math.floor(now.getTime() / 1000) * 1000
  return { value: Buffer.from(url).toString('base64url'), expiresAtMs: signedAtMs + expirySeconds * 1000 }
}

/** `kafka-cluster:Connect` at the host, signed by version 4 in its query. */
export async function presignConnect(
  host: string,
  region: string,
  keys: AwsKeys,
  now: Date
): Promise<{ readonly query: Readonly<Record<string, string>> }> {
  const { SignatureV4 } = await import('@smithy/signature-v4')
  const signer = new SignatureV4({
    service: 'kafka-cluster',
    region,
    credentials: keys,
    sha256: Sha256,
    applyChecksum: false
  })
  const request = {
    method: 'GET',
    protocol: 'https:',
    hostname: host,
    path: '/',
    headers: { host },
    query: { Action: 'kafka-cluster:Connect' }
  }
  const { query = {} } = await signer.presign(request, { expiresIn: expirySeconds, signingDate: now })
  return { query: query as Record<string, string> }
}

/** As AWS writes it: sorted, and everything escaped that is not unreserved. */
function queryString(query: Readonly<Record<string, string>>): string {
  return Object.keys(query)
    .sort()
    .map(name => `${escaped(name)}=${escaped(query[name]!)}`)
    .join('&')
}

const escaped = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, each => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)

type Bytes = string | ArrayBuffer | ArrayBufferView

/** Node's hash in the form that the signer wants. */
class Sha256 {
  readonly #hash

  constructor(secret?: Bytes) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret))
  }

  update(data: Bytes): void {
    this.#hash.update(bytesOf(data))
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }

  reset(): void {
    throw new Error('a hash is used once')
  }
}

function bytesOf(data: Bytes): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data)
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data)
}
