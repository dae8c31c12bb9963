import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { AwsCredentialChain } from '../../../src/adapters/aws/credentials.ts'
import { problemOfError } from '../../../src/core/mapping/processing-result.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { closedPort, StubAws, testKeys, withEnvironment } from '../../support/stub-aws.ts'
import type { StubAnswer } from '../../support/stub-aws.ts'

const roleArn = 'arn:aws:iam::123456789012:role/kafka'
const role = { region: 'eu-central-1', roleArn, externalId: 'an-id' }

const assumed = (n: number, expiresMs: number): StubAnswer => ({
  body: `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
    <AccessKeyId>ASIA${n}</AccessKeyId><SecretAccessKey>s${n}</SecretAccessKey><SessionToken>t${n}</SessionToken>
    <Expiration>${new Date(expiresMs).toISOString()}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`
})
const refused = (code: string, message: string, status = 403): StubAnswer => ({
  status,
  body: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`
})
const hour = 3_600_000

function setup() {
  // The SDK signs with the real time, so that time begins there.
  const clock = new FakeClock(Date.now())
  return { clock, chain: new AwsCredentialChain(clock) }
}

describe('keys of the process', () => {
  test('come from the environment, with an end at which they are asked for again', async t => {
    withEnvironment(t, { ...testKeys, AWS_SESSION_TOKEN: 'token' })
    const { chain, clock } = setup()
    assert.deepEqual(await chain.keys({ region: 'us-east-1' }), {
      accessKeyId: 'AKIATEST',
      secretAccessKey: 'secret-of-the-test',
      sessionToken: 'token',
      expiration: new Date(clock.now() + 600_000)
    })
  })

  test('of a profile are those the file has now', async t => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-profile-'))
    t.after(() => rm(folder, { recursive: true }))
    const file = join(folder, 'credentials')
    withEnvironment(t, { AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: 'kafka' })
    const { chain } = setup()
    for (const id of ['AKIAONE', 'AKIATWO']) {
      await writeFile(file, `[kafka]\naws_access_key_id = ${id}\naws_secret_access_key = x\n`)
      assert.equal((await chain.keys({ region: 'us-east-1' })).accessKeyId, id)
    }
  })

  test('that nobody has are said to be missing', async t => {
    withEnvironment(t, {})
    await assert.rejects(setup().chain.keys({ region: 'us-east-1' }), {
      code: 'MILL_AWS_CREDENTIALS',
      message: /Could not load credentials from any providers/
    })
  })
})

describe('keys of a role', () => {
  test('are asked of STS in the region, with the external id, once for all, and again before they expire', async t => {
    const aws = await StubAws.start(t)
    const { chain, clock } = setup()
    let n = 0
    aws.answer = () => assumed(++n, clock.now() + hour)
    const both = await Promise.all([chain.keys(role), chain.keys(role)])
    assert.deepEqual(
      both.map(({ accessKeyId, sessionToken }) => [accessKeyId, sessionToken]),
      [
        ['ASIA1', 't1'],
        ['ASIA1', 't1']
      ]
    )
    assert.deepEqual(
      aws.calls.map(({ operation, region, accessKeyId }) => [operation, region, accessKeyId]),
      [['AssumeRole', 'eu-central-1', 'AKIATEST']]
    )
    const form = new URLSearchParams(aws.calls[0]?.body)
    assert.deepEqual(
      ['RoleArn', 'ExternalId', 'RoleSessionName'].map(name => form.get(name)),
      [roleArn, 'an-id', 'millrace']
    )
    await clock.advance(hour - 5 * 60_000 - 1)
    assert.equal((await chain.keys(role)).accessKeyId, 'ASIA1')
    await clock.advance(1)
    assert.equal((await chain.keys(role)).accessKeyId, 'ASIA2')
  })

  test('are used to their end while STS is away', async t => {
    const aws = await StubAws.start(t)
    const { chain, clock } = setup()
    aws.answer = () => assumed(1, clock.now() + hour)
    await chain.keys(role)
    aws.answer = () => refused('ServiceUnavailable', 'later', 503)
    await clock.advance(hour - 60_000)
    assert.equal((await chain.keys(role)).accessKeyId, 'ASIA1')
    await clock.advance(60_000)
    await assert.rejects(chain.keys(role), {
      code: 'MILL_AWS_UNREACHABLE',
      message: /^STS cannot be asked for the role arn/
    })
  })

  test('are the same for who signs by himself and for AWS’s clients, who wait together', async t => {
    const aws = await StubAws.start(t)
    const { chain, clock } = setup()
    aws.answer = () => assumed(1, clock.now() + hour)
    const [held, given] = await Promise.all([chain.of(role).current(), chain.keys({ ...role })])
    assert.equal(held, given)
    assert.equal(chain.of({ ...role }).current(), given)
    assert.deepEqual(aws.operations, ['AssumeRole'])
  })

  test('of different roles, external ids and regions are kept apart', async t => {
    const aws = await StubAws.start(t)
    const { chain, clock } = setup()
    let n = 0
    aws.answer = () => assumed(++n, clock.now() + hour)
    for (const identity of [
      role,
      { ...role, externalId: 'other' },
      { ...role, region: 'us-east-1' },
      { ...role, roleArn: `${roleArn}2` }
    ])
      await chain.keys(identity)
    assert.equal(n, 4)
  })

  test('that are refused name the role', async t => {
    const aws = await StubAws.start(t)
    aws.answer = () => refused('AccessDenied', 'User x is not authorized to perform: sts:AssumeRole')
    await assert.rejects(setup().chain.keys(role), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'MILL_ROLE_REFUSED')
      assert.match(
        error.message,
        /^The role arn:aws:iam::123456789012:role\/kafka cannot be assumed: User x is not authorized/
      )
      assert.equal(problemOfError(error).kind, 'role')
      return true
    })
  })

  test('need keys of the process, and an STS that is there', async t => {
    withEnvironment(t, { AWS_ENDPOINT_URL: `http://127.0.0.1:${await closedPort()}` })
    await assert.rejects(setup().chain.keys(role), { code: 'MILL_ROLE_REFUSED', message: /no AWS credentials/ })
    Object.assign(process.env, testKeys)
    await assert.rejects(setup().chain.keys(role), { code: 'MILL_AWS_UNREACHABLE', message: /ECONNREFUSED/ })
  })
})

test('no error shows a key, not even one that quotes what was signed', async t => {
  const aws = await StubAws.start(t, {
    AWS_ACCESS_KEY_ID: 'AKIATEST',
    AWS_SECRET_ACCESS_KEY: 'CANARY-1',
    AWS_SESSION_TOKEN: 'CANARY-2'
  })
  aws.answer = call =>
    refused(
      'SignatureDoesNotMatch',
      `It does not match. The Canonical String was x-amz-security-token:${call.sessionToken}`
    )
  await assert.rejects(setup().chain.keys(role), (error: Error) => {
    assert.match(error.message, /SignatureDoesNotMatch: It does not match\.$/)
    assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /CANARY/)
    return true
  })
})
