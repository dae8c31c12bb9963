import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto'
import type { AwsKeys } from '../../ports/cluster-security.ts'

/** What all requests of a signer have in common. */
export interface SignedRequest {
  readonly method: string
  /** As it is sent, escaped, without a slash at its end. */
  readonly path: string
  /** As it is sent, without the question mark; at most one parameter. */
  readonly query: string
  readonly region: string
  readonly service: string
  /** Lower-case names, `host` among them; nothing to trim in the values. All are signed. */
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Signs requests that differ only in body, time and credentials, with AWS Signature Version 4
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html). Written for the path that
 * every batch takes: whatever is the same from call to call is made once, so that a call costs the hash of its body, one
 * of its head, and one signature. The key is kept for its day and secret.
 */
export class RequestSigner {
  readonly #request: SignedRequest
  readonly #head: string
  #token: string | undefined
  #withToken: { readonly beforeDate: string; readonly afterDate: string; readonly names: string }
  #key: { readonly day: string; readonly secret: string; readonly object: KeyObject } | undefined
  #second: { readonly at: number; readonly text: string } | undefined

  constructor(request: SignedRequest) {
    this.#request = request
    this.#head = `${request.method}\n${canonicalPath(request.path)}\n${canonicalQuery(request.query)}\n`
    this.#withToken = this.#around(undefined)
  }

  /** The headers to add, names and values in turn: `x-amz-date`, `x-amz-security-token`, `authorization`. `nowMs`: epoch. */
  sign(body: Uint8Array, credentials: AwsKeys, nowMs: number): string[] {
    const { accessKeyId, secretAccessKey, sessionToken } = credentials
    if (sessionToken !== this.#token) {
      this.#token = sessionToken
      this.#withToken = this.#around(sessionToken)
    }
    const date = this.#dateOf(nowMs)
    const day = date.slice(0, 8)
    const { beforeDate, afterDate, names } = this.#withToken
    const scope = `${day}/${this.#request.region}/${this.#request.service}/aws4_request`
    const canonical = `${this.#head}${beforeDate}${date}${afterDate}${hash('sha256', body)}`
    const toSign = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash('sha256', canonical)}`
    const signature = createHmac('sha256', this.#keyOf(day, secretAccessKey)).update(toSign).digest('hex')
    const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
    const added = ['x-amz-date', date, 'authorization', authorization]
    if (sessionToken !== undefined) added.push('x-amz-security-token', sessionToken)
    return added
  }

  /** The canonical headers before and after the value of `x-amz-date`, and what follows them up to the body's hash. */
  #around(token: string | undefined): { beforeDate: string; afterDate: string; names: string } {
    const all = {
      ...this.#request.headers,
      'x-amz-date': '',
      ...(token === undefined ? {} : { 'x-amz-security-token': token })
    }
    const sorted = Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1))
    const at = sorted.findIndex(([name]) => name === 'x-amz-date')
    const names = sorted.map(([name]) => name).join(';')
    return {
      beforeDate: `${sorted.slice(0, at).map(lineOf).join('')}x-amz-date:`,
      afterDate: `\n${sorted
        .slice(at + 1)
        .map(lineOf)
        .join('')}\n${names}\n`,
      names
    }
  }

  /** `20261121T115217Z`; the same text for all calls of a second. */
  #dateOf(nowMs: number): string {
    const at = Math.floor(nowMs / 1_000)
    if (this.#second?.at !== at) {
      this.#second = { at, text: new Date(at * 1_000).toISOString().replaceAll(/[-:]|\.\d+/g, '') }
    }
    return this.#second.text
  }

  #keyOf(day: string, secret: string): KeyObject {
    if (this.#key?.day !== day || this.#key.secret !== secret) {
      const { region, service } = this.#request
      const bytes = [day, region, service, 'aws4_request'].reduce<Buffer>(
        (key, text) => createHmac('sha256', key).update(text).digest(),
        Buffer.from(`AWS4${secret}`)
      )
      // Made once: from bytes, createHmac makes one for every call, which costs six times the signature.
      this.#key = { day, secret, object: createSecretKey(bytes) }
    }
    return this.#key.object
  }
}

const lineOf = ([name, value]: [string, string]): string => `${name}:${value}\n`

/** Without empty and dot segments, every segment escaped once more: the rule for every service but S3. */
function canonicalPath(path: string): string {
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(escaped(segment))
  }
  return `/${segments.join('/')}`
}

/** A parameter without a value has an empty one. */
const canonicalQuery = (query: string): string => (query === '' || query.includes('=') ? query : `${query}=`)

/** RFC 3986: everything but the unreserved. */
export const escaped = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
