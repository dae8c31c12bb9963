import assert from 'node:assert/strict'
import { mock, suite, test } from 'node:test'
import { generateAuthTokenFromCredentialsProvider } from 'aws-msk-iam-sasl-signer-js'
import { mskToken } from '../../../../src/adapters/kafka/security/msk-token.ts'
import { mskIam } from '../../../../src/adapters/kafka/security/sasl-msk-iam.ts'
import { verifyConnectSignature } from './connect-signature.ts'

const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const session = { ...keys, sessionToken: "IQoJb3JpZ2luX2VjEB+/=='()*!~ é" }
const now = new Date('2026-11-21T14:15:16.789Z')
const signersAgent = 'aws-msk-iam-sasl-signer-js/1.0.3'

suite("MSK's token (reference 9.5)", () => {
  for (const [name, credentials] of Object.entries({ 'of fixed keys': keys, 'of a session': session }))
    for (const region of ['eu-west-1', 'us-gov-west-1'])
      test(`${name} in ${region} is the same bytes as that of AWS's signer`, async t => {
        mock.timers.enable({ apis: ['Date'], now })
        t.after(() => mock.timers.reset())
        const awsCredentialsProvider = () => Promise.resolve(credentials)
        const theirs = await generateAuthTokenFromCredentialsProvider({ region, awsCredentialsProvider })
        const ours = await mskToken(region, credentials, now, signersAgent)
        assert.equal(ours.value, theirs.token)
        assert.equal(ours.expiresAtMs, theirs.expiryTime)
      })

  test('names us, is valid for 900 seconds, and nothing of it needs padding', async () => {
    const { value, expiresAtMs } = await mskToken('eu-west-1', keys, now, 'millrace/1')
    assert.match(value, /^[\w-]+$/)
    const url = new URL(Buffer.from(value, 'base64url').toString())
    assert.equal(url.host, 'kafka.eu-west-1.amazonaws.com')
    assert.equal(url.searchParams.get('Action'), 'kafka-cluster:Connect')
    assert.equal(url.searchParams.get('X-Amz-Expires'), '900')
    assert.equal(url.searchParams.get('User-Agent'), 'millrace/1')
    assert.equal(expiresAtMs, Date.parse('2026-11-21T14:30:16Z'))
  })
})

suite('AWS_MSK_IAM (reference 9.5)', () => {
  test('is one message in JSON whose signature is for this broker', async () => {
    const dialogue = mskIam('b-1.example.com', 'eu-west-1', session, now, 'millrace/1')
    const message = JSON.parse(String((await dialogue.next()).value)) as Record<string, string>
    assert.deepEqual(
      { ...message, 'x-amz-signature': '' },
      {
        version: '2020_10_22',
        host: 'b-1.example.com',
        'user-agent': 'millrace/1',
        action: 'kafka-cluster:Connect',
        'x-amz-algorithm': 'AWS4-HMAC-SHA256',
        'x-amz-credential': 'AKIDEXAMPLE/20261121/eu-west-1/kafka-cluster/aws4_request',
        'x-amz-date': '20261121T141516Z',
        'x-amz-security-token': session.sessionToken,
        'x-amz-signedheaders': 'host',
        'x-amz-expires': '900',
        'x-amz-signature': ''
      }
    )
    verifyConnectSignature(message, 'b-1.example.com', session.secretAccessKey)
    assert.throws(() => verifyConnectSignature(message, 'b-2.example.com', session.secretAccessKey))
    assert.throws(() => verifyConnectSignature(message, 'b-1.example.com', 'another key'))
    const answer = Buffer.from('{"version":"2020_10_22","request-id":"1"}')
    assert.equal((await dialogue.next(answer)).done, true)
  })

  test('has no security token without a session', async () => {
    const message = String((await mskIam('b', 'eu-west-1', keys, now, 'millrace/1').next()).value)
    assert.ok(!message.includes('x-amz-security-token'))
  })
})
