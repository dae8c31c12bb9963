import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'

/** What MSK checks of an AWS_MSK_IAM message, written from AWS's description of signature version 4. Throws when it is wrong. */
export function verifyConnectSignature(message: Readonly<Record<string, string>>, host: string, secret: string): void {
  const value = (name: string) => {
    const found = message[name]
    assert.ok(found !== undefined, name)
    return found
  }
  const token = message['x-amz-security-token']
  const query: readonly (readonly [string, string])[] = [
    ['Action', value('action')],
    ['X-Amz-Algorithm', value('x-amz-algorithm')],
    ['X-Amz-Credential', value('x-amz-credential')],
    ['X-Amz-Date', value('x-amz-date')],
    ['X-Amz-Expires', value('x-amz-expires')],
    ...(token === undefined ? [] : ([['X-Amz-Security-Token', token]] as const)),
    ['X-Amz-SignedHeaders', value('x-amz-signedheaders')]
  ]
  const canonical = [
    'GET',
    '/',
    query.map(([name, text]) => `${name}=${escaped(text)}`).join('&'),
    `host:${host}\n`,
    'host',
    sha256('')
  ].join('\n')
  const scope = value('x-amz-credential').split('/').slice(1)
  const signed = ['AWS4-HMAC-SHA256', value('x-amz-date'), scope.join('/'), sha256(canonical)].join('\n')
  const key = scope.reduce((key: Buffer, part) => hmac(key, part), Buffer.from(`AWS4${secret}`))
  assert.equal(value('x-amz-signature'), hmac(key, signed).toString('hex'), 'the signature')
  assert.equal(value('host'), host)
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

const escaped = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, each => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)
