import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SourceAccess } from '../../../src/core/mapping/mapping.ts'
import { brokersOf, chooseBrokers } from '../../../src/core/source/broker-choice.ts'
import type { BrokerNetwork, BrokersByMethod, ClusterOffer } from '../../../src/core/source/broker-choice.ts'

const everything: BrokersByMethod = {
  plaintext: ['b-1:9092'],
  tls: ['b-1:9094'],
  saslScram: ['b-1:9096'],
  saslIam: ['b-1:9098']
}
const secret = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:s'
const scram: SourceAccess = { Type: 'SASL_SCRAM_512_AUTH', URI: secret }
const mutualTls: SourceAccess = { Type: 'CLIENT_CERTIFICATE_TLS_AUTH', URI: secret }

const anOffer = (overrides: Partial<ClusterOffer> = {}): ClusterOffer => ({
  network: 'vpc',
  brokers: everything,
  serverless: false,
  authentication: {},
  ...overrides
})

/** `method protocol mechanism`, or what it was refused for. */
function choice(access: SourceAccess[], offer: Partial<ClusterOffer> = {}, tags: Record<string, string> = {}): string {
  const made = chooseBrokers(access, tags, anOffer(offer))
  return made.kind === 'refused'
    ? made.reason
    : [made.method, made.bootstrapServers.join(), made.plan.protocol, made.plan.mechanism ?? '-'].join(' ')
}

const { plaintext, tls, saslScram, saslIam } = everything

describe('reference 9.3 broker choice', () => {
  const table: [access: SourceAccess[], offer: Partial<ClusterOffer>, chosen: string][] = [
    [[mutualTls], {}, 'tls b-1:9094 SSL -'],
    [[scram], {}, 'saslScram b-1:9096 SASL_SSL SCRAM-SHA-512'],
    [[], {}, 'saslIam b-1:9098 SASL_SSL OAUTHBEARER'],
    [[], { brokers: { plaintext, tls, saslScram } as BrokersByMethod }, 'tls b-1:9094 SSL -'],
    [[], { brokers: { plaintext, saslScram } as BrokersByMethod }, 'plaintext b-1:9092 PLAINTEXT -'],
    // What the cluster is set to counts more than the strings.
    [[], { authentication: { iam: false, none: true } }, 'tls b-1:9094 SSL -'],
    [[], { serverless: true, brokers: { saslIam } as BrokersByMethod }, 'saslIam b-1:9098 SASL_SSL OAUTHBEARER'],
    // Placement means nothing outside AWS.
    [[{ Type: 'VPC_SUBNET', URI: 'subnet:s' }], {}, 'saslIam b-1:9098 SASL_SSL OAUTHBEARER']
  ]
  for (const [access, offer, chosen] of table)
    test(`${access.map(({ Type }) => Type).join() || 'no secret'}, ${JSON.stringify(offer)}: ${chosen}`, () => {
      assert.equal(choice(access, offer), chosen)
    })

  test('in every combination of secret, settings and brokers: the strongest that is asked for, or nothing', () => {
    const methods = ['plaintext', 'tls', 'saslScram', 'saslIam'] as const
    const subsets = Array.from({ length: 16 }, (_, bits) => methods.filter((_, at) => (bits >> at) & 1))
    const settings = [undefined, true, false] as const
    let count = 0
    for (const access of [[mutualTls], [scram], []])
      for (const offered of subsets)
        for (const taken of settings)
          for (const iam of settings)
            for (const none of settings) {
              const has = (method: (typeof methods)[number]) => offered.includes(method)
              const isIam = iam ?? has('saslIam')
              // Strongest first; what is not asked for is not looked at, and what is chosen is not given up.
              const wanted =
                access[0] === mutualTls
                  ? taken !== false && 'tls'
                  : access[0] === scram
                    ? taken !== false && 'saslScram'
                    : isIam
                      ? 'saslIam'
                      : none !== false && (has('tls') ? 'tls' : 'plaintext')
              const authentication = Object.fromEntries(
                Object.entries({ mutualTls: taken, scram: taken, iam, none }).filter(([, is]) => is !== undefined)
              )
              const brokers = Object.fromEntries(offered.map(method => [method, everything[method]!]))
              const made = chooseBrokers(access, {}, anOffer({ brokers, authentication }))
              const expected = wanted !== false && has(wanted) ? wanted : 'refused'
              assert.equal(
                made.kind === 'chosen' ? made.method : made.kind,
                expected,
                JSON.stringify([access, offered, authentication])
              )
              count++
            }
    assert.equal(count, 3 * 16 * 27)
  })

  test('never falls back to a weaker kind when the chosen one cannot be had', () => {
    assert.match(
      choice([mutualTls], { brokers: { plaintext, saslScram, saslIam } as BrokersByMethod }),
      /^has no brokers for mutual TLS in its VPC/
    )
    assert.match(choice([mutualTls], { authentication: { mutualTls: false } }), /^does not take mutual TLS/)
    assert.match(
      choice([scram], { brokers: { plaintext, tls, saslIam } as BrokersByMethod }),
      /^has no brokers for SASL\/SCRAM in its VPC/
    )
    assert.match(choice([scram], { authentication: { scram: false } }), /^does not take SASL\/SCRAM/)
    assert.match(
      choice([], { network: 'public', authentication: { iam: true }, brokers: { tls } as BrokersByMethod }),
      /^has no brokers for IAM on the public network/
    )
  })

  test('a cluster that takes nobody without credentials says what to name', () => {
    assert.match(
      choice([], { authentication: { iam: false, none: false } }),
      /takes nobody without credentials: name a secret/
    )
    assert.match(choice([], { brokers: { saslScram } as BrokersByMethod }), /\(it has saslScram\): name a secret/)
    assert.equal(choice([], { brokers: {} }), 'has no brokers in its VPC')
  })

  test('a serverless cluster takes IAM only, and no mapping of another account', () => {
    assert.match(choice([scram], { serverless: true }), /is serverless: it takes IAM only/)
    assert.match(choice([mutualTls], { serverless: true }), /is serverless: it takes IAM only/)
    assert.match(choice([], { serverless: true, network: 'vpc-connection' }), /no mapping by a VPC connection/)
  })

  test('the mechanism of IAM may be the older one', () => {
    const tags = { 'millrace:iam-mechanism': 'AWS_MSK_IAM' }
    assert.equal(choice([], {}, tags), 'saslIam b-1:9098 SASL_SSL AWS_MSK_IAM')
    assert.match(choice([], { brokers: { tls } as BrokersByMethod }, tags), /does not take IAM/)
  })

  test('tags for own clusters are refused, and an external id without its role', () => {
    for (const tag of [
      'millrace:oidc-token-endpoint',
      'millrace:oidc-scope',
      'millrace:oidc-extensions',
      'millrace:sasl-plaintext'
    ])
      assert.match(choice([], {}, { [tag]: 'x' }), new RegExp(`the tag ${tag} is for own clusters only`))
    assert.match(choice([], {}, { 'millrace:external-id': 'x' }), /needs the tag millrace:role-arn/)
  })
})

describe('reference 9.4 fields of GetBootstrapBrokers', () => {
  const table: [network: BrokerNetwork, infix: string, ipv6: string, methods: number][] = [
    ['vpc', '', '', 4],
    ['vpc-connection', 'VpcConnectivity', '', 3],
    ['public', 'Public', '', 3],
    ['ipv6', '', 'Ipv6', 4]
  ]
  const names = { plaintext: '', tls: 'Tls', saslScram: 'SaslScram', saslIam: 'SaslIam' }
  for (const [network, infix, suffix, methods] of table)
    test(`${network}: each method has its field, and others are not read`, () => {
      const all = Object.fromEntries(
        table.flatMap(([, other, end]) =>
          Object.values(names).map(name => [`BootstrapBrokerString${other}${name}${end}`, `${other}${name}${end}.x:1`])
        )
      )
      const found = brokersOf(all, network)
      assert.equal(Object.keys(found).length, methods)
      for (const [method, servers] of Object.entries(found))
        assert.deepEqual(servers, [`${infix}${names[method as keyof typeof names]}${suffix}.x:1`])
    })

  test('ports come from the strings, and an empty string is a method that is off', () => {
    assert.deepEqual(
      brokersOf({ BootstrapBrokerStringTls: 'b-1:14001, b-2:14002,', BootstrapBrokerString: '' }, 'vpc'),
      {
        tls: ['b-1:14001', 'b-2:14002']
      }
    )
  })
})
