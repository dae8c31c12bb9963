import type { SourceAccess } from '../mapping/mapping.ts'
import type { Tags } from '../mapping/tags.ts'
import { accessUri, refused, roleRefusalOf, sourceTag } from './security-plan.ts'
import type { PlanRefusal, SecurityPlan } from './security-plan.ts'

/** How an MSK cluster takes connections: names as in `clusters` of the configuration. */
export const accessMethods = ['plaintext', 'tls', 'saslScram', 'saslIam'] as const
export type AccessMethod = (typeof accessMethods)[number]

/** From where it is reached. A VPC connection is one of another account; the others are a choice of the configuration. */
export type BrokerNetwork = 'vpc' | 'vpc-connection' | 'public' | 'ipv6'

/** Fields of GetBootstrapBrokers (reference 9.4). MSK has no field where none stands here. */
export const bootstrapFields = {
  plaintext: { vpc: 'BootstrapBrokerString', ipv6: 'BootstrapBrokerStringIpv6' },
  tls: {
    vpc: 'BootstrapBrokerStringTls',
    'vpc-connection': 'BootstrapBrokerStringVpcConnectivityTls',
    public: 'BootstrapBrokerStringPublicTls',
    ipv6: 'BootstrapBrokerStringTlsIpv6'
  },
  saslScram: {
    vpc: 'BootstrapBrokerStringSaslScram',
    'vpc-connection': 'BootstrapBrokerStringVpcConnectivitySaslScram',
    public: 'BootstrapBrokerStringPublicSaslScram',
    ipv6: 'BootstrapBrokerStringSaslScramIpv6'
  },
  saslIam: {
    vpc: 'BootstrapBrokerStringSaslIam',
    'vpc-connection': 'BootstrapBrokerStringVpcConnectivitySaslIam',
    public: 'BootstrapBrokerStringPublicSaslIam',
    ipv6: 'BootstrapBrokerStringSaslIamIpv6'
  }
} as const satisfies Record<AccessMethod, Partial<Record<BrokerNetwork, string>>>

export type BootstrapField = {
  [M in AccessMethod]: (typeof bootstrapFields)[M][keyof (typeof bootstrapFields)[M]]
}[AccessMethod]

export type BrokersByMethod = Readonly<Partial<Record<AccessMethod, readonly string[]>>>

/** What an MSK cluster offers in one network. */
export interface ClusterOffer {
  readonly network: BrokerNetwork
  /** A method that is off, or not there in this network, is absent or empty. */
  readonly brokers: BrokersByMethod
  readonly serverless: boolean
  /** What it is set to take, where that is known; a member that is absent is not. */
  readonly authentication: {
    readonly scram?: boolean
    readonly iam?: boolean
    readonly mutualTls?: boolean
    /** Clients that prove nothing. */
    readonly none?: boolean
  }
}

/** The brokers of an answer of GetBootstrapBrokers in one network: comma-separated `host:port`, absent or empty when off. */
export function brokersOf(
  answer: Readonly<Partial<Record<BootstrapField, string | undefined>>>,
  network: BrokerNetwork
): BrokersByMethod {
  return Object.fromEntries(
    accessMethods.flatMap(method => {
      const fields: Partial<Record<BrokerNetwork, BootstrapField>> = bootstrapFields[method]
      const field = fields[network]
      const servers = (field === undefined ? '' : (answer[field] ?? '')).split(',').map(server => server.trim())
      const named = servers.filter(server => server !== '')
      return named.length === 0 ? [] : [[method, named]]
    })
  )
}

export interface BrokerChoice {
  readonly kind: 'chosen'
  readonly method: AccessMethod
  readonly bootstrapServers: readonly string[]
  readonly plan: SecurityPlan
}

/**
 * The brokers of an MSK cluster for a mapping, strongest first (reference 9.3): mutual TLS and SCRAM where a secret is
 * given, then IAM, then TLS, then plaintext. What is chosen is not given up for a weaker kind when it cannot be had.
 * The reason of a refusal continues "Cluster …".
 */
export function chooseBrokers(
  access: readonly SourceAccess[],
  tags: Tags,
  offer: ClusterOffer
): BrokerChoice | PlanRefusal {
  for (const tag of [
    sourceTag.oidcTokenEndpoint,
    sourceTag.oidcScope,
    sourceTag.oidcExtensions,
    sourceTag.saslPlaintext
  ])
    if (tags[tag] !== undefined) return refused(`is an MSK cluster, and the tag ${tag} is for own clusters only`)
  const roleRefusal = roleRefusalOf(tags)
  if (roleRefusal !== undefined) return refused(`cannot be asked for: ${roleRefusal.reason}`)
  if (offer.serverless && offer.network === 'vpc-connection')
    return refused('is serverless: it takes no mapping by a VPC connection')
  const certificate = accessUri(access, 'CLIENT_CERTIFICATE_TLS_AUTH')
  const login = accessUri(access, 'SASL_SCRAM_512_AUTH')
  if (offer.serverless && (certificate ?? login) !== undefined)
    return refused('is serverless: it takes IAM only, so name no secret in SourceAccessConfigurations')
  if (certificate !== undefined)
    return chosen(offer, 'tls', offer.authentication.mutualTls, 'mutual TLS', {
      protocol: 'SSL',
      clientCertificate: certificate
    })
  if (login !== undefined)
    return chosen(offer, 'saslScram', offer.authentication.scram, 'SASL/SCRAM', {
      protocol: 'SASL_SSL',
      mechanism: 'SCRAM-SHA-512',
      login
    })
  return withoutSecret(tags, offer)
}

function withoutSecret(tags: Tags, offer: ClusterOffer): BrokerChoice | PlanRefusal {
  const { brokers, authentication } = offer
  const mechanism = tags[sourceTag.iamMechanism] === 'AWS_MSK_IAM' ? 'AWS_MSK_IAM' : 'OAUTHBEARER'
  if (offer.serverless || (authentication.iam ?? isOn(brokers.saslIam)))
    return chosen(offer, 'saslIam', true, 'IAM', { protocol: 'SASL_SSL', mechanism, iam: true })
  if (tags[sourceTag.iamMechanism] !== undefined)
    return refused(`does not take IAM, which the tag ${sourceTag.iamMechanism} asks for`)
  if (authentication.none === false)
    return refused(
      'takes nobody without credentials: name a secret in SourceAccessConfigurations (SASL_SCRAM_512_AUTH or CLIENT_CERTIFICATE_TLS_AUTH) or turn IAM on'
    )
  if (isOn(brokers.tls)) return chosen(offer, 'tls', true, 'TLS', { protocol: 'SSL' })
  if (isOn(brokers.plaintext)) return chosen(offer, 'plaintext', true, 'plaintext', { protocol: 'PLAINTEXT' })
  const offered = accessMethods.filter(method => isOn(brokers[method]))
  return refused(
    offered.length === 0
      ? `has no brokers ${whereabouts[offer.network]}`
      : `takes nobody without credentials ${whereabouts[offer.network]} (it has ${offered.join(', ')}): name a secret in SourceAccessConfigurations`
  )
}

const whereabouts: Readonly<Record<BrokerNetwork, string>> = {
  vpc: 'in its VPC',
  'vpc-connection': 'behind VPC connections',
  public: 'on the public network',
  ipv6: 'on IPv6'
}

function chosen(
  offer: ClusterOffer,
  method: AccessMethod,
  isTaken: boolean | undefined,
  name: string,
  plan: SecurityPlan
): BrokerChoice | PlanRefusal {
  if (isTaken === false) return refused(`does not take ${name}: turn it on`)
  const bootstrapServers = offer.brokers[method] ?? []
  return bootstrapServers.length === 0
    ? refused(`has no brokers for ${name} ${whereabouts[offer.network]}: turn it on`)
    : { kind: 'chosen', method, bootstrapServers, plan }
}

const isOn = (brokers: readonly string[] | undefined): boolean => brokers !== undefined && brokers.length > 0
