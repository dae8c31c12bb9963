import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import { escaped, RequestSigner } from '../../../src/adapters/invoker/request-signer.ts'
import { readSignature, SigningKeys } from '../../../src/control/sigv4.ts'

/** As the SDK wants it: SHA-256 and, with a key, its HMAC. */
class Sha256 {
  readonly #hash
  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    const bytes = key === undefined || typeof key === 'string' ? key : toBuffer(key)
    this.#hash = bytes === undefined ? createHash('sha256') : createHmac('sha256', bytes)
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === 'string' ? data : toBuffer(data))
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }
  reset(): void {
    throw new Error('not asked for')
  }
}

const toBuffer = (data: ArrayBuffer | ArrayBufferView): Buffer =>
  ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data)

const visible = fc.string({
  unit: fc.constantFrom(..."abcXYZ019-_.~/+=:%$ é!*'()".split('')),
  minLength: 1,
  maxLength: 40
})
const calls = fc.record({
  functionName: visible,
  qualifier: fc.option(visible, { nil: undefined }),
  prefix: fc.constantFrom('', '/lambda', '/a/b'),
  region: fc.constantFrom('us-east-1', 'cn-north-1', 'eusc-de-east-1'),
  host: fc.constantFrom('lambda.us-east-1.amazonaws.com', '127.0.0.1:4577', '[::1]:9001'),
  accessKeyId: fc.stringMatching(/^[A-Z0-9]{16,20}$/),
  secretAccessKey: fc.string({ minLength: 1, maxLength: 60 }),
  sessionToken: fc.option(fc.base64String({ minLength: 4, maxLength: 80 }), { nil: undefined }),
  logType: fc.constantFrom('None', 'Tail'),
  nowMs: fc.integer({ min: Date.UTC(2000, 0), max: Date.UTC(2099, 0) }),
  body: fc.uint8Array({ maxLength: 300 })
})

type SomeCall = typeof calls extends fc.Arbitrary<infer T> ? T : never

function setup({ functionName, qualifier, prefix, region, host, logType }: SomeCall) {
  const path = `${prefix}/2015-03-31/functions/${escaped(functionName)}/invocations`
  const query = qualifier === undefined ? '' : `Qualifier=${escaped(qualifier)}`
  const headers = { 'content-type': 'application/json', 'x-amz-log-type': logType, host }
  return {
    path,
    query,
    headers,
    signer: new RequestSigner({ method: 'POST', path, query, region, service: 'lambda', headers })
  }
}

/** Names and values in turn, as an object. */
const asObject = (list: readonly string[]): Record<string, string> =>
  Object.fromEntries(list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1] ?? '']] : [])))

test('signatures are those of the AWS SDK, whatever is signed', async () => {
  await fc.assert(
    fc.asyncProperty(calls, async call => {
      const { signer, path, headers } = setup(call)
      const { accessKeyId, secretAccessKey, sessionToken, region, qualifier, body, nowMs } = call
      const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
      const sdk = new SignatureV4({ credentials, region, service: 'lambda', sha256: Sha256, applyChecksum: false })
      const wanted = await sdk.sign(
        {
          method: 'POST',
          protocol: 'https:',
          hostname: call.host,
          path,
          query: qualifier === undefined ? {} : { Qualifier: qualifier },
          headers: { ...headers },
          body
        },
        { signingDate: new Date(nowMs) }
      )
      const { authorization, 'x-amz-date': date, 'x-amz-security-token': token } = wanted.headers
      assert.deepEqual(asObject(signer.sign(body, credentials, nowMs)), {
        'x-amz-date': date,
        authorization,
        ...(token === undefined ? {} : { 'x-amz-security-token': token })
      })
    }),
    { numRuns: 300 }
  )
})

test('a signer that is used on goes with the time and with other credentials', () => {
  fc.assert(
    fc.property(calls, fc.array(calls, { minLength: 1, maxLength: 6 }), (first, later) => {
      const kept = setup(first).signer
      for (const { body, nowMs, accessKeyId, secretAccessKey, sessionToken } of later) {
        const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
        assert.deepEqual(kept.sign(body, credentials, nowMs), setup(first).signer.sign(body, credentials, nowMs))
      }
    })
  )
})

test('what is signed is what our own API takes, and nothing else', () => {
  fc.assert(
    fc.property(calls, call => {
      const { signer, path, query, headers } = setup(call)
      const { accessKeyId, secretAccessKey, body, nowMs } = call
      const added = asObject(signer.sign(body, { accessKeyId, secretAccessKey }, nowMs))
      const head = { method: 'POST', path, query, headers: Object.entries({ ...headers, ...added }) }
      const claim = readSignature(head, () => secretAccessKey, nowMs, new SigningKeys())
      assert.ok(claim.fits(body))
      assert.ok(!claim.fits(Buffer.concat([body, Buffer.from('x')])))
    })
  )
})
