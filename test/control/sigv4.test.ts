import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
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

function authenticate({ head, body }: Signed, nowMs = signedAt, sessionToken?: string): Principal {
  const token = sessionToken === undefined ? {} : { sessionToken }
  const credentials = [{ accessKeyId: 'AKID', secretAccessKey, access: 'read', ...token }] as const
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

test('refuses a request after any one bit of it was changed: all of them, one by one', async () => {
  const query = { tagKeys: ['a b', 'c'], Marker: 'x' }
  const path = '/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000'
  const headers = { 'x-amz-invocation-type': 'DryRun', 'x-amz-security-token': 'token' }
  const body = '{"BatchSize":5}'
  for (const signed of [
    await sign({ path, query, headers, body }),
    await sign({ path, query, body, presignSeconds: 60 })
  ]) {
    authenticate(signed)
    let tried = 0
    for (const { what, changed } of everyBit(signed)) {
      assert.throws(() => authenticate(changed), MillraceError, `taken with ${what} flipped`)
      tried += 1
    }
    assert.ok(tried > 3_000, `only ${tried} bits`)
  }
})

/** The request with each of its bits flipped, except where that changes nothing that is said (`%2F` and `%2f`). */
function* everyBit(signed: Signed): Generator<{ readonly what: string; readonly changed: Signed }> {
  const { head, body } = signed
  const parts: [what: string, text: string, put: (text: string) => Signed][] = [
    ['method', head.method, method => ({ body, head: { ...head, method } })],
    ['path', head.path, path => ({ body, head: { ...head, path } })],
    ['query', head.query, query => ({ body, head: { ...head, query } })],
    ['body', body.toString('latin1'), text => ({ head, body: Buffer.from(text, 'latin1') })],
    ...head.headers.map(([header, value], at): [string, string, (text: string) => Signed] => [
      header,
      value,
      text => ({ body, head: { ...head, headers: head.headers.with(at, [header, text]) } })
    ])
  ]
  for (const [what, text, put] of parts)
    for (let at = 0; at < text.length; at++)
      for (let bit = 0; bit < 8; bit++) {
        const flipped = flipBit(text, at, bit)
        if (what === 'query' && meaning(flipped) === meaning(text)) continue
        yield { what: `bit ${bit} of character ${at} of ${what}`, changed: put(flipped) }
      }
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

test('a clock may be off by 5 minutes either way and no more', async () => {
  const signed = await sign()
  authenticate(signed, signedAt + 300_000)
  authenticate(signed, signedAt - 300_000)
  assert.throws(
    () => authenticate(signed, signedAt + 301_000),
    refusedWith('MILL_AUTH_EXPIRED', 'Signature expired: 20261121T115217Z is now earlier than 20261121T115218Z')
  )
  assert.throws(() => authenticate(signed, signedAt - 301_000), refusedWith('MILL_AUTH_SCOPE', 'not yet current'))
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

test('a payload that is not signed, or not as a whole, is refused by name', async () => {
  const claims = ['UNSIGNED-PAYLOAD', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', '']
  for (const claim of claims) {
    const signed = await sign({ headers: { 'x-amz-content-sha256': claim } })
    assert.throws(() => authenticate(signed), refusedWith('MILL_AUTH_PAYLOAD', `got ${claim}:`))
  }
  const presigned = await sign({ presignSeconds: 60, query: { 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' } })
  assert.throws(() => authenticate(presigned), refusedWith('MILL_AUTH_PAYLOAD'))
  for (const headers of [{ 'content-encoding': 'gzip, aws-chunked' }, { 'x-amz-trailer': 'x' }, { trailer: 'x' }])
    assert.throws(
      () =>
        authenticate({
          ...presigned,
          head: {
            ...presigned.head,
            query: presigned.head.query.replace(/X-Amz-Content-Sha256=[^&]*&?/, ''),
            headers: [...presigned.head.headers, ...Object.entries(headers)]
          }
        }),
      MillraceError
    )
})

test('a session token is taken, and compared where the credential names one', async () => {
  const withToken = await sign({ headers: { 'x-amz-security-token': 'token' } })
  const presigned = await sign({ presignSeconds: 60, query: { 'X-Amz-Security-Token': 'token' } })
  const without = await sign()
  for (const signed of [withToken, presigned]) {
    authenticate(signed)
    authenticate(signed, signedAt, 'token')
    assert.throws(() => authenticate(signed, signedAt, 'other'), refusedWith('MILL_AUTH_UNKNOWN_KEY'))
  }
  assert.throws(() => authenticate(without, signedAt, 'token'), refusedWith('MILL_AUTH_UNKNOWN_KEY'))
})

/** Signs by hand what the SDK has no option for: the time in the plain Date header. */
function signByHand(date: string, signedHeaders = 'content-type;date;host', basic = '20261121T115217Z'): Signed {
  const body = '{}'
  const path = '/2015-03-31/event-source-mappings'
  const headers: [string, string][] = [
    ['content-type', 'application/json'],
    ['date', date],
    ['host', '127.0.0.1:4577']
  ]
  const sha = (text: string): string => createHash('sha256').update(text).digest('hex')
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  const lines = headers.filter(([name]) => signedHeaders.includes(name)).map(([name, value]) => `${name}:${value}\n`)
  const canonical = ['POST', path, '', lines.join(''), signedHeaders, sha(body)].join('\n')
  const scope = '20261121/eu-west-1/lambda/aws4_request'
  const key = ['20261121', 'eu-west-1', 'lambda', 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${secretAccessKey}`
  )
  const signature = hmac(key, ['AWS4-HMAC-SHA256', basic, scope, sha(canonical)].join('\n')).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=AKID/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`
  return {
    head: { method: 'POST', path, query: '', headers: [...headers, ['authorization', authorization]] },
    body: Buffer.from(body)
  }
}

test('without X-Amz-Date the plain Date says when, if it is signed', () => {
  const date = 'Sat, 21 Nov 2026 11:52:17 GMT'
  assert.equal(authenticate(signByHand(date)).accessKeyId, 'AKID')
  assert.equal(authenticate(signByHand('20261121T115217Z')).accessKeyId, 'AKID')
  assert.throws(() => authenticate(signByHand(date), signedAt + 301_000), refusedWith('MILL_AUTH_EXPIRED'))
  assert.throws(
    () => authenticate(signByHand(date, 'content-type;host')),
    refusedWith('MILL_AUTH_INCOMPLETE', "'Date' must be a 'SignedHeader'")
  )
  assert.throws(
    () => authenticate(signByHand('2026-11-21 11:52:17')),
    refusedWith('MILL_AUTH_INCOMPLETE', 'Date must be written as')
  )
})

test('a request that is signed twice is refused', async () => {
  const { head, body } = await sign()
  const presigned = await sign({ presignSeconds: 60 })
  const both = { body, head: { ...head, query: presigned.head.query } }
  assert.throws(() => authenticate(both), refusedWith('MILL_AUTH_INCOMPLETE', 'not in both'))
  assert.throws(
    () => authenticate({ body, head: { ...head, query: 'X-Amz-Signature=x' } }),
    refusedWith('MILL_AUTH_INCOMPLETE', 'not in both')
  )
})

test('two Authorization headers are refused', async () => {
  const { head, body } = await sign()
  const authorization = head.headers.find(([name]) => name === 'authorization') ?? (['authorization', ''] as const)
  const doubled = { body, head: { ...head, headers: [...head.headers, authorization] } }
  assert.throws(() => authenticate(doubled), refusedWith('MILL_AUTH_INCOMPLETE', 'twice'))
})
