import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { sigV4Authenticator } from '../../src/control/authenticator.ts'
import type { Principal } from '../../src/control/authenticator.ts'
import { decodeQuery } from '../../src/control/query.ts'
import type { RequestHead } from '../../src/control/sigv4.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { Sha256 } from './signed-fetch.ts'

const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const signedAt = Date.UTC(2026, 10, 21, 11, 52, 17)

interface Signed {
  readonly head: RequestHead
  readonly body: Buffer
}

interface Unsigned {
  readonly method?: string
  readonly path?: string
  readonly query?: Record<string, string | string[]>
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly service?: string
  readonly presignSeconds?: number
}

/** Signs as AWS's own SDK does. */
async function sign(request: Unsigned = {}): Promise<Signed> {
  const { method = 'POST', path = '/2015-03-31/event-source-mappings', query = {}, body = '{"BatchSize":5}' } = request
  const signer = new SignatureV4({
    service: request.service ?? 'lambda',
    region: 'eu-west-1',
    sha256: Sha256,
    credentials: { accessKeyId: 'AKID', secretAccessKey }
  })
  const given = {
    method,
    protocol: 'http:',
    hostname: '127.0.0.1',
    port: 4577,
    path,
    query,
    headers: { host: '127.0.0.1:4577', 'content-type': 'application/json', ...request.headers },
    body
  }
  const options = { signingDate: new Date(signedAt) }
  const signed =
    request.presignSeconds === undefined
      ? await signer.sign(given, options)
      : await signer.presign(given, { ...options, expiresIn: request.presignSeconds })
  const pairs = Object.entries(signed.query ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).map(one => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`)
  )
  return {
    head: { method, path, query: pairs.join('&'), headers: Object.entries(signed.headers) },
    body: Buffer.from(body)
  }
}

function authenticate({ head, body }: Signed, nowMs = signedAt): Principal {
  const credentials = [{ accessKeyId: 'AKID', secretAccessKey, access: 'read' }] as const
  return sigV4Authenticator(credentials, { now: () => nowMs })
    .begin(head)
    .prove(body)
}

const refusedWith =
  (code: string, text = '') =>
  (error: unknown) =>
    error instanceof MillraceError && error.code === code && error.message.includes(text)

const withHeader = (signed: Signed, name: string, value: string | undefined): Signed => ({
  ...signed,
  head: {
    ...signed.head,
    headers: [
      ...signed.head.headers.filter(([given]) => given !== name),
      ...(value === undefined ? [] : [[name, value] as const])
    ]
  }
})

const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter(text => text.isWellFormed())
const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9.-]{0,8}$/)

test('takes whatever the SDK signs: any path, query, header and body', async () => {
  const requests = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
    path: fc.array(word, { minLength: 1, maxLength: 4 }).map(
      parts =>
        `/${parts
          .filter(part => part !== '.' && part !== '..')
          .map(encodeURIComponent)
          .join('/')}`
    ),
    query: fc.dictionary(name, fc.oneof(fc.string(), fc.array(word, { minLength: 1, maxLength: 3 })), { maxKeys: 4 }),
    headers: fc.dictionary(
      name.map(text => `x-test-${text.toLowerCase()}`),
      fc.stringMatching(/^[ -~]{0,20}$/),
      {
        maxKeys: 3
      }
    ),
    body: fc.string()
  })
  await fc.assert(
    fc.asyncProperty(requests, async request => {
      const { accessKeyId, access } = authenticate(await sign(request))
      assert.deepEqual([accessKeyId, access], ['AKID', 'read'])
    }),
    { numRuns: 200 }
  )
})

test('refuses it after any one bit was changed', async () => {
  const signed = await sign({
    path: '/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000',
    query: { tagKeys: ['a b', 'c'], Marker: 'x' },
    headers: { 'x-amz-invocation-type': 'DryRun', 'x-amz-security-token': 'token' }
  })
  authenticate(signed)
  const flips = changes(signed)
  assert.ok(flips.length > 50)
  fc.assert(
    fc.property(fc.constantFrom(...flips), fc.nat(), fc.integer({ min: 0, max: 6 }), (change, at, bit) => {
      const changed = change.flip(at, bit)
      if (changed === undefined) return
      assert.throws(() => authenticate(changed), MillraceError, `${change.what} taken with bit ${bit} of ${at} flipped`)
    }),
    { numRuns: 3000 }
  )
})

interface Change {
  readonly what: string
  /** Undefined: the change has no meaning, so there is nothing to refuse. */
  flip(at: number, bit: number): Signed | undefined
}

/** Every part of a request whose bits count; weighted by length so that long parts are hit as often as they deserve. */
function changes(signed: Signed): Change[] {
  const { head, body } = signed
  const part = (what: string, text: string, put: (text: string) => Signed | undefined): Change[] =>
    Array.from({ length: Math.ceil(text.length / 8) }, () => ({
      what,
      flip: (at, bit) => put(flipBit(text, at, bit))
    }))
  return [
    ...part('method', head.method, method => ({ body, head: { ...head, method } })),
    ...part('path', head.path, path => ({ body, head: { ...head, path } })),
    ...part('query', head.query, query =>
      meaning(query) === meaning(head.query) ? undefined : { body, head: { ...head, query } }
    ),
    ...part('body', body.toString('latin1'), text => ({ head, body: Buffer.from(text, 'latin1') })),
    ...head.headers.flatMap(([header, value]) => part(header, value, text => withHeader(signed, header, text)))
  ]
}

const flipBit = (text: string, at: number, bit: number): string => {
  const index = at % text.length
  return text.slice(0, index) + String.fromCharCode(text.charCodeAt(index) ^ (1 << bit)) + text.slice(index + 1)
}

function meaning(query: string): string {
  try {
    return decodeQuery(query)
      .map(pair => JSON.stringify(pair))
      .toSorted()
      .join()
  } catch {
    return 'broken'
  }
}

test('takes a presigned URL until it expires', async () => {
  const signed = await sign({ method: 'GET', body: '', presignSeconds: 60 })
  assert.equal(authenticate(signed, signedAt + 60_000).accessKeyId, 'AKID')
  assert.throws(() => authenticate(signed, signedAt + 61_000), refusedWith('MILL_AUTH_EXPIRED'))
  const longer = { ...signed, head: { ...signed.head, query: signed.head.query.replace('Expires=60', 'Expires=600') } }
  assert.throws(() => authenticate(longer, signedAt + 61_000), refusedWith('MILL_AUTH_SIGNATURE'))
})

test('a clock may be off by 15 minutes either way and no more', async () => {
  const signed = await sign()
  authenticate(signed, signedAt + 900_000)
  authenticate(signed, signedAt - 900_000)
  assert.throws(
    () => authenticate(signed, signedAt + 901_000),
    refusedWith('MILL_AUTH_EXPIRED', 'Signature expired: 20261121T115217Z is now earlier than 20261121T115218Z')
  )
  assert.throws(() => authenticate(signed, signedAt - 901_000), refusedWith('MILL_AUTH_SCOPE', 'not yet current'))
})

test('says what is missing from a signature', async () => {
  const signed = await sign()
  const authorization = signed.head.headers.find(([header]) => header === 'authorization')?.[1] ?? ''
  const without = (text: string | undefined) => () => authenticate(withHeader(signed, 'authorization', text))
  assert.throws(without(undefined), refusedWith('MILL_AUTH_MISSING'))
  assert.throws(without('Basic dTpw'), refusedWith('MILL_AUTH_INCOMPLETE', 'must begin with AWS4-HMAC-SHA256'))
  for (const parameter of ['Credential', 'SignedHeaders', 'Signature'])
    assert.throws(
      without(authorization.replace(`${parameter}=`, 'Nothing=')),
      refusedWith('MILL_AUTH_INCOMPLETE', `requires '${parameter}'`)
    )
  assert.throws(without(authorization.replace('AKID/', 'AKID2/')), refusedWith('MILL_AUTH_UNKNOWN_KEY'))
  assert.throws(without(authorization.replace('/lambda/', '/s3/')), refusedWith('MILL_AUTH_SCOPE', "service: 'lambda'"))
  assert.throws(
    () => authenticate(withHeader(signed, 'x-amz-date', undefined)),
    refusedWith('MILL_AUTH_INCOMPLETE', 'X-Amz-Date')
  )
})

test('a signature for another service is refused', async () => {
  const signed = await sign({ service: 's3' })
  assert.throws(() => authenticate(signed), refusedWith('MILL_AUTH_SCOPE'))
})

test('a header that means something cannot be slipped in beside the signed ones', async () => {
  const signed = withHeader(await sign(), 'x-amz-invocation-type', 'DryRun')
  assert.throws(
    () => authenticate(signed),
    refusedWith('MILL_AUTH_INCOMPLETE', "'x-amz-invocation-type' must be a 'SignedHeader'")
  )
})

test('a second value for a signed header breaks the signature', async () => {
  const { head, body } = await sign()
  const doubled = { body, head: { ...head, headers: [...head.headers, ['Content-Type', 'text/plain'] as const] } }
  assert.throws(() => authenticate(doubled), refusedWith('MILL_AUTH_SIGNATURE'))
})

test('a hash of the body that the caller claims is not believed', async () => {
  const signed = await sign({
    headers: { 'x-amz-content-sha256': createHash('sha256').update('a').digest('hex') },
    body: 'b'
  })
  assert.throws(() => authenticate(signed), refusedWith('MILL_AUTH_SIGNATURE'))
})
