import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { selfManagedPlan } from '../../../src/core/source/security-plan.ts'

function plan(types: string[], tags: Record<string, string> = {}, allowSaslPlaintext = false) {
  const access = types.map(Type => ({ Type, URI: `secret of ${Type}` }))
  const found = selfManagedPlan(access, tags, { allowSaslPlaintext })
  return found.kind === 'refused' ? found.reason : found.plan
}
const anchor = { serverRootCa: 'secret of SERVER_ROOT_CA_CERTIFICATE' }
const oidc = { 'millrace:oidc-token-endpoint': 'https://login.example.com/token' }

describe('reference 9.1 access to own clusters', () => {
  const sasl = [
    ['BASIC_AUTH', 'PLAIN'],
    ['SASL_SCRAM_256_AUTH', 'SCRAM-SHA-256'],
    ['SASL_SCRAM_512_AUTH', 'SCRAM-SHA-512']
  ] as const
  for (const [type, mechanism] of sasl)
    test(`${type}: ${mechanism} over TLS, with or without an authority of one's own`, () => {
      const wanted = { protocol: 'SASL_SSL', mechanism, login: `secret of ${type}` }
      assert.deepEqual(plan([type]), wanted)
      assert.deepEqual(plan(['SERVER_ROOT_CA_CERTIFICATE', 'VPC_SUBNET', type]), { ...wanted, ...anchor })
    })

  test('mutual TLS', () => {
    const wanted = { protocol: 'SSL', clientCertificate: 'secret of CLIENT_CERTIFICATE_TLS_AUTH' }
    assert.deepEqual(plan(['CLIENT_CERTIFICATE_TLS_AUTH']), wanted)
    assert.deepEqual(plan(['CLIENT_CERTIFICATE_TLS_AUTH', 'SERVER_ROOT_CA_CERTIFICATE']), { ...wanted, ...anchor })
  })

  test('without credentials: plaintext, unless there is an authority to trust', () => {
    assert.deepEqual(plan([]), { protocol: 'PLAINTEXT' })
    assert.deepEqual(plan(['VPC_SUBNET', 'VPC_SECURITY_GROUP']), { protocol: 'PLAINTEXT' })
    assert.deepEqual(plan(['SERVER_ROOT_CA_CERTIFICATE']), { protocol: 'SSL', ...anchor })
  })
})

test('client credentials at an OpenID token endpoint take the secret of BASIC_AUTH', () => {
  const wanted = { tokenEndpoint: 'https://login.example.com/token', client: 'secret of BASIC_AUTH' }
  assert.deepEqual(plan(['BASIC_AUTH'], oidc), { protocol: 'SASL_SSL', mechanism: 'OAUTHBEARER', oidc: wanted })
  assert.deepEqual(plan(['BASIC_AUTH', 'SERVER_ROOT_CA_CERTIFICATE'], { ...oidc, 'millrace:oidc-scope': 'a b' }), {
    protocol: 'SASL_SSL',
    mechanism: 'OAUTHBEARER',
    oidc: { ...wanted, scope: 'a b' },
    ...anchor
  })
  const extended = { ...oidc, 'millrace:oidc-extensions': 'logicalCluster=lkc-1,identityPoolId=pool-2' }
  const extensions = [
    ['logicalCluster', 'lkc-1'],
    ['identityPoolId', 'pool-2']
  ]
  assert.deepEqual(plan(['BASIC_AUTH'], extended), {
    protocol: 'SASL_SSL',
    mechanism: 'OAUTHBEARER',
    oidc: { ...wanted, extensions }
  })
  assert.match(
    JSON.stringify(plan(['BASIC_AUTH'], { 'millrace:oidc-extensions': 'a=b' })),
    /the tag millrace:oidc-extensions needs the tag millrace:oidc-token-endpoint/
  )
  assert.match(
    JSON.stringify(plan(['SASL_SCRAM_512_AUTH'], oidc)),
    /needs BASIC_AUTH with a secret that holds clientId/
  )
  assert.match(
    JSON.stringify(plan(['BASIC_AUTH'], { 'millrace:oidc-scope': 'a' })),
    /needs the tag millrace:oidc-token-endpoint/
  )
})

test('SASL without TLS needs the leave of the configuration, credentials, and no authority', () => {
  const on = { 'millrace:sasl-plaintext': 'on' }
  assert.match(JSON.stringify(plan(['BASIC_AUTH'], on)), /needs allowSaslPlaintext: true in the configuration/)
  assert.deepEqual(plan(['BASIC_AUTH'], on, true), {
    protocol: 'SASL_PLAINTEXT',
    mechanism: 'PLAIN',
    login: 'secret of BASIC_AUTH'
  })
  assert.match(JSON.stringify(plan([], on, true)), /needs credentials/)
  assert.match(JSON.stringify(plan(['CLIENT_CERTIFICATE_TLS_AUTH'], on, true)), /needs credentials/)
  assert.match(JSON.stringify(plan(['BASIC_AUTH', 'SERVER_ROOT_CA_CERTIFICATE'], on, true)), /exclude each other/)
  assert.equal(
    (plan(['BASIC_AUTH'], { 'millrace:sasl-plaintext': 'off' }) as { protocol: string }).protocol,
    'SASL_SSL'
  )
})

test('a tag that could do nothing here is refused', () => {
  assert.match(JSON.stringify(plan([], { 'millrace:iam-mechanism': 'OAUTHBEARER' })), /for MSK clusters only/)
  assert.match(JSON.stringify(plan([], { 'millrace:external-id': 'x' })), /needs the tag millrace:role-arn/)
})
