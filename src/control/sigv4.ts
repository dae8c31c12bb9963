import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { decodeQuery } from './query.ts'

/** A request as it came over the wire, before anything was decoded. */
export interface RequestHead {
  readonly method: string
  /** Raw, with its percent escapes, without the query. */
  readonly path: string
  /** Raw, without the question mark; '' when there is none. */
  readonly query: string
  /** In order and with duplicates. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** What a request says about its own signature, checked for everything that needs no body. */
export interface SignedClaim {
  readonly accessKeyId: string
  /** Of temporary credentials; signed like the rest. */
  readonly sessionToken?: string
  /** True when the signature fits the request and this body. */
  fits(body: Uint8Array): boolean
}

const algorithm = 'AWS4-HMAC-SHA256'
const service = 'lambda'
/** How far the clocks of caller and server may differ, as at AWS (S3 alone allows 15). */
const skewMs = 5 * 60_000
const longestPresignedSeconds = 7 * 86_400

/**
 * Reads the signature of a request: the Authorization header, or the query of a presigned URL. `secretOf` gives a key's
 * secret. Any region is taken, the service must be `lambda`. The body's own hash is signed, never
 * what `x-amz-content-sha256` claims: payloads that are not signed, or signed in chunks, are refused, as AWS has them for
 * S3 alone. Throws the MILL_AUTH_… errors for what can be told without the body.
 */
export function readSignature(
  head: RequestHead,
  secretOf: (accessKeyId: string) => string | undefined,
  nowMs: number,
  keys: SigningKeys
): SignedClaim {
  const headers = gather(head.headers)
  const query = decodeQuery(head.query)
  const isPresigned = query.some(([name]) => name === 'X-Amz-Signature' || name === 'X-Amz-Algorithm')
  if (isPresigned && headers.has('authorization'))
    throw incomplete('A request is signed in its Authorization header or in its query, not in both.')
  if (!isPresigned && !headers.has('authorization')) throw new MillraceError('MILL_AUTH_MISSING')
  const signature = isPresigned ? fromQuery(query) : fromHeader(headers)
  const scope = readScope(signature)
  checkSigned(signature, headers)
  checkPayload(headers, query)
  const secret = secretOf(scope.accessKeyId)
  if (secret === undefined) throw new MillraceError('MILL_AUTH_UNKNOWN_KEY')
  checkTime(signature, scope, nowMs)
  const key = keys.of(secret, scope)
  return {
    accessKeyId: scope.accessKeyId,
    ...(signature.sessionToken === undefined ? {} : { sessionToken: signature.sessionToken }),
    fits: body => {
      const canonical = canonicalRequest(head, headers, query, signature, body)
      const toSign = [algorithm, signature.date, scope.text, sha256(canonical)].join('\n')
      return equal(hmac(key, toSign), signature.signature)
    }
  }
}

interface Signature {
  readonly credential: string
  readonly signedHeaders: readonly string[]
  /** Lower-case hex, as given. */
  readonly signature: string
  /** `20261121T115217Z`. */
  readonly date: string
  /** Presigned: how long after `date` it holds; absent for a signed header. */
  readonly expiresSeconds?: number
  readonly sessionToken?: string
}

interface Scope {
  readonly accessKeyId: string
  readonly day: string
  readonly region: string
  readonly text: string
}

function fromHeader(headers: ReadonlyMap<string, string>): Signature {
  const text = headers.get('authorization') ?? ''
  if (!text.startsWith(`${algorithm} `))
    throw incomplete(
      `Authorization header must begin with ${algorithm}: sign the request with AWS Signature Version 4.`
    )
  const parts = new Map<string, string>()
  for (const part of text.slice(algorithm.length + 1).split(',')) {
    const at = part.indexOf('=')
    const name = trimmed(part.slice(0, at))
    // Two headers of the name come as one; which of them counts must not be ours to guess.
    if (parts.has(name)) throw incomplete(`Authorization header has '${name}' twice.`)
    parts.set(name, trimmed(part.slice(at + 1)))
  }
  const wanted = (name: string): string => {
    const value = parts.get(name)
    if (value === undefined || value === '') throw incomplete(`Authorization header requires '${name}' parameter.`)
    return value
  }
  const credential = wanted('Credential')
  const signedHeaders = wanted('SignedHeaders').split(';')
  const sessionToken = headers.get('x-amz-security-token')
  return {
    credential,
    signedHeaders,
    signature: wanted('Signature'),
    date: headers.get('x-amz-date') ?? dateOf(headers, signedHeaders),
    ...(sessionToken === undefined ? {} : { sessionToken })
  }
}

/** For those that cannot set a header of AWS's own: the plain Date, which must be signed as well. */
function dateOf(headers: ReadonlyMap<string, string>, signedHeaders: readonly string[]): string {
  const date = headers.get('date')
  if (date === undefined)
    throw incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
  if (!signedHeaders.includes('date'))
    throw incomplete("'Date' must be a 'SignedHeader' in the AWS Authorization when there is no 'X-Amz-Date'.")
  if (/^\d{8}T\d{6}Z$/.test(date)) return date
  // The one form of RFC 9110 that is still written; Date.parse alone would take many more.
  const ms = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(date) ? Date.parse(date) : NaN
  if (Number.isNaN(ms)) throw incomplete(`Date must be written as in 'Sat, 21 Nov 2026 11:52:17 GMT', got ${date}.`)
  return basicTime(ms)
}

function fromQuery(query: readonly (readonly [string, string])[]): Signature {
  const wanted = (name: string): string => {
    const values = query.filter(([key]) => key === name).map(([, value]) => value)
    if (values.length !== 1 || values[0] === undefined || values[0] === '')
      throw incomplete(`AWS query-string parameters must include '${name}' once.`)
    return values[0]
  }
  if (wanted('X-Amz-Algorithm') !== algorithm) throw incomplete(`X-Amz-Algorithm must be ${algorithm}.`)
  const expiresSeconds = Number(wanted('X-Amz-Expires'))
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > longestPresignedSeconds)
    throw incomplete(`X-Amz-Expires must be 1 to ${longestPresignedSeconds} seconds.`)
  const sessionToken = query.find(([key]) => key === 'X-Amz-Security-Token')?.[1]
  return {
    ...(sessionToken === undefined ? {} : { sessionToken }),
    credential: wanted('X-Amz-Credential'),
    signedHeaders: wanted('X-Amz-SignedHeaders').split(';'),
    signature: wanted('X-Amz-Signature'),
    date: wanted('X-Amz-Date'),
    expiresSeconds
  }
}

function readScope({ credential, date }: Signature): Scope {
  const parts = credential.split('/')
  const [accessKeyId = '', day = '', region = '', name = '', end = ''] = parts
  if (parts.length !== 5 || accessKeyId === '' || region === '')
    throw incomplete(
      `Credential must be <access key>/<yyyymmdd>/<region>/${service}/aws4_request, got ${parts.length} parts.`
    )
  if (name !== service) throw mismatch(`Credential should be scoped to correct service: '${service}'.`)
  if (end !== 'aws4_request') throw mismatch("Credential should be scoped with a valid terminator: 'aws4_request'.")
  if (!date.startsWith(day)) throw mismatch('Date in Credential scope does not match YYYYMMDD from X-Amz-Date.')
  return { accessKeyId, day, region, text: parts.slice(1).join('/') }
}

/** Whoever changes on the way what we act on must break the signature: so host and every x-amz- header have to be in it. */
function checkSigned({ signedHeaders }: Signature, headers: ReadonlyMap<string, string>): void {
  if (!signedHeaders.includes('host'))
    throw incomplete("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
  for (const name of headers.keys())
    if (name.startsWith('x-amz-') && !signedHeaders.includes(name))
      throw incomplete(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`)
}

/** What claims not to have its payload signed, or to have it signed in pieces. */
function checkPayload(
  headers: ReadonlyMap<string, string>,
  query: readonly (readonly [name: string, value: string])[]
): void {
  const inQuery = query.find(([name]) => name === 'X-Amz-Content-Sha256')?.[1]
  for (const claimed of [headers.get('x-amz-content-sha256'), inQuery])
    if (claimed !== undefined && !/^[0-9a-f]{64}$/.test(claimed))
      throw new MillraceError('MILL_AUTH_PAYLOAD', [claimed])
  for (const name of ['trailer', 'x-amz-trailer'])
    if (headers.has(name)) throw new MillraceError('MILL_AUTH_PAYLOAD', [`the header ${name}`])
  if (headers.get('content-encoding')?.includes('aws-chunked') === true)
    throw new MillraceError('MILL_AUTH_PAYLOAD', ['the content encoding aws-chunked'])
}

function checkTime({ date, expiresSeconds }: Signature, { day }: Scope, nowMs: number): void {
  const at = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date)
  const [year, month, dayOfMonth, hour, minute, second] = at?.slice(1) ?? []
  const signedMs = Date.parse(`${year}-${month}-${dayOfMonth}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(signedMs) || day.length !== 8)
    throw incomplete(`Date must be in ISO-8601 'basic format' (20261121T115217Z), got ${date}.`)
  const untilMs = signedMs + (expiresSeconds === undefined ? skewMs : expiresSeconds * 1000)
  if (nowMs > untilMs)
    throw expired(
      `${date} is now earlier than ${basicTime(nowMs - (untilMs - signedMs))} (server time ${basicTime(nowMs)}).`
    )
  if (nowMs < signedMs - skewMs)
    throw mismatch(
      `Signature not yet current: ${date} is still later than ${basicTime(nowMs + skewMs)} (server time ${basicTime(nowMs)} + 5 min.)`
    )
}

const basicTime = (ms: number): string => new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, '')

function canonicalRequest(
  head: RequestHead,
  headers: ReadonlyMap<string, string>,
  query: readonly (readonly [string, string])[],
  signature: Signature,
  body: Uint8Array
): string {
  const { signedHeaders } = signature
  const lines = signedHeaders.map(name => `${name}:${headers.get(name) ?? ''}\n`)
  return [
    head.method,
    canonicalPath(head.path),
    canonicalQuery(signature, query),
    lines.join(''),
    signedHeaders.join(';'),
    sha256(body)
  ].join('\n')
}

/** As sent, empty and dot segments taken out, and escaped once more: the rule for every service but S3. */
function canonicalPath(path: string): string {
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(escape(segment))
  }
  const tail = segments.length > 0 && path.endsWith('/') ? '/' : ''
  return `/${segments.join('/')}${tail}`
}

function canonicalQuery({ expiresSeconds }: Signature, query: readonly (readonly [string, string])[]): string {
  return query
    .filter(([name]) => expiresSeconds === undefined || name !== 'X-Amz-Signature')
    .map(([name, value]) => [escape(name), escape(value)] as const)
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** RFC 3986: everything but the unreserved. */
const escape = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/** HTTP's white space only: to String.trim a no-break space is one too, and then two requests had one signature. */
const trimmed = (text: string): string => text.replaceAll(/^[ \t]+|[ \t]+$/g, '')

/** Names in lower case; values trimmed, runs of spaces as one, duplicates joined by a comma. */
function gather(headers: RequestHead['headers']): Map<string, string> {
  const gathered = new Map<string, string>()
  for (const [name, raw] of headers) {
    const key = name.toLowerCase()
    const value = trimmed(raw.replaceAll(/[ \t]+/g, ' '))
    const before = gathered.get(key)
    gathered.set(key, before === undefined ? value : `${before},${value}`)
  }
  return gathered
}

const mostKeys = 1_000

/** Keys of a day and region, which cost four hashes each: a client uses one all day. */
export class SigningKeys {
  readonly #keys = new Map<string, KeyObject>()

  of(secret: string, { day, region }: Scope): KeyObject {
    const name = `${day} ${region} ${secret}`
    const kept = this.#keys.get(name)
    if (kept !== undefined) return kept
    // From bytes, createHmac would make one of these for every request, at several times the cost of the signature.
    const key = createSecretKey(hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), service), 'aws4_request'))
    // Anybody may name regions without end.
    if (this.#keys.size >= mostKeys) this.#keys.clear()
    this.#keys.set(name, key)
    return key
  }
}

const sha256 = (data: string | Uint8Array): string => hash('sha256', data)
const hmac = (key: string | Buffer | KeyObject, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** In a time that does not tell how much of it was right. */
function equal(wanted: Buffer, givenHex: string): boolean {
  const wantedText = Buffer.from(wanted.toString('hex'))
  const given = Buffer.from(givenHex)
  return given.length === wantedText.length && timingSafeEqual(given, wantedText)
}

const incomplete = (message: string): MillraceError => new MillraceError('MILL_AUTH_INCOMPLETE', [message])
const expired = (message: string): MillraceError => new MillraceError('MILL_AUTH_EXPIRED', [message])
const mismatch = (message: string): MillraceError => new MillraceError('MILL_AUTH_SCOPE', [message])
