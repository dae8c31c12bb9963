import type { TestContext } from 'node:test'
import { OidcTokens } from '../../src/adapters/secrets/oidc-token.ts'
import { methods } from '../support/kafka/secured-world.ts'
import type { Reader, SecuredWorld } from '../support/kafka/secured-world.ts'
import type { TestIssuer } from '../support/kafka/test-issuer.ts'
import { users } from '../support/kafka/server-properties.ts'

/** How each begins, of reference 9.6. */
export const sentences = {
  connection: 'PROBLEM: Connection error. Please check your event source connection configuration.',
  unresolvable: 'PROBLEM: The provided Kafka broker endpoints cannot be resolved.',
  sasl: 'PROBLEM: SASL authentication failed.',
  untrusted: 'PROBLEM: Lambda failed to authenticate server.',
  refused: 'PROBLEM: Server failed to authenticate Lambda.',
  authorize: 'PROBLEM: Cluster failed to authorize Lambda.'
} as const

/** What goes wrong, and what is told of it behind the address of the broker. */
export interface Failure {
  readonly what: string
  readonly open: (t: TestContext) => Promise<Reader> | Reader
  readonly sentence: keyof typeof sentences
  readonly stage: string
  readonly error: RegExp
  readonly reason?: 'EVENT_SOURCE_AUTHN_ERROR'
}

/** As the product asks for one. */
async function tokenOf(issuer: TestIssuer, scope: string, clientSecret: string): Promise<string> {
  const client = { clientId: issuer.client.clientId, clientSecret }
  return (await new OidcTokens().fetch({ tokenEndpoint: issuer.tokenUrl, scope }, client, Date.now())).value
}

/** Methods × failures. */
export function failuresOf(world: SecuredWorld): readonly Failure[] {
  const { issuer } = world.kafka
  return [
    ...(['scram512', 'scram256', 'sasl without tls'] as const).flatMap(method =>
      [
        ['wrong password', { username: 'alice', password: 'wrong' }] as const,
        ['unknown user', { username: 'nobody', password: users.alice }] as const
      ].map(([what, wrong]) => ({
        what: `${method}: ${what}`,
        open: (t: TestContext) => world.open(t, method, { held: { login: wrong } }),
        sentence: 'sasl' as const,
        stage: 'SASL',
        error:
          /^Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-(512|256) \(SASL_AUTHENTICATION_FAILED\)$/,
        reason: 'EVENT_SOURCE_AUTHN_ERROR' as const
      }))
    ),
    ...[
      ['wrong password', { username: 'alice', password: 'wrong' }] as const,
      ['unknown user', { username: 'nobody', password: users.alice }] as const
    ].map(([what, wrong]) => ({
      what: `plain: ${what}`,
      open: (t: TestContext) => world.open(t, 'plain', { held: { login: wrong } }),
      sentence: 'sasl' as const,
      stage: 'SASL',
      error: /^Authentication failed: Invalid username or password \(SASL_AUTHENTICATION_FAILED\)$/,
      reason: 'EVENT_SOURCE_AUTHN_ERROR' as const
    })),
    ...(
      [
        ['expired token', { lifeMs: -60_000 }],
        ['token for somebody else', { audience: 'other' }],
        ['token of another issuer', { issuer: 'https://other.test/' }],
        ['token that was signed with another key', { forged: true }],
        ['token that was signed with another key of another kind', { forged: true, algorithm: 'ES256' }]
      ] as const
    ).map(([what, wish]) => ({
      what: `oauthbearer: ${what}`,
      open: (t: TestContext) => world.open(t, 'oauthbearer', { held: { token: () => issuer.token(wish) } }),
      sentence: 'sasl' as const,
      stage: 'SASL',
      // Why is the broker's secret: it writes that into its own log alone.
      error:
        /^the broker refuses the token: invalid_token: \{"status":"invalid_token"\} \(SASL_AUTHENTICATION_FAILED\)$/,
      reason: 'EVENT_SOURCE_AUTHN_ERROR' as const
    })),
    ...(
      [
        ['unknown scope', 'nonsense', 'CANARY-client', 'HTTP 400, invalid_scope'],
        ['wrong client secret', 'kafka', 'wrong', 'HTTP 401, invalid_client']
      ] as const
    ).map(([what, scope, clientSecret, why]) => ({
      what: `oauthbearer: ${what}`,
      open: (t: TestContext) =>
        world.open(t, 'oauthbearer', { held: { token: () => tokenOf(issuer, scope, clientSecret) } }),
      sentence: 'sasl' as const,
      stage: 'secret',
      error: new RegExp(`^The token endpoint ${issuer.tokenUrl} gave no token: ${why}$`),
      reason: 'EVENT_SOURCE_AUTHN_ERROR' as const
    })),
    {
      what: 'a mechanism that the broker does not take',
      open: (t: TestContext) => world.open(t, 'iam'),
      sentence: 'sasl',
      stage: 'SASL',
      error: /^the broker does not take AWS_MSK_IAM here, but (SCRAM-SHA-512|SCRAM-SHA-256|PLAIN|OAUTHBEARER|, ){7}$/,
      reason: 'EVENT_SOURCE_AUTHN_ERROR'
    },
    ...(['tls', 'mtls', 'scram512'] as const).flatMap(method => [
      {
        what: `${method}: unknown authority`,
        open: (t: TestContext) => world.open(t, method, { held: { serverRootCa: world.stranger.pem } }),
        sentence: 'untrusted' as const,
        stage: 'TLS',
        error: /^unable to (get local issuer|verify the first) certificate$/,
        reason: 'EVENT_SOURCE_AUTHN_ERROR' as const
      },
      {
        what: `${method}: expired certificate of the broker`,
        open: async (t: TestContext) => {
          const expired = await world.authority.issue({ commonName: 'broker', names: 'IP:127.0.0.1', days: -1 })
          return world.open(t, method, { bootstrap: [await world.through(t, '127.0.0.1', 'plaintext', expired)] })
        },
        sentence: 'untrusted' as const,
        stage: 'TLS',
        error: /^certificate has expired$/,
        reason: 'EVENT_SOURCE_AUTHN_ERROR' as const
      },
      {
        what: `${method}: wrong name`,
        open: async (t: TestContext) =>
          world.open(t, method, { bootstrap: [await world.through(t, '127.0.0.2', methods[method].listener)] }),
        sentence: 'untrusted' as const,
        stage: 'TLS',
        error:
          /^Hostname\/IP does not match certificate's altnames: IP: 127\.0\.0\.2 is not in the cert's list: 127\.0\.0\.1$/,
        reason: 'EVENT_SOURCE_AUTHN_ERROR' as const
      },
      {
        what: `${method}: TLS to a port without`,
        open: (t: TestContext) => world.open(t, method, { bootstrap: world.kafka.bootstrap('plaintext') }),
        sentence: 'connection' as const,
        stage: 'TLS',
        error: /^the broker closed the connection in the handshake: does it speak TLS\?$/
      }
    ]),
    {
      what: 'tls: no client certificate where one is wanted',
      open: (t: TestContext) => world.open(t, 'tls', { bootstrap: world.kafka.bootstrap('mtls') }),
      sentence: 'refused',
      stage: 'TLS',
      error: /^ssl\/tls alert bad certificate$|does it want a client certificate\?$/,
      reason: 'EVENT_SOURCE_AUTHN_ERROR'
    },
    {
      what: 'mtls: expired client certificate',
      open: async (t: TestContext) =>
        world.open(t, 'mtls', {
          held: { clientCertificate: await world.authority.issue({ commonName: 'client', days: -1 }) }
        }),
      sentence: 'refused',
      stage: 'TLS',
      error: /^ssl\/tls alert certificate (unknown|expired)$|may not trust the client certificate$/,
      reason: 'EVENT_SOURCE_AUTHN_ERROR'
    },
    {
      what: "mtls: a stranger's client certificate",
      open: async (t: TestContext) =>
        world.open(t, 'mtls', { held: { clientCertificate: await world.stranger.issue({ commonName: 'client' }) } }),
      sentence: 'refused',
      stage: 'TLS',
      error: /^ssl\/tls alert certificate unknown$|may not trust the client certificate$/,
      reason: 'EVENT_SOURCE_AUTHN_ERROR'
    },
    {
      what: 'plaintext to a port with TLS',
      open: (t: TestContext) => world.open(t, 'plaintext', { bootstrap: world.kafka.bootstrap('tls') }),
      sentence: 'connection',
      stage: 'TLS',
      error: /^it speaks TLS, and was spoken to without$/
    },
    {
      what: 'TLS alone to a port that wants SASL',
      open: (t: TestContext) => world.open(t, 'tls', { bootstrap: world.kafka.bootstrap('sasl') }),
      sentence: 'connection',
      stage: 'metadata',
      error: /^the broker closed the connection$/
    },
    {
      what: 'SASL to a port that wants none',
      open: (t: TestContext) => world.open(t, 'scram512', { bootstrap: world.kafka.bootstrap('tls') }),
      sentence: 'sasl',
      stage: 'SASL',
      error: /^the broker does not authenticate here by SASL \(ILLEGAL_SASL_STATE\)$/,
      reason: 'EVENT_SOURCE_AUTHN_ERROR'
    },
    ...(['plaintext', 'tls', 'scram512'] as const).flatMap(method => [
      {
        what: `${method}: closed port`,
        open: (t: TestContext) => world.open(t, method, { bootstrap: ['127.0.0.1:1'] }),
        sentence: 'connection' as const,
        stage: 'TCP',
        error: /^connect ECONNREFUSED 127\.0\.0\.1:1$/
      },
      {
        what: `${method}: black hole`,
        open: async (t: TestContext) => world.open(t, method, { bootstrap: [await world.blackHole(t)] }),
        sentence: 'connection' as const,
        stage: method === 'plaintext' ? 'API versions' : 'TLS',
        error: /^no (answer|connection) within 3000 ms$/
      },
      {
        what: `${method}: unresolvable name`,
        open: (t: TestContext) => world.open(t, method, { bootstrap: ['no-such-host.invalid:9096'] }),
        sentence: 'unresolvable' as const,
        stage: 'DNS',
        error: /^getaddrinfo (ENOTFOUND|EAI_AGAIN) no-such-host\.invalid$|^no connection within 3000 ms$/
      }
    ]),
    {
      what: 'an address that must not be reached',
      open: (t: TestContext) => world.open(t, 'plaintext', { bootstrap: ['169.254.169.254:80'] }),
      sentence: 'connection',
      stage: 'TCP',
      error: /^address 169\.254\.169\.254 must not be reached: it lies in the refused range 169\.254\.0\.0\/16$/
    }
  ]
}
