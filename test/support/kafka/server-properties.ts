import type { Certificates } from './certificates.ts'
import { TestIssuer } from './test-issuer.ts'

/**
 * plaintext       neither encrypted nor authenticated; always there, brokers talk over it
 * tls             server certificate
 * mtls            server and client certificate
 * sasl            TLS, and SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN as one of `users`, or OAUTHBEARER with a token of the fixture's issuer
 * sasl_plaintext  the same without TLS
 */
export type ListenerName = 'plaintext' | 'tls' | 'mtls' | 'sasl' | 'sasl_plaintext'

/** User names and passwords known to every SASL mechanism. */
export const users = { alice: 'alice-secret', bob: 'bob-secret' } as const

export interface BrokerPlace {
  readonly nodeId: number
  readonly controllerPort: number
  readonly ports: ReadonlyMap<ListenerName, number>
  readonly dataFolder: string
}

const protocols = {
  plaintext: 'PLAINTEXT',
  tls: 'SSL',
  mtls: 'SSL',
  sasl: 'SASL_SSL',
  sasl_plaintext: 'SASL_PLAINTEXT'
} as const

/**
 * The settings of one broker among `all`, which is broker and controller in one (KRaft combined mode).
 * Every listener is a Kafka listener of its own name in capitals.
 */
export function serverProperties(
  place: BrokerPlace,
  all: readonly BrokerPlace[],
  {
    certificates,
    issuer
  }: { readonly certificates?: Certificates | undefined; readonly issuer?: TestIssuer | undefined },
  overrides: Readonly<Record<string, string>>
): string {
  const copies = String(all.length)
  const inSync = all.length > 1 ? '2' : '1'
  const listeners = [...place.ports].map(([name, port]) => `${name.toUpperCase()}://127.0.0.1:${port}`)
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': String(place.nodeId),
    'controller.quorum.voters': all.map(each => `${each.nodeId}@127.0.0.1:${each.controllerPort}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${place.controllerPort}`].join(','),
    'advertised.listeners': listeners.join(','),
    'listener.security.protocol.map': [
      ...[...place.ports.keys()].map(name => `${name.toUpperCase()}:${protocols[name]}`),
      'CONTROLLER:PLAINTEXT'
    ].join(','),
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': place.dataFolder,
    'broker.rack': `rack-${place.nodeId}`,
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    // The lowest that keeps a busy test machine from losing brokers that live.
    'broker.session.timeout.ms': '6000',
    'default.replication.factor': copies,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': inSync,
    // Fifty partitions each by default, which a test's first group and first transaction would wait for.
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.num.partitions': '4',
    'log.cleaner.dedupe.buffer.size': String(4 << 20),
    ...(certificates === undefined ? {} : securityProperties(certificates)),
    ...(issuer === undefined ? {} : tokenProperties(issuer)),
    ...overrides
  }
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

function securityProperties(certificates: Certificates): Record<string, string> {
  const plainUsers = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`)
  const login = 'org.apache.kafka.common.security'
  const jaas = {
    'scram-sha-512': `${login}.scram.ScramLoginModule required;`,
    'scram-sha-256': `${login}.scram.ScramLoginModule required;`,
    plain: `${login}.plain.PlainLoginModule required ${plainUsers.join(' ')};`,
    oauthbearer: `${login}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`
  }
  const sasl = ['sasl', 'sasl_plaintext'].flatMap(listener => [
    [`listener.name.${listener}.sasl.enabled.mechanisms`, Object.keys(jaas).join(',').toUpperCase()],
    ...Object.entries(jaas).map(([name, config]) => [`listener.name.${listener}.${name}.sasl.jaas.config`, config])
  ])
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': certificates.serverPem,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': certificates.ca,
    'listener.name.mtls.ssl.client.auth': 'required',
    ...(Object.fromEntries(sasl) as Record<string, string>)
  }
}

/** Tokens are what they claim to be: signed by the issuer, for these brokers, and not expired. */
function tokenProperties({ jwksUrl }: TestIssuer): Record<string, string> {
  const { audience, issuer } = TestIssuer.expected
  return {
    'sasl.oauthbearer.jwks.endpoint.url': jwksUrl,
    'sasl.oauthbearer.expected.audience': audience,
    'sasl.oauthbearer.expected.issuer': issuer,
    ...(Object.fromEntries(
      ['sasl', 'sasl_plaintext'].map(listener => [
        `listener.name.${listener}.oauthbearer.sasl.server.callback.handler.class`,
        'org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler'
      ])
    ) as Record<string, string>)
  }
}

/** Arguments for `StorageTool format` that make `users` known to SCRAM. */
export function scramArguments(): string[] {
  return ['SCRAM-SHA-512', 'SCRAM-SHA-256'].flatMap(mechanism =>
    Object.entries(users).flatMap(([name, password]) => [
      '--add-scram',
      `${mechanism}=[name=${name},password=${password}]`
    ])
  )
}
