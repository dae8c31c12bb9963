import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterFinder } from '../../../src/adapters/clusters/cluster-finder.ts'
import type { ClusterFinderOptions } from '../../../src/adapters/clusters/cluster-finder.ts'
import type { EventSource } from '../../../src/core/mapping/mapping.ts'

const arn = 'arn:aws:kafka:eu-west-1:000000000000:cluster/local/1'
const msk: EventSource = { kind: 'msk', arn }
const own: EventSource = { kind: 'self-managed', bootstrapServers: ['a:1', 'b:2'] }
const inFile = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:file'
const inEnvironment = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:environment'
const inAws = 'arn:aws:secretsmanager:eu-north-1:000000000000:secret:aws'

function setup(options: Partial<ClusterFinderOptions> = {}) {
  const asked: string[] = []
  const finder = new ClusterFinder({
    clusters: { [arn]: { plaintext: ['p:1'], tls: ['t:2'], saslScram: ['s:3'], rootCa: '/ca.pem' } },
    secrets: { [inFile]: { kind: 'file', path: '/s.json' }, [inEnvironment]: { kind: 'environment', variable: 'S' } },
    msk: {
      offer: async asking => {
        asked.push(asking)
        throw new Error('MSK was asked')
      },
      forget: asking => asked.push(`forget ${asking}`)
    },
    rules: { allowSaslPlaintext: false },
    ...options
  })
  const address = (source: EventSource, Type?: string, URI = inFile, tags: Record<string, string> = {}) =>
    finder.address({ source, tags, ...(Type === undefined ? {} : { sourceAccess: [{ Type, URI }] }) })
  return { finder, asked, address }
}

test('brokers of the configuration win, and MSK is not asked', async () => {
  const { address, asked } = setup()
  const rootCa = { serverRootCa: { arn: `${arn} (rootCa)`, from: { kind: 'file', path: '/ca.pem' } } }
  assert.deepEqual(await address(msk), { bootstrapServers: ['t:2'], security: { protocol: 'SSL', ...rootCa } })
  assert.deepEqual(await address(msk, 'SASL_SCRAM_512_AUTH'), {
    bootstrapServers: ['s:3'],
    security: {
      protocol: 'SASL_SSL',
      mechanism: 'SCRAM-SHA-512',
      login: { arn: inFile, from: { kind: 'file', path: '/s.json' } },
      ...rootCa
    }
  })
  assert.deepEqual(asked, [])
})

test('plaintext has no security, not even an authority to trust', async () => {
  const { address } = setup({ clusters: { [arn]: { plaintext: ['p:1'], rootCa: '/ca.pem' } } })
  assert.deepEqual(await address(msk), { bootstrapServers: ['p:1'] })
  assert.deepEqual(await address(own), { bootstrapServers: ['a:1', 'b:2'] })
})

test('what the configuration has no brokers for is refused with the ARN', async () => {
  const { address } = setup({ clusters: { [arn]: { tls: ['t:2'] } } })
  await assert.rejects(address(msk, 'SASL_SCRAM_512_AUTH'), {
    code: 'MILL_CLUSTER_UNFIT',
    message: `Cluster ${arn} has no brokers for SASL/SCRAM in its VPC: turn it on.`
  })
})

test('a secret is where the configuration says, else in Secrets Manager of its ARN', async () => {
  const { address } = setup()
  const from = async (uri: string) => (await address(own, 'BASIC_AUTH', uri)).security?.login?.from
  assert.deepEqual(await from(inFile), { kind: 'file', path: '/s.json' })
  assert.deepEqual(await from(inEnvironment), { kind: 'environment', variable: 'S' })
  assert.deepEqual(await from(inAws), { kind: 'secrets-manager', region: 'eu-north-1' })
})

test('an own cluster that cannot be reached as it is asked for says why', async () => {
  const { address } = setup()
  await assert.rejects(address(own, 'BASIC_AUTH', inFile, { 'millrace:sasl-plaintext': 'on' }), {
    code: 'MILL_PARAMETER_INVALID',
    message:
      'The cluster cannot be reached like this: the tag millrace:sasl-plaintext needs allowSaslPlaintext: true in the configuration.'
  })
})

test('a token endpoint comes with its client and scope', async () => {
  const { address } = setup()
  const tags = { 'millrace:oidc-token-endpoint': 'https://login/token', 'millrace:oidc-scope': 'a' }
  assert.deepEqual((await address(own, 'BASIC_AUTH', inFile, tags)).security, {
    protocol: 'SASL_SSL',
    mechanism: 'OAUTHBEARER',
    oidc: {
      tokenEndpoint: 'https://login/token',
      scope: 'a',
      client: { arn: inFile, from: { kind: 'file', path: '/s.json' } }
    }
  })
})

test('brokers that are gone are forgotten where MSK told of them', () => {
  const { finder, asked } = setup()
  finder.gone(own)
  finder.gone(msk)
  assert.deepEqual(asked, [`forget ${arn}`])
})
