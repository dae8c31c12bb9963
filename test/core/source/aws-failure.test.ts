import assert from 'node:assert/strict'
import { test } from 'node:test'
import { awsFailure } from '../../../src/core/source/aws-failure.ts'

function thrown(name: string, httpStatusCode?: number, message = 'text') {
  return Object.assign(
    new Error(message),
    { name },
    httpStatusCode === undefined ? {} : { $metadata: { httpStatusCode } }
  )
}

const table: [name: string, status: number | undefined, kind: string][] = [
  ['CredentialsProviderError', undefined, 'credentials'],
  ['UnrecognizedClientException', 400, 'credentials'],
  ['ExpiredTokenException', 403, 'credentials'],
  ['InvalidClientTokenId', 403, 'credentials'],
  ['AccessDeniedException', 400, 'denied'],
  ['ForbiddenException', 403, 'denied'],
  ['ResourceNotFoundException', 400, 'missing'],
  ['NotFoundException', 404, 'missing'],
  ['ThrottlingException', 400, 'busy'],
  ['TooManyRequestsException', 429, 'busy'],
  ['SomethingNew', 500, 'busy'],
  ['Error', undefined, 'unreachable'],
  ['TimeoutError', undefined, 'unreachable'],
  ['BadRequestException', 400, 'refused']
]
for (const [name, status, kind] of table)
  test(`${name} with ${status ?? 'no answer'} is ${kind}`, () => {
    assert.equal(awsFailure(thrown(name, status)).kind, kind)
  })

test('a signature that AWS refuses does not show the request that was signed', () => {
  const message =
    'The signature does not match.\n\nThe Canonical String for this request should have been\nx-amz-security-token:CANARY'
  assert.equal(
    awsFailure(thrown('SignatureDoesNotMatch', 403, message)).text,
    'SignatureDoesNotMatch: The signature does not match.'
  )
})

test('a failed connection is told by what it failed with, however Node wraps it', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
  assert.equal(awsFailure(new AggregateError([refused])).text, 'connect ECONNREFUSED 127.0.0.1:1')
  assert.equal(awsFailure(Object.assign(new Error(''), { code: 'ENOTFOUND' })).text, 'ENOTFOUND')
})
