import { SignatureV4 } from '@smithy/signature-v4'
import { createHash, createHmac } from 'node:crypto'
import { region, secretAccessKey as worldSecret } from './control-world.ts'

/** Node's hashes in the form the signer wants. */
export class Sha256 {
  readonly #hash
  constructor(secret?: string | Uint8Array | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret))
  }
  update(data: string | Uint8Array | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data))
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }
  reset(): void {
    throw new Error('not used')
  }
}

function bytesOf(data: string | Uint8Array | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data)
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

export interface SignedFetchOptions {
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Default `writer`. */
  readonly accessKeyId?: string
  /** Default that of the control world. */
  readonly secretAccessKey?: string
}

/** One request over raw HTTP, signed as AWS's SDK does; `path` may carry a query. */
export async function signedFetch(
  base: string,
  method: string,
  path: string,
  options: SignedFetchOptions = {}
): Promise<Response> {
  const url = new URL(base + path)
  const { body, accessKeyId = 'writer', secretAccessKey = worldSecret } = options
  const signer = new SignatureV4({
    service: 'lambda',
    region,
    sha256: Sha256,
    credentials: { accessKeyId, secretAccessKey }
  })
  const query: Record<string, string[]> = {}
  for (const [name, value] of url.searchParams) (query[name] ??= []).push(value)
  const signed = await signer.sign({
    method,
    protocol: url.protocol,
    hostname: url.hostname,
    port: Number(url.port),
    path: url.pathname,
    query,
    headers: { host: url.host, 'content-type': 'application/json', ...options.headers },
    ...(body === undefined ? {} : { body })
  })
  const { host: _host, ...headers } = signed.headers
  return fetch(url, { method, headers, ...(body === undefined ? {} : { body }) })
}
