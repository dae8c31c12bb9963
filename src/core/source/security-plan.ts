import type { SourceAccess } from '../mapping/mapping.ts'
import type { Tags } from '../mapping/tags.ts'
import { readSaslExtensions } from './sasl-extensions.ts'
import type { SaslExtensions } from './sasl-extensions.ts'

/** How connections to a cluster are protected and prove who they are; secrets by the URI the mapping names them with. */
export interface SecurityPlan {
  readonly protocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
  readonly mechanism?: 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'PLAIN' | 'OAUTHBEARER' | 'AWS_MSK_IAM'
  readonly login?: string
  readonly clientCertificate?: string
  readonly serverRootCa?: string
  /** The token or signature is made with AWS credentials. */
  readonly iam?: true
  readonly oidc?: {
    readonly tokenEndpoint: string
    readonly client: string
    readonly scope?: string
    readonly extensions?: SaslExtensions
  }
}

/** `reason` continues the sentence that begins with who was asked for, say "The mapping". */
export type PlanRefusal = { readonly kind: 'refused'; readonly reason: string }

/** Tags that say how a cluster is reached. */
export const sourceTag = {
  roleArn: 'millrace:role-arn',
  externalId: 'millrace:external-id',
  iamMechanism: 'millrace:iam-mechanism',
  oidcTokenEndpoint: 'millrace:oidc-token-endpoint',
  oidcScope: 'millrace:oidc-scope',
  oidcExtensions: 'millrace:oidc-extensions',
  saslPlaintext: 'millrace:sasl-plaintext'
} as const

export interface PlanRules {
  /** Names and passwords may go over connections without TLS where a mapping asks for it. */
  readonly allowSaslPlaintext: boolean
}

/** The URI of the one access configuration of this type. */
export const accessUri = (access: readonly SourceAccess[], type: string): string | undefined =>
  access.find(({ Type }) => Type === type)?.URI

export const refused = (reason: string): PlanRefusal => ({ kind: 'refused', reason })

/**
 * How an own cluster is reached (reference 9.1). Without credentials: plaintext, unless there is a root certificate to trust.
 * With our own tags beside a login: client credentials at an OpenID token endpoint, or SASL without TLS.
 */
export function selfManagedPlan(
  access: readonly SourceAccess[],
  tags: Tags,
  rules: PlanRules
): { readonly kind: 'planned'; readonly plan: SecurityPlan } | PlanRefusal {
  const foreign = tags[sourceTag.iamMechanism]
  if (foreign !== undefined) return refused(`the tag ${sourceTag.iamMechanism} is for MSK clusters only`)
  const roleRefusal = roleRefusalOf(tags)
  if (roleRefusal !== undefined) return roleRefusal
  const anchor = accessUri(access, 'SERVER_ROOT_CA_CERTIFICATE')
  const serverRootCa = anchor === undefined ? {} : { serverRootCa: anchor }
  const oidc = readOidc(access, tags)
  if (oidc?.kind === 'refused') return oidc
  const sasl = oidc?.sasl ?? saslOf(access)
  const isBare = tags[sourceTag.saslPlaintext] === 'on'
  if (isBare) {
    if (!rules.allowSaslPlaintext)
      return refused(`the tag ${sourceTag.saslPlaintext} needs allowSaslPlaintext: true in the configuration`)
    if (sasl === undefined)
      return refused(`the tag ${sourceTag.saslPlaintext} needs credentials: BASIC_AUTH or SASL_SCRAM_…_AUTH`)
    if (anchor !== undefined)
      return refused(`SERVER_ROOT_CA_CERTIFICATE and the tag ${sourceTag.saslPlaintext} exclude each other`)
    return { kind: 'planned', plan: { protocol: 'SASL_PLAINTEXT', ...sasl } }
  }
  if (sasl !== undefined) return { kind: 'planned', plan: { protocol: 'SASL_SSL', ...sasl, ...serverRootCa } }
  const certificate = accessUri(access, 'CLIENT_CERTIFICATE_TLS_AUTH')
  if (certificate !== undefined)
    return { kind: 'planned', plan: { protocol: 'SSL', clientCertificate: certificate, ...serverRootCa } }
  return {
    kind: 'planned',
    plan: anchor === undefined ? { protocol: 'PLAINTEXT' } : { protocol: 'SSL', ...serverRootCa }
  }
}

type Sasl = Pick<SecurityPlan, 'mechanism' | 'login' | 'oidc'>

const mechanisms = [
  ['SASL_SCRAM_512_AUTH', 'SCRAM-SHA-512'],
  ['SASL_SCRAM_256_AUTH', 'SCRAM-SHA-256'],
  ['BASIC_AUTH', 'PLAIN']
] as const

function saslOf(access: readonly SourceAccess[]): Sasl | undefined {
  for (const [type, mechanism] of mechanisms) {
    const login = accessUri(access, type)
    if (login !== undefined) return { mechanism, login }
  }
  return undefined
}

function readOidc(
  access: readonly SourceAccess[],
  tags: Tags
): { readonly kind: 'oidc'; readonly sasl: Sasl } | PlanRefusal | undefined {
  const {
    [sourceTag.oidcTokenEndpoint]: tokenEndpoint,
    [sourceTag.oidcScope]: scope,
    [sourceTag.oidcExtensions]: written
  } = tags
  if (tokenEndpoint === undefined) {
    const lonely = [sourceTag.oidcScope, sourceTag.oidcExtensions].find(tag => tags[tag] !== undefined)
    return lonely === undefined ? undefined : refused(`the tag ${lonely} needs the tag ${sourceTag.oidcTokenEndpoint}`)
  }
  const client = accessUri(access, 'BASIC_AUTH')
  if (client === undefined)
    return refused(
      `the tag ${sourceTag.oidcTokenEndpoint} needs BASIC_AUTH with a secret that holds clientId and clientSecret`
    )
  const extensions = written === undefined ? undefined : readSaslExtensions(written)
  if (written !== undefined && extensions === undefined)
    return refused(`the tag ${sourceTag.oidcExtensions} must be pairs NAME=VALUE, got ${JSON.stringify(written)}`)
  const oidc = {
    tokenEndpoint,
    client,
    ...(scope === undefined ? {} : { scope }),
    ...(extensions === undefined ? {} : { extensions })
  }
  return { kind: 'oidc', sasl: { mechanism: 'OAUTHBEARER', oidc } }
}

/** Of either kind of source. */
export function roleRefusalOf(tags: Tags): PlanRefusal | undefined {
  return tags[sourceTag.externalId] !== undefined && tags[sourceTag.roleArn] === undefined
    ? refused(`the tag ${sourceTag.externalId} needs the tag ${sourceTag.roleArn}`)
    : undefined
}
